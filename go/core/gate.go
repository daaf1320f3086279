package core

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/core/guard"
)

// The pauses between two questions to an engine that is down.
const (
	firstProbe   = 100 * time.Millisecond
	longestProbe = time.Second
	// steady is how long an engine answers that is back. One that falls again before answers some questions and not others: the
	// pauses go on growing then, and it is said once.
	steady = 10 * time.Second
)

// gate is closed while the engine is down: then nothing is tried in vain, and one goroutine looks for its return.
type gate struct {
	mu     sync.Mutex
	cause  error // nil: open
	falls  int   // how often it was closed
	opened time.Time
	pause  time.Duration // before the next question
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

// fall closes the gate, and says whether it was open and the engine had been back for a while.
func (g *gate) fall(cause error) (open, news bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause != nil {
		return false, false
	}
	g.cause = cause
	g.falls++
	if news = time.Since(g.opened) >= steady; news {
		g.pause = firstProbe
	}
	return true, news
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cause, g.opened = nil, time.Now()
}

// waited doubles the pause and returns what it was.
func (g *gate) waited() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	pause := g.pause
	g.pause = min(2*pause, longestProbe)
	return pause
}

// engineDown closes the gate, unless it is closed.
func (c *Core) engineDown(err error) {
	open, news := c.gate.fall(failure(Unavailable, "the engine can't be reached, so that what is owed waits: %w", err))
	if !open {
		return
	}
	c.known.Store(nil) // it may come back with another cgroup driver
	level := logrus.DebugLevel
	if news {
		level = logrus.WarnLevel
	}
	c.log.WithError(err).Log(level, "dce: the engine can't be reached; what is owed waits for it")
	poke(c.ledger.wake) // who waits for what was not begun is to be told
	c.background("probe", func() error { return c.probe(level) })
}

// probe opens the gate when the engine answers.
func (c *Core) probe(level logrus.Level) error {
	for {
		pause := c.gate.waited()
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
	c.gate.open()
	c.log.Log(max(level, logrus.InfoLevel), "dce: the engine answers")
	poke(c.ledger.wake)
	return nil
}
