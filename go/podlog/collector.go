// Package podlog collects what the containers of a pod write: raw into one file a service in the sandbox, and line by line
// with the service's name before it into one writer. It keeps the last lines of each service for messages about failures.
// It never decides anything and never stops a container.
package podlog

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// Source is what a Collector needs of an engine; engine.Gateway has it.
type Source interface {
	Logs(ctx context.Context, id string, since time.Time, sink func(engine.LogEntry) error) error
}

const (
	firstPause = 100 * time.Millisecond // before a broken stream is opened again; doubles
	lastPause  = 5 * time.Second
)

// Collector follows containers. Its methods may be called from any goroutine; only Drain and Close wait.
type Collector struct {
	source Source
	dir    string
	out    *lineWriter
	log    logrus.FieldLogger
	ctx    context.Context
	cancel context.CancelFunc

	mu         sync.Mutex
	containers map[string]*follower // by id
	services   map[string]*service
	active     int
	idle       chan struct{} // closed when active is 0
}

// follower is one container, from its first start on; its position outlives single runs.
type follower struct {
	position
	id      string
	service *service
	follows bool
	again   bool          // another run is to be followed after this one
	ended   chan struct{} // closed when it was seen ended, after this run began
}

func (f *follower) end() {
	select {
	case <-f.ended:
	default:
		close(f.ended)
	}
}

// New returns a collector that writes the files <dir>/<service>.log, a directory in the sandbox, and lines "<service> | <line>" to out. The
// directory is made when the first container is followed.
func New(source Source, dir string, out io.Writer, log logrus.FieldLogger) *Collector {
	ctx, cancel := context.WithCancel(context.Background())
	idle := make(chan struct{})
	close(idle)
	return &Collector{
		source: source, dir: dir, out: &lineWriter{w: out}, log: log, ctx: ctx, cancel: cancel,
		containers: map[string]*follower{}, services: map[string]*service{}, idle: idle,
	}
}

// Follow begins to collect the output of a service's container, from its start. A container that is followed already, or
// that has ended and was read to its end, is left alone. It returns at once.
func (c *Collector) Follow(s engine.ContainerState) {
	if s.Role == labels.RoleInfra {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f, over := c.containers[s.ID], s.Status == engine.StatusExited || s.Status == engine.StatusDead
	switch {
	case c.ctx.Err() != nil:
		return
	case f == nil:
		f = &follower{id: s.ID, service: c.service(s.Service)}
		c.containers[s.ID] = f
	case f.follows && !over && isClosed(f.ended): // it was started again before the end of its last run was read
		f.again = true
		return
	case f.follows || over:
		if over {
			f.end()
		}
		return
	}
	c.begin(f, over)
}

// begin follows a run of a container, which may be over. The caller holds the lock.
func (c *Collector) begin(f *follower, over bool) {
	f.follows, f.again, f.ended = true, false, make(chan struct{})
	if over {
		f.end()
	}
	if c.active == 0 {
		c.idle = make(chan struct{})
	}
	c.active++
	go c.follow(f, f.ended)
}

// Tail returns the last lines of a service's output, at most ten, each cut to a length that fits into a message.
func (c *Collector) Tail(name string) []string {
	c.mu.Lock()
	s := c.services[name]
	c.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.tail.lines()
}

// Drain waits until everything of the containers that are followed is written, or until ctx ends. A container is followed
// until it has ended.
func (c *Collector) Drain(ctx context.Context) {
	c.mu.Lock()
	idle := c.idle
	c.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}

// Close ends all following and waits for it.
func (c *Collector) Close() {
	c.mu.Lock()
	c.cancel()
	idle := c.idle
	c.mu.Unlock()
	<-idle
}

func (c *Collector) service(name string) *service {
	s := c.services[name]
	if s == nil {
		s = &service{name: name, log: c.log.WithField("service", name), dir: c.dir}
		c.services[name] = s
	}
	return s
}

// follow reads one run of a container. A stream that ends without an error may have ended because the engine shut down
// while the container lives on; so it is opened once more, unless the container was known to have ended before.
func (c *Collector) follow(f *follower, over <-chan struct{}) {
	defer c.leave(f)
	f.service.open()
	defer f.service.close()
	lines := newAssembler(f.service.name, c.out, &f.service.tail)
	defer lines.flush()
	pause, quiet := firstPause, 0
	for {
		ended, fresh := isClosed(over), false
		f.reopen()
		err := c.source.Logs(c.ctx, f.id, f.last, func(e engine.LogEntry) error {
			if data := f.fresh(e); len(data) > 0 {
				fresh = true
				f.service.write(data)
				lines.write(e.Stderr, data)
			}
			return c.ctx.Err()
		})
		if fresh {
			pause, quiet = firstPause, 0
		}
		early := over // the end of the container ends the pause
		switch {
		case c.ctx.Err() != nil, errdefs.IsNotFound(err), err == nil && ended:
			return
		case err != nil:
			c.log.WithError(err).WithField("service", f.service.name).Debug("A log stream broke; it is opened again.")
			early = nil
		case !fresh:
			if quiet++; quiet > 1 { // nobody said so, but it has ended
				return
			}
		}
		select {
		case <-c.ctx.Done():
			return
		case <-early:
		case <-time.After(pause):
			pause = min(2*pause, lastPause)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (c *Collector) leave(f *follower) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.follows = false
	if f.again && c.ctx.Err() == nil {
		c.begin(f, false)
	}
	c.active--
	if c.active == 0 {
		close(c.idle)
	}
}
