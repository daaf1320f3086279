package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel tells of a hit limit before it kills, and on v1 not of the kill: for so long after a hit the counters are read
// again, in waits that double, until they show it.
const (
	firstLook  = 200 * time.Microsecond
	longLook   = 16 * time.Millisecond
	lookFor    = time.Second
	afterKills = 20 * time.Millisecond // for a second kill right after the first
)

// OOMWatch tells of processes that the kernel's OOM killer ends in the children of one cgroup. Children that are made later
// are watched from before their first process on.
type OOMWatch struct {
	hi     Hierarchy
	path   string
	report func(OOM)
	failed func(error)

	inotify int
	epoll   int      // over inotify and, on v1, the eventfds
	wake    *os.File // epoll, for the runtime's poller
	wakes   syscall.RawConn
	closing chan struct{}
	ended   chan struct{}

	mu       sync.Mutex
	closed   bool
	parent   *member
	children map[string]*member
	killed   map[string]OOM     // by name, also of children that are gone
	left     []string           // children that were removed since the last look
	gone     map[string]*member // children that were removed: how they stood last, and on v1 the eventfd
	hit      time.Time          // when a hit was seen that no kill is known for yet; zero for none
	until    time.Time          // so long the counters are read again; zero for not at all

	// v2: kills below the watched cgroup that are told, or were before the watch and are in no child, and hits that are settled.
	// What its own counters have beyond was counted in children that are gone.
	explained, all counts
}

// WatchOOM watches the children of p. report is called for each kill as soon as it is known, failed when a child can't be
// watched; both from a goroutine of the watch, or of the caller of Of, and may be called at the same time.
//
// On v1 the event is that of memory.oom_control (Documentation/admin-guide/cgroup-v1/memory.rst, 10. OOM Control), on v2 the
// modification of memory.events. On v1 the kernel has no event for a kill for want of memory of the whole host.
func (h *Host) WatchOOM(p string, report func(OOM), failed func(error)) (*OOMWatch, error) {
	p, err := clean(p)
	if err != nil {
		return nil, err
	}
	hi, err := h.Hierarchy("memory")
	if err != nil {
		return nil, err
	}
	w := &OOMWatch{
		hi: hi, path: p, report: report, failed: failed, inotify: -1, epoll: -1,
		closing: make(chan struct{}), ended: make(chan struct{}), children: map[string]*member{}, gone: map[string]*member{}, killed: map[string]OOM{},
	}
	if err := w.begin(); err != nil {
		w.release()
		return nil, err
	}
	go func() {
		defer func() {
			if v := recover(); v != nil { // it may run in somebody else's process
				w.failed(fmt.Errorf("memory is watched no more for a fault of dce itself (panic: %v)", v))
			}
		}()
		w.run()
	}()
	return w, nil
}

// run waits for events. It reads on without one only for a moment after a limit was hit.
func (w *OOMWatch) run() {
	defer close(w.ended)
	pause := firstLook
	for {
		again, ok := w.look()
		if !ok {
			return
		}
		if !again {
			pause = firstLook
			var events [1]unix.EpollEvent
			err := w.wakes.Read(func(fd uintptr) bool {
				n, err := unix.EpollWait(int(fd), events[:], 0)
				return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
			})
			if err != nil {
				return
			}
			continue
		}
		select {
		case <-w.closing:
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longLook)
	}
}

// Of returns what is known of a child by name, read now where it is still there.
func (w *OOMWatch) Of(name string) (OOM, bool) {
	w.look()
	w.mu.Lock()
	defer w.mu.Unlock()
	o, ok := w.killed[name]
	return o, ok
}

// Path is the cgroup that is watched.
func (w *OOMWatch) Path() string { return w.path }

// OwnHits is how often a limit of its own, or of a cgroup below, was hit in a child that is gone without a kill that is known. It is
// asked where SIGKILL ended the child's process and nobody looked in time. names are all that the child may have.
//
// On v1 an eventfd outlives its cgroup. It has counted the hits, those of limits above too, and the end of the cgroup once
// (mm/memcontrol-v1.c, memcg_event_remove). Where a limit above was hit it is not certain whose that was: 0. On v2 no kill is
// missed.
func (w *OOMWatch) OwnHits(names ...string) uint64 {
	w.look()
	w.mu.Lock()
	defer w.mu.Unlock()
	var hits uint64
	for _, name := range names {
		if _, known := w.killed[name]; known {
			return 0
		}
		if m := w.gone[name]; m != nil && m.signal >= 0 {
			m.readSignal()
			hits += max(m.now.hits, 1) - 1
		}
	}
	if w.parent.now.hits > 0 {
		return 0
	}
	return hits
}

// look reads everything that there is to read, reports new kills, and says whether more is to be expected without an event.
func (w *OOMWatch) look() (again, ok bool) {
	found, again, ok := w.read()
	for _, o := range found {
		w.report(o)
	}
	return again, ok
}

func (w *OOMWatch) read() (found []OOM, again, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, false, false
	}
	w.follow()
	found = w.count(time.Now())
	return found, !w.until.IsZero(), true
}

// count reads the counters and returns the new kills. Children first: the kernel tells the parent first, so that a hit of
// the parent is never missing from its counter when it is in that of a child.
func (w *OOMWatch) count(now time.Time) (found []OOM) {
	var killed []string
	hits, kills := false, false
	w.all = w.ofAll() // before those of the children, so that none is counted here and not there
	for _, name := range slices.Sorted(maps.Keys(w.children)) {
		m := w.children[name]
		before := m.now
		if !m.last.limited() { // limits are set after a cgroup was made; when it goes, its files go one after the other, these first
			m.note(w.hi.Unified)
		}
		if m.read(w.hi.Unified) != nil { // it goes away; v1 signals that like a hit
			m.now = before
			continue
		}
		hits = hits || m.now.hits > before.hits
		if m.now.kills > m.told.kills {
			killed = append(killed, name)
		}
	}
	before := w.parent.now
	if w.parent.read(w.hi.Unified) != nil { // gone with all that is below it
		w.parent.now = before
	}
	hits = hits || w.parent.now.hits > before.hits
	kills = len(killed) > 0 || w.parent.now.kills > before.kills
	if hits || kills {
		w.measure()
	}
	for _, name := range killed {
		o := w.explain(name, now)
		w.explained.kills += o.Kills - w.children[name].told.kills
		w.children[name].told.kills = o.Kills
		w.killed[name] = o
		found = append(found, o)
	}
	found = append(found, w.presume(len(killed) > 0, now)...)
	switch {
	case kills:
		w.until = now.Add(afterKills)
	case hits:
		w.until = now.Add(lookFor)
	case !w.until.IsZero() && now.After(w.until):
		w.settle()
	}
	return found
}

// ofAll counts kills and hits in the watched cgroup and everything that ever was below it, which v2 does.
func (w *OOMWatch) ofAll() counts {
	if !w.hi.Unified {
		return counts{}
	}
	values, _ := readKeyed(w.parent.dir, "memory.events", "oom", "oom_kill") // gone with all that is below it
	return counts{values["oom"], values["oom_kill"]}
}

// presume makes up for a look that came too late: a child is gone with its counters. With Docker's systemd driver that is the
// usual end of a container whose only process was killed, because systemd removes an empty scope at once. What that child's
// process ended of, its exit code tells.
//
// On v2 the watched cgroup has counted the kill as well. On v1 it only signals that its limit was hit, and nobody is known to have
// been killed for it. (Of a child's own limit OwnHits tells.)
func (w *OOMWatch) presume(known bool, now time.Time) (found []OOM) {
	left := w.left
	w.left = nil
	lost := w.all.kills - min(w.all.kills, w.explained.kills+w.parent.now.kills)
	hits := w.parent.now.hits - w.parent.told.hits
	hit, below := hits > 0, w.all.hits > w.explained.hits+hits
	if lost == 0 && (known || !hit || w.parent.now.kills > w.parent.told.kills) {
		return nil
	}
	for _, name := range left {
		if _, ok := w.killed[name]; ok {
			continue
		}
		var last memoryOf
		if m := w.gone[name]; m != nil {
			last = m.last
		}
		o := w.limitHit(OOM{Name: name, Kills: lost, Level: presumed(hit, below, last), Peak: last.peak, Used: map[string]uint64{}, At: now}, last)
		w.killed[name] = o
		found = append(found, o)
	}
	if len(found) > 0 {
		w.explained = counts{w.all.hits, w.explained.kills + lost}
	}
	return found
}

// presumed is whose limit was hit by a child that is gone.
func presumed(hit, below bool, last memoryOf) Level {
	switch {
	case hit:
		return LevelParent
	case below, last.limited():
		return LevelOwn
	}
	return LevelAbove
}

// measure notes what each child uses while a limit is hit. What was killed gives its memory back within milliseconds, so the
// first look after a hit counts.
func (w *OOMWatch) measure() {
	if !w.hit.IsZero() {
		return
	}
	w.hit = time.Now()
	for _, m := range w.children {
		if have, err := readMemory(m.dir, w.hi.Unified); err == nil {
			m.used = have.usage
		}
	}
	if have, err := readMemory(w.parent.dir, w.hi.Unified); err == nil {
		w.parent.used = have.usage
	}
}

// explain says what is known of a kill in a child.
func (w *OOMWatch) explain(name string, now time.Time) OOM {
	child := w.children[name]
	own, err := readMemory(child.dir, w.hi.Unified)
	if err != nil { // it goes away
		own = child.last
	}
	own.peak = max(own.peak, child.used)
	o := OOM{Name: name, Kills: child.now.kills, Peak: own.peak, Used: map[string]uint64{}, At: now, Before: child.now.kills <= child.before}
	for other, m := range w.children {
		o.Used[other] = m.used
	}
	o.Level = judge(w.parent, child, w.hi.Unified, w.ofParent(), own)
	if err != nil && o.Level == LevelOwn && own.limited() { // what was seen last is of before the hit
		own.peak = max(own.peak, own.limit)
		o.Peak = own.peak
	}
	return w.limitHit(o, own)
}

// limitHit adds to o whose limit was hit, and how that one stands.
func (w *OOMWatch) limitHit(o OOM, own memoryOf) OOM {
	var hit memoryOf
	switch o.Level {
	case LevelOwn:
		o.Cgroup, hit = path.Join(w.path, o.Name), own
	case LevelParent:
		o.Cgroup, hit = w.path, w.ofParent()
	case LevelAbove:
		o.Cgroup, hit = w.hi.limitAbove(w.path)
	}
	o.Limit, o.Usage = hit.limit, hit.peak
	return o
}

func (w *OOMWatch) ofParent() memoryOf {
	m, _ := readMemory(w.parent.dir, w.hi.Unified)
	m.peak = max(m.peak, w.parent.used)
	return m
}

// settle closes what was looked into: the next kill is judged by what comes from now on.
func (w *OOMWatch) settle() {
	w.until, w.hit = time.Time{}, time.Time{}
	w.parent.told = w.parent.now
	w.explained.hits = w.all.hits
	for _, m := range w.children {
		m.told.hits = m.now.hits
	}
}

// Close ends the watch. What Of has answered it still answers.
func (w *OOMWatch) Close() {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return
	}
	w.closed = true
	w.mu.Unlock()
	close(w.closing)
	w.wake.Close()
	<-w.ended
	w.release()
}
