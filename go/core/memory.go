package core

import (
	"sync"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/oom"
	"github.com/dce-go/dce/go/reaper"
)

// An agent that hears of a task's own memory limit freezes the executor within milliseconds, and kills it then (Mesos:
// src/slave/containerizer/mesos/isolators/cgroups/subsystems/memory.cpp, oomWaited; src/linux/cgroups.cpp, destroy). So the
// executor mostly can't note what the kernel killed, and the core, which nobody freezes, listens too.

// maxKills bounds what is remembered of one run.
const maxKills = 16

// watches are the kernel's kills in the runs that live.
type watches struct {
	mu   sync.Mutex
	runs map[string]*memoryWatch
}

type memoryWatch struct {
	watch *cgroup.OOMWatch
	mu    sync.Mutex
	kills []cgroup.OOM // the latest
}

func (w *memoryWatch) killed(k cgroup.OOM) {
	if k.Kills == 0 || k.Before {
		return // a guess, or of nobody knows when
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kills = append(w.kills, k)
	w.kills = w.kills[max(0, len(w.kills)-maxKills):]
}

// watchMemory listens in the cgroup of a run whose memory the agent limits. Elsewhere no agent ends an executor for want of memory.
func (c *Core) watchMemory(run string) {
	path := c.roots[0] + "/" + run
	hi, err := c.host.Hierarchy("memory")
	if err != nil || hi.Unified || !reaper.Hierarchies(c.host, path)[hi.Dir] {
		return
	}
	log := c.log.WithField("container", run)
	w := &memoryWatch{}
	w.watch, err = c.host.WatchOOM(path, w.killed, func(err error) { log.WithError(err).Debug("dce: the memory of a container can't be watched") })
	if err != nil {
		log.WithError(err).Warn("dce: the memory of a pod can't be watched, so that only its executor may tell who ran out of it")
		return
	}
	c.watches.mu.Lock()
	old := c.watches.runs[run]
	c.watches.runs[run] = w
	c.watches.mu.Unlock()
	if old != nil {
		old.watch.Close()
	}
	if c.ctx.Err() != nil || !c.census.lives(run) {
		c.unwatch(run) // the run, or the core, ended meanwhile
	}
}

// unwatch ends a watch, if there is one.
func (c *Core) unwatch(run string) {
	c.watches.mu.Lock()
	w := c.watches.runs[run]
	delete(c.watches.runs, run)
	c.watches.mu.Unlock()
	if w != nil {
		w.watch.Close()
	}
}

func (c *Core) unwatchAll() {
	c.watches.mu.Lock()
	all := c.watches.runs
	c.watches.runs = map[string]*memoryWatch{}
	c.watches.mu.Unlock()
	for _, w := range all {
		w.watch.Close()
	}
}

// heard is what rather ended a run, of the kills since a time that its watch heard of.
func (c *Core) heard(run, sandbox string, since time.Time) (cause oom.Kill, ok bool) {
	c.watches.mu.Lock()
	w := c.watches.runs[run]
	c.watches.mu.Unlock()
	if w == nil {
		return cause, false
	}
	services, err := oom.Containers(sandbox)
	if err != nil {
		c.log.WithError(err).WithField("container", run).Warn("dce: what the executor noted of its containers can't be read")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return oom.Cause(w.kills, services, since)
}
