package cgroup

import (
	"encoding/binary"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Level says whose memory limit made the kernel kill.
type Level string

// The levels, seen from the cgroup in which a process was killed.
const (
	LevelOwn    Level = "own"    // its own, or one below it
	LevelParent Level = "parent" // of the cgroup that is watched: the task's
	LevelAbove  Level = "above"  // of a cgroup above that, or the memory of the host
)

// OOM is what the kernel's OOM killer did in one child of a watched cgroup.
type OOM struct {
	Name   string            // of the child; for a container of Docker see ContainerID
	Kills  uint64            // processes killed in it and below it since it was made; 0 where it went before that could be read
	Level  Level             // whose limit was hit
	Cgroup string            // the cgroup whose limit was hit; "" where it is not known, or was the host's memory
	Limit  uint64            // of Cgroup, in bytes; NoLimit where that is "", 0 where Cgroup was gone too soon
	Usage  uint64            // the most that Cgroup used, in bytes; 0 where Cgroup is ""
	Peak   uint64            // the most that the child used, in bytes
	Used   map[string]uint64 // what each child used when the limit was hit, as far as it could be read in time, in bytes
	At     time.Time         // when it was seen

	Before bool // all Kills were before the watch began, nobody knows how long
}

// near is how far below its limit the usage of a cgroup may be when an allocation fails for it.
const near = 1 << 20

// memoryOf is how one cgroup stands; zero where that is not known.
type memoryOf struct{ limit, usage, peak uint64 }

// limited says whether the cgroup is known to have a limit.
func (m memoryOf) limited() bool { return m.limit != 0 && m.limit != NoLimit }

// atLimit says whether the cgroup has a limit and reached it.
func (m memoryOf) atLimit() bool { return m.limited() && max(m.peak, m.usage)+near >= m.limit }

// readMemory reads limit, usage and high-water mark, which kernels before 5.19 do not have on v2.
func readMemory(dir *os.File, unified bool) (m memoryOf, err error) {
	names := [3]string{"memory.limit_in_bytes", "memory.usage_in_bytes", "memory.max_usage_in_bytes"}
	if unified {
		names = [3]string{"memory.max", "memory.current", "memory.peak"}
	}
	if m.limit, err = readLimit(dir, names[0]); err != nil {
		return m, err
	}
	if m.usage, err = readLimit(dir, names[1]); err != nil {
		return m, err
	}
	m.peak, err = readLimit(dir, names[2])
	if unified && gone(err) { // an older kernel; or the cgroup goes away, whose file of usage goes before (kernel/cgroup/cgroup.c, css_clear_dir)
		m.usage, err = readLimit(dir, names[1])
		m.peak = m.usage
	}
	return m, err
}

// counts are the running totals of one cgroup that tell what happened to it.
type counts struct {
	hits  uint64 // how often a limit that it is under was hit (v1), or its own or one below it (v2)
	kills uint64 // processes of it that were killed
}

// member is the watched cgroup or one of its children.
type member struct {
	dir    *os.File
	signal int // v1: the eventfd of memory.oom_control, which counts hits
	wd     int // v2: the inotify watch on the file of events
	parent bool

	now, told counts   // as last read, and as of what is settled
	used      uint64   // what it used when a hit was seen last
	before    uint64   // kills when the watch began
	last      memoryOf // how it stood when that was last read; zero for never
}

// note remembers how the member stands, for when it is gone.
func (m *member) note(unified bool) {
	if have, err := readMemory(m.dir, unified); err == nil {
		m.last = have
	}
}

// read brings the counts up to date. v1 counts kills where the killed process was, hits by an eventfd that also tells of
// those above (mm/memcontrol.c, mem_cgroup_oom_notify); v2 counts kills and hits of all below in memory.events, and those
// of a cgroup alone in memory.events.local.
func (m *member) read(unified bool) error {
	if !unified {
		m.readSignal()
		kills, err := killsBelow(m.dir, !m.parent)
		if err == nil {
			m.now.kills = kills
		}
		return err
	}
	events, err := readKeyed(m.dir, m.events(), "oom", "oom_kill")
	if err == nil {
		m.now = counts{events["oom"], events["oom_kill"]}
	}
	return err
}

// readSignal adds what the eventfd of v1 has counted since it was read last.
func (m *member) readSignal() {
	var buf [8]byte
	if n, err := unix.Read(m.signal, buf[:]); err == nil && n == len(buf) {
		m.now.hits += binary.NativeEndian.Uint64(buf[:])
	}
}

// events is the file of v2 that tells of the member.
func (m *member) events() string {
	if m.parent {
		return "memory.events.local"
	}
	return "memory.events"
}

// killsBelow sums up memory.oom_control of a cgroup of v1, and where deep of those below it, which a container may have.
func killsBelow(dir *os.File, deep bool) (uint64, error) {
	values, err := readKeyed(dir, "memory.oom_control", "oom_kill")
	if err != nil || !deep {
		return values["oom_kill"], err
	}
	sum := values["oom_kill"]
	below, err := openat(int(dir.Fd()), ".", dir.Name(), unix.O_DIRECTORY, true) // a directory is listed once
	if err != nil {
		return sum, nil // the cgroup goes away: what it says itself counts
	}
	defer below.Close()
	names, err := subdirs(below)
	if err != nil {
		return sum, nil
	}
	for _, name := range names {
		sub, err := openat(int(dir.Fd()), name, filepath.Join(dir.Name(), name), unix.O_DIRECTORY, true)
		if err != nil {
			continue
		}
		n, err := killsBelow(sub, true)
		sub.Close()
		if err == nil {
			sum += n
		}
	}
	return sum, nil
}

// judge says whose limit a kill in child is due to, from what was counted since the last report.
func judge(parent, child *member, unified bool, parentMemory, childMemory memoryOf) Level {
	own := child.now.hits - child.told.hits
	above := parent.now.hits - parent.told.hits
	if !unified { // a child of v1 hears of what hits its parent as well
		own -= min(own, above)
	}
	switch {
	case own > 0:
		return LevelOwn
	case above > 0 && (unified || parentMemory.atLimit()):
		return LevelParent
	case above > 0:
		return LevelAbove
	case childMemory.atLimit(): // another kill under way below the same limit keeps the kernel from telling
		return LevelOwn
	case parentMemory.atLimit():
		return LevelParent
	case !unified && childMemory.limit == 0: // it was watched too late to hear of a hit, and is gone
		return LevelOwn
	}
	return LevelAbove
}

// limitAbove finds the nearest cgroup above p whose limit is reached; "" is the host's memory, or nobody that can be seen.
func (hi Hierarchy) limitAbove(p string) (string, memoryOf) {
	for p != "/" {
		p = path.Dir(p)
		dir, err := hi.open(p)
		if err != nil {
			break
		}
		m, err := readMemory(dir, hi.Unified)
		dir.Close()
		if err != nil {
			break
		}
		if m.atLimit() {
			return p, m
		}
	}
	return "", memoryOf{limit: NoLimit}
}

// ContainerID is the id of the Docker container that a cgroup of that name was made for: the cgroupfs driver takes the id
// itself, the systemd driver docker-<id>.scope.
func ContainerID(name string) string {
	if id, ok := strings.CutSuffix(name, ".scope"); ok {
		return strings.TrimPrefix(id, "docker-")
	}
	return name
}

// ContainerNames are the names that the cgroup of a container may have: the inverse of ContainerID.
func ContainerNames(id string) []string { return []string{id, "docker-" + id + ".scope"} }
