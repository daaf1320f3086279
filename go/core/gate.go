package core

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/dce-go/dce/go/core/guard"
)

// The pauses between two questions to an engine that is down.
const (
	firstProbe   = 100 * time.Millisecond
	longestProbe = time.Second
)

// gate is closed while the engine is down: then nothing is tried in vain, and one goroutine looks for its return.
type gate struct {
	mu    sync.Mutex
	cause error // nil: open
	falls int   // how often it was closed
}

func (g *gate) why() error {
	_, err := g.state()
	return err
}

func (g *gate) state() (falls int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.falls, g.cause
}

// since does something unless the gate was closed since so many falls.
func (g *gate) since(falls int, do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.falls == falls {
		do()
	}
}

// engineDown closes the gate, unless it is closed.
func (c *Core) engineDown(err error) {
	c.gate.mu.Lock()
	closed := c.gate.cause != nil
	if !closed {
		c.gate.cause = failure(Unavailable, "the engine can't be reached, so that what is owed waits: %w", err)
		c.gate.falls++
		c.known.Store(nil) // it may come back with another cgroup driver
	}
	c.gate.mu.Unlock()
	if closed {
		return
	}
	c.log.WithError(err).Warn("dce: the engine can't be reached; what is owed waits for it")
	poke(c.ledger.wake) // who waits for what was not begun is to be told
	c.background("probe", c.probe)
}

// probe opens the gate when the engine answers.
func (c *Core) probe() error {
	for pause := firstProbe; ; pause = min(2*pause, longestProbe) {
		c.pause(pause/2 + rand.N(pause/2))
		if c.ctx.Err() != nil {
			return nil // closed, and the engine still down
		}
		err := guard.Call(func() error {
			c.inject("probe")
			ctx, cancel := context.WithTimeout(c.ctx, lookPatience)
			defer cancel()
			if _, err := c.link.get(ctx); err != nil {
				return err
			}
			_, err := c.link.made().Info(ctx)
			return err
		})
		c.report("probe", err)
		if err == nil {
			break
		}
	}
	c.gate.mu.Lock()
	c.gate.cause = nil
	c.gate.mu.Unlock()
	c.log.Info("dce: the engine answers")
	poke(c.ledger.wake)
	return nil
}
