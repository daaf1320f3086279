package core

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/dce-go/dce/go/core/guard"
	"github.com/dce-go/dce/go/reaper"
)

const (
	maxSweeps     = 64               // clean-ups at a time; one that hangs takes one place
	lookPatience  = 10 * time.Second // with a list of the engine
	callAttempt   = 10 * time.Second // with one removal
	searchPause   = 2 * time.Second  // after a search that failed
	sweepPatience = time.Minute      // with one clean-up, before it pauses
	// agentPatience is how long an agent may take to remove its own cgroups after a cleanup, where no removal of the executor
	// says that it has: it waits a minute at most (--cgroups_destroy_timeout).
	agentPatience = 2 * time.Minute
)

// work starts what is due, again whenever something changes.
func (c *Core) work() error {
	for {
		c.inject("work")
		next := c.startDue(time.Now())
		var timer <-chan time.Time
		if !next.IsZero() {
			timer = time.After(max(time.Until(next), time.Millisecond))
		}
		select {
		case <-c.ctx.Done():
			return nil
		case <-c.ledger.wake:
		case <-timer:
		}
	}
}

var errNoScope = failure(Unavailable,
	"the agent's work_dir is not known, so that nothing is provably its own; name it in the parameter work_dir")

// startDue starts what is due and may be done, and says when the next will be; zero for when something changes.
func (c *Core) startDue(now time.Time) (next time.Time) {
	if err := c.gate.why(); err != nil {
		c.ledger.refuse(err)
		return time.Time{}
	}
	if c.census.scopeName() == "" {
		if c.ledger.size() > 0 && c.said.first("scope") {
			c.log.Warn("dce: " + errNoScope.Error())
		}
		c.ledger.refuse(errNoScope)
		return time.Time{}
	}
	_, known, next := c.census.told(now)
	due, later := c.ledger.begin(now, func(d *debt) bool { return d.sworn || known }, maxSweeps)
	for _, d := range due {
		c.background("sweep", func() error { c.sweep(d); return nil })
	}
	for _, t := range []time.Time{later, c.startSearch(now, known)} {
		if next.IsZero() || !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	return next
}

// startSearch starts one search at a time, and says when the next is due.
func (c *Core) startSearch(now time.Time, known bool) time.Time {
	s := c.ledger.lookFor(now, known)
	if len(s.executors) == 0 && !s.compare {
		return s.next
	}
	if !c.searching.CompareAndSwap(false, true) {
		return time.Time{} // its end wakes
	}
	if s.compare {
		c.ledger.comparing()
	}
	c.background("search", func() error {
		err := guard.Call(func() error {
			c.inject("search")
			return c.search(s)
		})
		switch {
		case err == nil, c.ctx.Err() != nil:
		case down(err):
			c.engineDown(err)
		default:
			c.report("search", err)
			c.metrics.failures.Add(1)
			if c.said.first("search " + err.Error()) {
				c.log.WithError(err).Warn("dce: what is left can't be looked for; it is tried again and again")
			}
			c.pause(searchPause)
		}
		if err != nil && s.compare {
			c.ledger.compareAt(time.Now())
		}
		c.searching.Store(false)
		poke(c.ledger.wake)
		return nil
	})
	return time.Time{}
}

func (c *Core) match() reaper.Match {
	return reaper.Match{Scope: c.census.scopeName(), CgroupRoots: c.roots, KeepVolumes: !c.reapVolumes}
}

// search finds the runs of executors that were removed, and those that nothing owns. Each becomes a debt.
func (c *Core) search(s search) error {
	ctx, cancel := context.WithTimeout(c.ctx, lookPatience)
	defer cancel()
	e, err := c.link.get(ctx)
	if err != nil {
		return err
	}
	m := c.match()
	if len(s.executors) == 1 && !s.compare {
		m.Framework, m.Executor = s.executors[0].Framework, s.executors[0].Executor
	}
	seen, err := c.look(ctx, e, m)
	if err != nil {
		return err
	}
	ctx = c.ctx // each question that follows has a limit of its own, so that those which hang hold up nobody but themselves
	by := seen.ByExecutor()
	var found, waiting []removedExecutor
	var doubted reaper.Live // what may live, for those whom the agent has not told in this life
	for _, one := range s.executors {
		match := c.match()
		match.Framework, match.Executor, match.Before = one.Framework, one.Executor, one.At
		live := c.census.alive()
		if one.resumed {
			if doubted == nil {
				if doubted, err = c.alive(ctx, seen); err != nil {
					return err
				}
			}
			live = doubted
		}
		plan, err := c.plan(ctx, e, match, by[[2]string{one.Framework, one.Executor}], live)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(plan.Left, func(l reaper.Left) bool { return !l.Until.IsZero() }) {
			waiting = append(waiting, one)
		} else {
			found = append(found, one)
		}
		for _, run := range append(plan.Runs(), c.census.runsOf(one.Framework, one.Executor, one.At)...) {
			c.ledger.owe(debt{Container: run, Cause: "its executor was removed", Whole: true, Since: one.At, Next: time.Now(), sworn: !one.resumed}, nil)
		}
	}
	if s.compare {
		if err := c.compare(ctx, e, seen); err != nil {
			return err
		}
	}
	c.ledger.found(found, waiting, time.Now())
	return nil
}

// compare finds the orphans: what is labelled for this agent and belongs to no container that lives.
func (c *Core) compare(ctx context.Context, e reaper.Engine, seen reaper.Observed) error {
	live, err := c.alive(ctx, seen)
	if err != nil {
		return err
	}
	match := c.match()
	match.Grace = c.grace
	plan, err := c.plan(ctx, e, match, seen, live)
	if err != nil {
		return err
	}
	for _, run := range plan.Runs() {
		if c.ledger.owes(run) {
			continue
		}
		c.metrics.orphans.Add(1)
		c.log.WithField("container", run).Info("dce: a pod was found that no container of the agent owns")
		c.ledger.owe(debt{Container: run, Cause: "no container of the agent owns it", Whole: true, Since: time.Now(), Next: time.Now()}, nil)
	}
	next := time.Now().Add(c.reconcileInterval)
	for _, left := range plan.Left {
		if !left.Until.IsZero() && left.Until.Before(next) {
			next = left.Until
		}
	}
	c.ledger.compareAt(next)
	return nil
}

func (c *Core) plan(ctx context.Context, e reaper.Engine, m reaper.Match, seen reaper.Observed, live reaper.Live) (reaper.Plan, error) {
	seen, err := reaper.Ask(ctx, e, m, seen, live)
	if err != nil {
		return reaper.Plan{}, err
	}
	plan := reaper.NewPlan(m, seen, live, time.Now())
	for _, left := range plan.Left {
		if left.Until.IsZero() && c.said.first(left.ID+left.Cause) {
			c.log.WithField("cause", left.Cause).Warn("dce: left alone: " + left.What())
		}
	}
	return plan, nil
}

// alive is what lives: what the agent has, or where only the hook is loaded what has a process. What the agent has is not wholly
// known after a fault at a launch or the recovery; then both count.
func (c *Core) alive(ctx context.Context, seen reaper.Observed) (reaper.Live, error) {
	byAgent, _, _ := c.census.told(time.Now())
	if byAgent && !c.census.isDoubted() {
		return c.census.alive(), nil
	}
	live, err := reaper.LiveRuns(ctx, c.proc, c.host, c.match(), seen)
	if err == nil && byAgent {
		maps.Copy(live, c.census.alive())
	}
	return live, err
}
