package core

import (
	"context"
	"errors"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/core/guard"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/reaper"
)

// sweep pays one debt, or notes why it could not.
func (c *Core) sweep(d debt) {
	var next *debt
	err := guard.Call(func() error {
		c.inject("sweep")
		if err := c.cleanUp(d); err != nil {
			return err
		}
		next = c.following(d)
		return nil
	})
	log := c.log.WithFields(logrus.Fields{"container": d.Container, "cause": d.Cause})
	var incomplete *reaper.IncompleteError // one that hangs does not mean that the engine does
	switch {
	case c.ctx.Err() != nil:
		return // the journal has it
	case down(err) && !errors.As(err, &incomplete):
		c.engineDown(err)
		c.ledger.postpone(d.Container, err)
		return
	case err != nil:
		c.report("sweep", err)
		c.metrics.failures.Add(1)
		log.WithError(err).Warn("dce: not everything could be removed; it is tried again")
	}
	if c.ledger.finish(d.Container, err, next, time.Now()) {
		c.census.forget(d.Container)
	}
}

// following decides what follows a clean-up that left nothing: a second look, for what the engine was still creating, and the run's
// own cgroup once the agent has done with it. nil is for nothing: what the agent has is owed again at its cleanup.
func (c *Core) following(d debt) *debt {
	if c.census.lives(d.Container) {
		return nil
	}
	next := &debt{Container: d.Container, Cause: d.Cause, Whole: d.Whole, Since: d.Since, sworn: d.sworn, last: true, Next: time.Now().Add(lateAfter)}
	if d.last {
		if d.Whole || !c.cgroupLeft(d.Container) {
			return nil
		}
		next.Whole, next.Next = true, time.Now()
		if !c.agentIsDone(d.Container) {
			next.Next = next.Next.Add(agentPatience)
		}
	}
	return next
}

// cgroupLeft says whether the agent has yet to remove its cgroup of a run.
func (c *Core) cgroupLeft(run string) bool {
	for _, root := range c.roots {
		if there, err := c.host.Exists(root + "/" + run); err != nil || there {
			return true
		}
	}
	return false
}

// agentIsDone says whether the agent has removed its own cgroups of a run. Where it is not known which they are, as of what an agent
// with a new id finds, those of its launcher and of its memory isolator stand for all, which it removes one right after the other
// (Mesos: src/slave/containerizer/mesos/linux_launcher.cpp, destroy; isolators/cgroups/cgroups.cpp, cleanup).
func (c *Core) agentIsDone(run string) bool {
	own := c.roots[0] + "/" + run
	kept := c.census.keptOf(run)
	for dir := range reaper.Hierarchies(c.host, own) {
		if kept[dir] {
			return false
		}
	}
	if kept != nil {
		return true
	}
	for _, controller := range []string{"freezer", "memory"} {
		hi, err := c.host.Hierarchy(controller)
		if err != nil || hi.Unified || reaper.Hierarchies(c.host, own)[hi.Dir] {
			return false
		}
	}
	return true
}

// engine is the engine, connected within the time of a look.
func (c *Core) engine(ctx context.Context) (reaper.Engine, error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	return c.link.get(ctx)
}

func (c *Core) cleanUp(d debt) error {
	ctx, cancel := context.WithTimeout(c.ctx, sweepPatience)
	defer cancel()
	e, err := c.engine(ctx)
	if err != nil {
		return err
	}
	s := reaper.Sweeper{
		Engine: e, Cgroups: c.host, Slots: c.slots, Attempt: callAttempt, Patience: sweepPatience,
		Look: func(ctx context.Context, m reaper.Match) (reaper.Observed, error) {
			seen, err := c.look(ctx, e, m)
			if down(err) {
				// Not to be tried again by the sweep: the gate waits for the engine, for all.
				err = failure(Unavailable, "%v", err)
			}
			return seen, err
		},
		Live: func(ctx context.Context, seen reaper.Observed) (reaper.Live, error) {
			if d.sworn {
				return c.census.alive(), nil
			}
			return c.alive(ctx, seen)
		},
	}
	if !d.Whole {
		s.Keep = c.census.keeps
	}
	m := c.match()
	m.Container, m.Cause = d.Container, d.Cause
	if c.dryRun {
		plan, err := s.Plan(ctx, m)
		for _, one := range plan.Removals {
			c.log.WithField("container", d.Container).Info("dce: dry run, it would " + one.String())
		}
		return err
	}
	report, err := s.Sweep(ctx, m)
	c.account(d, report)
	return err
}

// account counts and logs what was removed.
func (c *Core) account(d debt, report reaper.Report) {
	count := map[engine.Kind]int{}
	for _, one := range report.Removed {
		count[one.Kind]++
		c.log.WithField("container", d.Container).Debug("dce: removed " + one.What())
	}
	c.metrics.reaped.Add(int64(count[engine.KindContainer]))
	if len(report.Removed) > 0 {
		c.log.WithFields(logrus.Fields{"container": d.Container, "cause": d.Cause, "containers": count[engine.KindContainer],
			"networks": count[engine.KindNetwork], "volumes": count[engine.KindVolume], "cgroups": count[reaper.KindCgroup]}).
			Info("dce: removed what was left")
	}
	for _, left := range report.Left {
		if c.said.first(left.ID + left.Cause) {
			c.log.WithField("cause", left.Cause).Warn("dce: left alone: " + left.What())
		}
	}
}
