package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Usage is what a cgroup and all below it use. A part is nil where its controller is not mounted, or does not have the cgroup.
type Usage struct {
	At     time.Time
	CPU    *CPUUsage
	Memory *MemoryUsage
	Pids   *PidsUsage
	IO     *IOUsage
}

// CPUUsage is CPU time since the cgroup was made.
type CPUUsage struct {
	Time, User, System time.Duration // User and System have the kernel's ticks on v1, 10 ms, and need not add up to Time
	Limit              float64       // CPUs, 0 for none
	Periods            uint64        // of the limit, that have passed
	Throttled          uint64        // periods in which it was hit
	ThrottledTime      time.Duration // of all CPUs together
}

// MemoryUsage is in bytes.
type MemoryUsage struct {
	Usage uint64 // with cache
	Cache uint64 // page cache, which the kernel takes back when it needs it; tmpfs is counted here
	Anon  uint64 // what processes have allocated
	Swap  uint64
	Peak  uint64 // of Usage; 0 where the kernel does not tell
	Limit uint64 // NoLimit for none
}

// WithoutCache is what the kernel can't take back when it needs it.
func (m *MemoryUsage) WithoutCache() uint64 { return m.Usage - min(m.Cache, m.Usage) }

// PidsUsage counts processes and threads.
type PidsUsage struct {
	Now   uint64
	Limit uint64 // NoLimit for none
}

// IOUsage is of block devices, since the cgroup was made. v1 counts what is written back from the page cache for the root.
type IOUsage struct{ ReadBytes, WriteBytes, Reads, Writes uint64 }

// Usage reads what a cgroup uses. What has it in no hierarchy is fs.ErrNotExist.
//
// The sums are those of the kernel (Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst); on v1 and kernels before 5.11
// memory is that of all below only where memory.use_hierarchy is 1.
func (h *Host) Usage(p string) (Usage, error) {
	p, err := clean(p)
	if err != nil {
		return Usage{}, err
	}
	u := Usage{At: time.Now()}
	found := false
	var missing error
	for _, part := range []struct {
		controller string
		read       func(*os.File, bool) error
	}{
		{"cpuacct", func(d *os.File, _ bool) error { return u.cpuTime1(d) }},
		{"cpu", u.cpu},
		{"memory", u.memory},
		{"pids", func(d *os.File, _ bool) error { return u.pids(d) }},
		{"blkio", func(d *os.File, _ bool) error { return u.io1(d) }},
		{"io", func(d *os.File, _ bool) error { return u.io2(d) }},
	} {
		err := h.readPart(p, part.controller, part.read)
		var unmounted *NotMountedError
		switch {
		case err == nil:
			found = true
		case errors.As(err, &unmounted):
		case gone(err):
			missing = err
		default:
			return Usage{}, err
		}
	}
	if !found {
		if missing == nil {
			missing = &FileError{"read the usage of", p, fs.ErrNotExist}
		}
		return Usage{}, missing
	}
	return u, nil
}

func (h *Host) readPart(p, controller string, read func(*os.File, bool) error) error {
	hi, err := h.Hierarchy(controller)
	if err != nil {
		return err
	}
	dir, err := hi.open(p)
	if err != nil {
		return err
	}
	defer dir.Close()
	return read(dir, hi.Unified)
}

// UsageBelow reads the usage of a cgroup and of each of its children, by name; children that vanish meanwhile are left out.
// For a pod these are its containers: see ContainerID.
func (h *Host) UsageBelow(p string) (all Usage, children map[string]Usage, err error) {
	if all, err = h.Usage(p); err != nil {
		return all, nil, err
	}
	names, err := h.Children(p)
	if err != nil {
		return all, nil, err
	}
	children = map[string]Usage{}
	for _, name := range names {
		u, err := h.Usage(path.Join(p, name))
		if gone(err) {
			continue
		}
		if err != nil {
			return all, nil, err
		}
		children[name] = u
	}
	return all, children, nil
}

// cpuTime1 reads cpuacct, which v2 has in cpu.stat.
func (u *Usage) cpuTime1(dir *os.File) error {
	ns, err := readLimit(dir, "cpuacct.usage")
	if err != nil {
		return err
	}
	ticks, err := readKeyed(dir, "cpuacct.stat", "user", "system")
	if err != nil {
		return err
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every architecture that Mesos runs on
	u.CPU = &CPUUsage{Time: duration(ns, 1), User: duration(ticks["user"], tick), System: duration(ticks["system"], tick)}
	return nil
}

func (u *Usage) cpu(dir *os.File, unified bool) error {
	stat, err := readKeyed(dir, "cpu.stat")
	if err != nil {
		return err
	}
	c := u.CPU
	if c == nil {
		c = &CPUUsage{}
	}
	c.Periods, c.Throttled = stat["nr_periods"], stat["nr_throttled"]
	if unified {
		c.Time, c.User, c.System = duration(stat["usage_usec"], time.Microsecond), duration(stat["user_usec"], time.Microsecond),
			duration(stat["system_usec"], time.Microsecond)
		c.ThrottledTime = duration(stat["throttled_usec"], time.Microsecond)
	} else {
		c.ThrottledTime = duration(stat["throttled_time"], 1)
	}
	if c.Limit, err = cpuLimit(dir, unified); err == nil {
		u.CPU = c
	}
	return err
}

func cpuLimit(dir *os.File, unified bool) (float64, error) {
	if unified {
		return cpuMax(dir)
	}
	return cfsQuota(dir)
}

func cpuMax(dir *os.File) (float64, error) {
	text, err := readAt(dir, "cpu.max")
	if gone(err) {
		return 0, nil // the root
	}
	if err != nil {
		return 0, err
	}
	return parseCPUMax(filepath.Join(dir.Name(), "cpu.max"), text)
}

func parseCPUMax(file, text string) (float64, error) {
	quota, period, ok := strings.Cut(text, " ")
	q, err := parseLimit(file, quota)
	if !ok || err != nil {
		return 0, &ValueError{file, firstLine(text), "a quota and a period"}
	}
	return cpus(file, q, period)
}

func cfsQuota(dir *os.File) (float64, error) {
	quota, err := readLimit(dir, "cpu.cfs_quota_us")
	if gone(err) {
		return 0, nil // a kernel without CFS bandwidth control
	}
	if err != nil {
		return 0, err
	}
	period, err := readAt(dir, "cpu.cfs_period_us")
	if err != nil {
		return 0, err
	}
	return cpus(filepath.Join(dir.Name(), "cpu.cfs_period_us"), quota, period)
}

func cpus(file string, quota uint64, period string) (float64, error) {
	p, err := strconv.ParseUint(period, 10, 64)
	switch {
	case err != nil || p == 0:
		return 0, &ValueError{file, firstLine(period), "a period in µs"}
	case quota == NoLimit:
		return 0, nil
	}
	return float64(quota) / float64(p), nil
}

func (u *Usage) memory(dir *os.File, unified bool) error {
	have, err := readMemory(dir, unified)
	if err != nil {
		return err
	}
	stat, err := readKeyed(dir, "memory.stat")
	if err != nil {
		return err
	}
	m := &MemoryUsage{Usage: have.usage, Limit: have.limit, Peak: have.peak}
	if !unified {
		m.Cache, m.Anon, m.Swap = stat["total_cache"], stat["total_rss"], stat["total_swap"]
		u.Memory = m
		return nil
	}
	m.Cache, m.Anon = stat["file"], stat["anon"]
	if m.Swap, err = readLimit(dir, "memory.swap.current"); gone(err) { // no swap accounting
		m.Swap, err = 0, nil
	}
	if _, perr := readLimit(dir, "memory.peak"); perr != nil {
		m.Peak = 0
	}
	u.Memory = m
	return err
}

func (u *Usage) pids(dir *os.File) (err error) {
	p := &PidsUsage{}
	if p.Now, err = readLimit(dir, "pids.current"); err != nil {
		return err
	}
	if p.Limit, err = readLimit(dir, "pids.max"); gone(err) {
		p.Limit, err = NoLimit, nil // the root
	}
	u.Pids = p
	return err
}

func (u *Usage) io1(dir *os.File) error {
	io := &IOUsage{}
	for _, kind := range []string{"bytes", "serviced"} {
		file := map[string]string{"bytes": "blkio.throttle.io_service_bytes", "serviced": "blkio.throttle.io_serviced"}[kind]
		text, err := readAt(dir, file+"_recursive")
		if gone(err) { // before Linux 4.8
			text, err = readAt(dir, file)
		}
		if err != nil {
			return err
		}
		read, write, err := parseBlkio(filepath.Join(dir.Name(), file), text)
		if err != nil {
			return err
		}
		if kind == "bytes" {
			io.ReadBytes, io.WriteBytes = read, write
		} else {
			io.Reads, io.Writes = read, write
		}
	}
	u.IO = io
	return nil
}

// parseBlkio sums up lines "8:0 Read 4096" over the devices.
func parseBlkio(file, text string) (read, write uint64, err error) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 || !slices.Contains([]string{"Read", "Write"}, f[1]) {
			continue // sums and other kinds
		}
		n, err := strconv.ParseUint(f[2], 10, 64)
		if err != nil {
			return 0, 0, &ValueError{file, strings.TrimSpace(line), "a number after " + f[1]}
		}
		if f[1] == "Read" {
			read += n
		} else {
			write += n
		}
	}
	return read, write, nil
}

func (u *Usage) io2(dir *os.File) error {
	text, err := readAt(dir, "io.stat")
	if err == nil {
		u.IO, err = parseIOStat(filepath.Join(dir.Name(), "io.stat"), text)
	}
	return err
}

// parseIOStat sums up lines "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 …" over the devices.
func parseIOStat(file, text string) (*IOUsage, error) {
	io := &IOUsage{}
	to := map[string]*uint64{"rbytes": &io.ReadBytes, "wbytes": &io.WriteBytes, "rios": &io.Reads, "wios": &io.Writes}
	for line := range strings.Lines(text) {
		for field := range strings.FieldsSeq(line) {
			key, value, ok := strings.Cut(field, "=")
			if !ok || to[key] == nil {
				continue
			}
			n, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return nil, &ValueError{file, field, "a number after " + key + "="}
			}
			*to[key] += n
		}
	}
	return io, nil
}

func duration(n uint64, unit time.Duration) time.Duration {
	if n > uint64((1<<63-1)/unit) {
		return 1<<63 - 1
	}
	return time.Duration(n) * unit
}
