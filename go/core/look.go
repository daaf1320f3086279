package core

import (
	"context"
	"sync"

	"github.com/dce-go/dce/go/core/guard"
	"github.com/dce-go/dce/go/reaper"
)

// looks lets those who want to look at the same time look once: a look that begins after the wish serves it.
type looks struct {
	mu      sync.Mutex
	waiting []*wish
	looking bool
}

type wish struct {
	match reaper.Match
	done  chan struct{}
	seen  reaper.Observed
	err   error
}

// look returns what is there of a match, and maybe more.
func (c *Core) look(ctx context.Context, e reaper.Engine, m reaper.Match) (reaper.Observed, error) {
	w := &wish{match: m, done: make(chan struct{})}
	c.looks.mu.Lock()
	c.looks.waiting = append(c.looks.waiting, w)
	start := !c.looks.looking
	c.looks.looking = true
	c.looks.mu.Unlock()
	if start {
		c.background("look", func() error { return c.serve(e) })
	}
	select {
	case <-w.done:
		return w.seen, w.err
	case <-ctx.Done():
		return reaper.Observed{}, ctx.Err()
	}
}

// serve looks until nobody waits: for one as narrowly as it can, for several at the whole scope.
func (c *Core) serve(e reaper.Engine) error {
	for {
		c.looks.mu.Lock()
		var wishes, others []*wish
		for _, w := range c.looks.waiting { // of one scope: that of the agent is told late, and nothing is seen in another
			if len(wishes) == 0 || w.match.Scope == wishes[0].match.Scope {
				wishes = append(wishes, w)
			} else {
				others = append(others, w)
			}
		}
		c.looks.waiting = others
		c.looks.looking = len(wishes) > 0
		c.looks.mu.Unlock()
		if len(wishes) == 0 {
			return nil
		}
		m := wishes[0].match
		if len(wishes) > 1 {
			m = reaper.Match{Scope: m.Scope, CgroupRoots: m.CgroupRoots}
		}
		var seen reaper.Observed
		err := guard.Call(func() (err error) {
			c.inject("look")
			ctx, cancel := context.WithTimeout(c.ctx, lookPatience)
			defer cancel()
			seen, err = reaper.Observe(ctx, e, c.host, m)
			return err
		})
		for _, w := range wishes {
			w.seen, w.err = seen, err
			close(w.done)
		}
	}
}
