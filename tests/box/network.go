package box

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// block is the address range of one engine: bridge is the address of the default bridge, pool where its other networks are
// cut from.
type block struct {
	all    netip.Prefix
	bridge netip.Prefix
	pool   netip.Prefix
}

// poolSize is the prefix length of one user-defined network: 256 networks of 30 addresses.
const poolSize = 27

// blocks are the ranges an engine may take, cut from the range that is reserved for benchmarks (RFC 2544), which hardly any
// network uses: eight engines at a time.
func blocks() []block {
	var out []block
	for i := range 8 {
		base := [4]byte{198, byte(18 + i/4), byte(i % 4 * 64), 0}
		first, upper := base, base
		first[3] = 1
		upper[2] += 32
		out = append(out, block{
			all:    netip.PrefixFrom(netip.AddrFrom4(base), 18),
			bridge: netip.PrefixFrom(netip.AddrFrom4(first), 20),
			pool:   netip.PrefixFrom(netip.AddrFrom4(upper), 19),
		})
	}
	return out
}

// free returns the first block that overlaps none of the used ranges.
func free(used []netip.Prefix) (block, bool) {
next:
	for _, b := range blocks() {
		for _, u := range used {
			if u.Overlaps(b.all) {
				continue next
			}
		}
		return b, true
	}
	return block{}, false
}

// addresses are the ranges of one link.
func addresses(l net.Interface) ([]netip.Prefix, error) {
	addrs, err := l.Addrs()
	if err != nil {
		return nil, err
	}
	var out []netip.Prefix
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			return nil, fmt.Errorf("address %s of link %s: %w", a, l.Name, err)
		}
		out = append(out, prefix)
	}
	return out, nil
}

// usedRanges are the ranges of all links and routes, but for default routes.
func usedRanges() ([]netip.Prefix, error) {
	links, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var used []netip.Prefix
	for _, l := range links {
		of, err := addresses(l)
		if err != nil {
			return nil, err
		}
		used = append(used, of...)
	}
	out, err := ip("-json", "-4", "route", "show", "table", "all")
	if err != nil {
		return nil, err
	}
	var routes []struct {
		Dst string `json:"dst"`
	}
	if err := json.Unmarshal(out, &routes); err != nil {
		return nil, err
	}
	for _, r := range routes {
		if prefix, err := netip.ParsePrefix(r.Dst); err == nil && prefix.Bits() > 0 {
			used = append(used, prefix)
		} else if addr, err := netip.ParseAddr(r.Dst); err == nil {
			used = append(used, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	return used, nil
}

// errNoBlock says that more engines run than there are blocks.
var errNoBlock = errors.New("all of 198.18.0.0/15 is routed or in use, so a private engine finds no addresses: stop other private engines (`ip link` lists them as dce-…)")

// blockPatience is how long a block is waited for: other tests end.
const blockPatience = time.Minute

// awaitBlock claims a block as soon as there is one.
func awaitBlock(ctx context.Context, claim func() (block, error)) (block, error) {
	ctx, cancel := context.WithTimeout(ctx, blockPatience)
	defer cancel()
	for {
		b, err := claim()
		if !errors.Is(err, errNoBlock) {
			return b, err
		}
		select {
		case <-ctx.Done():
			return block{}, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// claimBlock takes a free block by giving its first address to a new bridge. One lock for the host keeps two engines from
// taking the same.
func claimBlock(p paths) (block, error) {
	lock, err := os.Open("/run") // the folder itself, so that no lock file is left
	if err != nil {
		return block{}, err
	}
	defer func() { _ = lock.Close() }()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return block{}, err
	}
	used, err := usedRanges()
	if err != nil {
		return block{}, err
	}
	b, ok := free(used)
	if !ok {
		return block{}, errNoBlock
	}
	for _, args := range [][]string{
		{"link", "add", p.bridge(), "type", "bridge"},
		{"link", "set", p.bridge(), "alias", p.run},
		{"address", "add", b.bridge.String(), "dev", p.bridge()},
		{"link", "set", p.bridge(), "up"},
	} {
		if _, err := ip(args...); err != nil {
			return block{}, err
		}
	}
	return b, forward(p, b)
}

// forward adds the one rule that an engine needs where another one has made the host drop forwarded packets: containers of
// our own block may talk to each other. The comment proves whose rule it is.
func forward(p paths, b block) error {
	_, err := iptables("-I", "FORWARD", "-s", b.all.String(), "-d", b.all.String(), "-m", "comment", "--comment", p.bridge(), "-j", "ACCEPT")
	return err
}

func releaseForward(p paths) error {
	rules, err := iptables("-S", "FORWARD")
	if err != nil {
		return err
	}
	var errs []error
	for rule := range strings.Lines(rules) {
		if args := strings.Fields(rule); slices.Contains(args, p.bridge()) {
			args[0] = "-D"
			_, err := iptables(args...)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func iptables(args ...string) (string, error) {
	bin, err := find("iptables")
	if err != nil {
		return "", nil // then nothing drops packets either
	}
	out, err := run(bin, append([]string{"-w"}, args...)...)
	return string(out), err
}

// releaseBlock removes the bridge and the bridges of user-defined networks inside its block. A link is ours only by both name
// and alias.
func releaseBlock(p paths) error {
	own, err := net.InterfaceByName(p.bridge())
	if err != nil {
		return nil // it is not there; net has no better error for that
	}
	alias, err := os.ReadFile(filepath.Join("/sys/class/net", own.Name, "ifalias"))
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(string(alias)); got != p.run {
		return fmt.Errorf("link %s is in the way and not ours (its alias is %q): rename it", own.Name, got)
	}
	has, err := addresses(*own)
	if err != nil {
		return err
	}
	var errs []error
	for _, b := range blocks() {
		if slices.Contains(has, b.bridge) {
			errs = append(errs, releasePool(b.pool))
		}
	}
	_, err = ip("link", "delete", own.Name)
	return errors.Join(append(errs, err)...)
}

// releasePool deletes the bridges that dockerd made for networks from our pool.
func releasePool(pool netip.Prefix) error {
	links, err := net.Interfaces()
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range links {
		has, err := addresses(l)
		if err == nil && strings.HasPrefix(l.Name, "br-") && slices.ContainsFunc(has, func(a netip.Prefix) bool { return pool.Contains(a.Addr()) }) {
			_, err = ip("link", "delete", l.Name)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func ip(args ...string) ([]byte, error) {
	bin, err := find("ip")
	if err != nil {
		return nil, err
	}
	return run(bin, args...)
}

// run returns what a command prints; its error is what the command complained of.
func run(bin string, args ...string) ([]byte, error) {
	out, err := exec.Command(bin, args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("%s %s: %w: %s", filepath.Base(bin), strings.Join(args, " "), err, strings.TrimSpace(string(exit.Stderr)))
	}
	return out, err
}
