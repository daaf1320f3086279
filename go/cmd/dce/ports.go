package main

import (
	"context"
	"io"
	"net"
	"strconv"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// The ports that are offered where the user names none: some of Mesos' own default range.
const (
	firstPort, lastPort = 31000, 32000
	portsOffered        = 32
)

// parsePorts reads "31000-31010,31020" and keeps the order.
func parsePorts(text string) ([]mesos.Value_Range, error) {
	var out []mesos.Value_Range
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		begin, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
		end, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
		if err1 != nil || err2 != nil || begin == 0 || begin > end {
			return nil, badInput("--ports %q is no list of ports; write it like 31000-31010,31020", text)
		}
		for _, other := range out {
			if begin <= other.End && other.Begin <= end {
				return nil, badInput("--ports %q names port %d twice", text, max(begin, other.Begin))
			}
		}
		out = append(out, mesos.Value_Range{Begin: begin, End: end})
	}
	return out, nil
}

// freePorts offers what nobody on this host listens on just now, and no other dce offers. The claims hold until they are closed.
func freePorts(ctx context.Context, take func(context.Context, uint64) (io.Closer, bool)) (out []mesos.Value_Range, claims []io.Closer, err error) {
	for port := uint64(firstPort); port <= lastPort && len(claims) < portsOffered; port++ {
		claim, ok := take(ctx, port)
		if !ok {
			continue
		}
		claims = append(claims, claim)
		if n := len(out); n > 0 && out[n-1].End == port-1 {
			out[n-1].End = port
		} else {
			out = append(out, mesos.Value_Range{Begin: port, End: port})
		}
	}
	if len(out) == 0 {
		return nil, nil, badInput("all ports of %d-%d are in use on this host; offer others with --ports", firstPort, lastPort)
	}
	return out, claims, nil
}

// claimPort takes a port that is free. The claim is an abstract socket, because such a name belongs to one process of a
// network namespace, as a port does, and goes with it.
func claimPort(ctx context.Context, port uint64) (io.Closer, bool) {
	var config net.ListenConfig
	name := strconv.FormatUint(port, 10)
	claim, err := config.Listen(ctx, "unix", "@dce-run-port-"+name)
	if err != nil {
		return nil, false
	}
	if !portIsFree(ctx, ":"+name) {
		claim.Close()
		return nil, false
	}
	return claim, true
}

func portIsFree(ctx context.Context, address string) bool {
	var config net.ListenConfig
	tcp, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer tcp.Close()
	udp, err := config.ListenPacket(ctx, "udp", address)
	if err != nil {
		return false
	}
	udp.Close()
	return true
}
