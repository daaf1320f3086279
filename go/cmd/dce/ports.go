package main

import (
	"context"
	"net"
	"strconv"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// The ports that are offered where the user names none: the beginning of Mesos' own default range.
const firstPort, lastPort = 31000, 31099

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

// freePorts offers what nobody on this host listens on just now.
func freePorts(ctx context.Context, free func(context.Context, uint64) bool) ([]mesos.Value_Range, error) {
	var out []mesos.Value_Range
	for port := uint64(firstPort); port <= lastPort; port++ {
		if !free(ctx, port) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].End == port-1 {
			out[n-1].End = port
		} else {
			out = append(out, mesos.Value_Range{Begin: port, End: port})
		}
	}
	if len(out) == 0 {
		return nil, badInput("all ports of %d-%d are in use on this host; offer others with --ports", firstPort, lastPort)
	}
	return out, nil
}

func portIsFree(ctx context.Context, port uint64) bool {
	var config net.ListenConfig
	address := ":" + strconv.FormatUint(port, 10)
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
