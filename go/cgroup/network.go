package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// NetworkUsage is what passed an interface since it was made.
type NetworkUsage struct {
	Name                           string
	ReceivedBytes, ReceivedPackets uint64
	SentBytes, SentPackets         uint64
	ReceiveDropped, SendDropped    uint64
	ReceiveErrors, SendErrors      uint64
}

// Add makes n what passed both.
func (n *NetworkUsage) Add(o NetworkUsage) {
	n.ReceivedBytes, n.ReceivedPackets = n.ReceivedBytes+o.ReceivedBytes, n.ReceivedPackets+o.ReceivedPackets
	n.SentBytes, n.SentPackets = n.SentBytes+o.SentBytes, n.SentPackets+o.SentPackets
	n.ReceiveDropped, n.SendDropped = n.ReceiveDropped+o.ReceiveDropped, n.SendDropped+o.SendDropped
	n.ReceiveErrors, n.SendErrors = n.ReceiveErrors+o.ReceiveErrors, n.SendErrors+o.SendErrors
}

// Network reads the interfaces of the network namespace that a process is in, from <proc>/<pid>/net/dev; all containers that
// share the namespace have the same. The loopback is left out.
func (h *Host) Network(pid int) ([]NetworkUsage, error) {
	file := filepath.Join(h.proc, strconv.Itoa(pid), "net", "dev")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &FileError{"read", file, cause(err)}
	}
	return parseNetDev(file, string(text))
}

// Interfaces is what passed, all together, the interfaces of the network namespaces that the processes of some cgroups are in, of each
// namespace once; namespaces that this user may not tell apart are each counted. It is not known where they have none, where this user
// may not look, and where the namespace is the one of this process.
func (h *Host) Interfaces(paths ...string) (sum NetworkUsage, known bool, err error) {
	seen := map[string]bool{h.networkOf("self"): true}
	delete(seen, "")
	for _, p := range paths {
		pids, err := h.Procs(p)
		if err == nil && len(pids) > 0 {
			pid := pids[0]
			space := h.networkOf(strconv.Itoa(pid))
			if seen[space] {
				continue
			}
			var all []NetworkUsage
			if all, err = h.Network(pid); err == nil {
				known = true
				seen[space] = space != ""
			}
			for _, i := range all {
				sum.Add(i)
			}
		}
		if err != nil && !gone(err) && !errors.Is(err, fs.ErrPermission) {
			return sum, known, err
		}
	}
	return sum, known, nil
}

// networkOf names the network namespace of a process, "" where that can't be told.
func (h *Host) networkOf(pid string) string {
	name, err := os.Readlink(filepath.Join(h.proc, pid, "ns", "net"))
	if err != nil {
		return ""
	}
	return name
}

// parseNetDev reads lines "eth0: 1 2 …" with 8 numbers for what was received and 8 for what was sent (net/core/net-procfs.c).
func parseNetDev(file, text string) ([]NetworkUsage, error) {
	var out []NetworkUsage
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "lo" {
			continue // the headings have no colon
		}
		f := strings.Fields(rest)
		if len(f) < 16 {
			return nil, &ValueError{file, strings.TrimSpace(line), "16 numbers after an interface"}
		}
		n := NetworkUsage{Name: name}
		for i, to := range map[int]*uint64{0: &n.ReceivedBytes, 1: &n.ReceivedPackets, 2: &n.ReceiveErrors, 3: &n.ReceiveDropped,
			8: &n.SentBytes, 9: &n.SentPackets, 10: &n.SendErrors, 11: &n.SendDropped} {
			v, err := strconv.ParseUint(f[i], 10, 64)
			if err != nil {
				return nil, &ValueError{file, f[i], fmt.Sprintf("a number in column %d of %s", i+1, name)}
			}
			*to = v
		}
		out = append(out, n)
	}
	return out, nil
}
