package core

import (
	"context"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/semaphore"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/core/guard"
	"github.com/dce-go/dce/go/reaper"
)

// Options are what a core is given beside the module's parameters. The zero value is this machine.
type Options struct {
	Log     io.Writer          // required
	Cgroups *cgroup.Host       // default: this host's
	Proc    string             // default "/proc"
	Connect Connect            // default: the engine that the parameters name
	Inject  func(point string) // called at the beginning of everything, for tests that let it panic; default: nothing
}

// Core is an open core. Its methods may be called from several goroutines.
type Core struct {
	parameters
	log    *logrus.Logger
	host   *cgroup.Host
	proc   string
	inject func(string)

	ctx       context.Context
	cancel    context.CancelFunc
	crew      crew
	calls     calls
	metrics   metrics
	census    census
	ledger    ledger
	journal   journal
	link      *link
	known     atomic.Pointer[string] // the engine's cgroup driver
	looks     looks
	watches   watches
	gate      gate
	searching atomic.Bool
	slots     *semaphore.Weighted // calls to the engine at a time
	said      said
}

// closePatience is how long Close waits for goroutines of the background, which have nothing to lose.
const closePatience = 500 * time.Millisecond

// Open opens a core with the module's parameters, a JSON object of strings. It asks no engine.
func Open(config []byte, o Options) (*Core, error) {
	p, err := parseParameters(config)
	if err != nil {
		return nil, err
	}
	c := &Core{parameters: p, log: logrus.New(), host: o.Cgroups, proc: o.Proc, inject: o.Inject,
		slots: semaphore.NewWeighted(reaper.Parallel)}
	c.log.SetOutput(o.Log)
	c.log.SetLevel(p.level)
	c.log.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true})
	if c.proc == "" {
		c.proc = "/proc"
	}
	if c.inject == nil {
		c.inject = func(string) {}
	}
	if c.host == nil {
		if c.host, err = cgroup.Open(cgroup.Options{}); err != nil {
			return nil, failure(Failed, "the cgroups of this host can't be used: %w", err)
		}
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.calls.open = map[*call]bool{}
	c.census.open(p.workDir, c.proc)
	c.ledger.open()
	c.watches.runs = map[string]*memoryWatch{}
	c.link = newLink(o.Connect, p.dockerHost, &c.metrics)
	c.journal.path = filepath.Join(p.runtimeDir, "isolators", "org_apache_mesos_ComposePodIsolator", "journal.json")
	c.resume()
	c.checkRoot()
	c.background("work", func() error { return c.keepAlive("work", c.work) })
	c.background("journal", func() error { return c.keepAlive("journal", c.keepJournal) })
	c.log.WithFields(logrus.Fields{"roots": p.roots, "dry_run": p.dryRun, "work_dir": c.census.scopeName()}).Info("dce: the core is open")
	return c, nil
}

// keepAlive runs one of the loops of the core again where it panicked.
func (c *Core) keepAlive(what string, loop func() error) error {
	for c.ctx.Err() == nil {
		err := guard.Call(loop)
		c.report(what, err)
		c.pause(time.Second)
		poke(c.ledger.dirty) // what it was about to write is still to be written
	}
	return nil
}

// pause waits for d, or for the close.
func (c *Core) pause(d time.Duration) {
	select {
	case <-c.ctx.Done():
	case <-time.After(d):
	}
}

// Close ends a core: what is under way ends with Closed, and no Done runs after the return. What is owed is in the journal and
// in the labels. It returns Closed where it was called before.
func (c *Core) Close() Status {
	if !c.calls.close() {
		return Closed
	}
	c.cancel()
	c.unwatchAll()
	select {
	case <-c.crew.gone():
	case <-time.After(closePatience):
	}
	c.link.close()
	return OK
}

// said remembers what was logged, so that a state that lasts is said once.
type said struct {
	mu   sync.Mutex
	what map[string]bool
}

// maxSaid bounds what is remembered.
const maxSaid = 10000

// first says whether something is new.
func (s *said) first(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.what == nil || len(s.what) >= maxSaid {
		s.what = map[string]bool{}
	}
	was := s.what[what]
	s.what[what] = true
	return !was
}

// crew counts the goroutines of the background.
type crew struct {
	mu    sync.Mutex
	count int
	empty chan struct{} // closed when nobody is left; nil until somebody waits for that
}

func (w *crew) run(f func()) {
	w.mu.Lock()
	w.count++
	w.mu.Unlock()
	go func() {
		defer func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.count--; w.count == 0 && w.empty != nil {
				close(w.empty)
				w.empty = nil
			}
		}()
		f()
	}()
}

func (w *crew) gone() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	empty := make(chan struct{})
	if w.count == 0 {
		close(empty)
	} else {
		w.empty = empty
	}
	return empty
}
