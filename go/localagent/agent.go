package localagent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"golang.org/x/sys/unix"
)

// state of the agent, src/slave/slave.hpp, Slave::State. A real agent that is down has no process.
type state int

const (
	down       state = iota // nothing listens
	recovering              // every call gets 503: Slave::RECOVERING before recoveryInfo.reconnect
	reconnect               // executors may subscribe, all else gets 503: Slave::RECOVERING after it
	serving                 // Slave::RUNNING
)

// Agent is a running agent. Its methods may be called from several goroutines.
type Agent struct {
	options  Options
	host     string // address of the agent, without the port
	endpoint string // ip:port, the same after a restart

	mu        sync.Mutex
	up        sync.Cond // signalled when state leaves down, and on Close
	state     state
	lives     int  // counts the ends of the agent, so that a timer of one life does nothing in another
	closing   bool // Close has begun
	over      bool // nothing is reported any more
	server    *server
	executors map[string]*run // by executor id
	recovery  []*time.Timer   // of a restart
	acks      acks
	updates   []Update
	changed   chan struct{} // closed and replaced when updates grows, closed for good by Close
	held      bool          // scheduler acknowledgements are held back

	running sync.WaitGroup // goroutines that Close waits for
}

// New starts an agent that serves at Options.Address. Close it.
func New(o Options) (*Agent, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.WorkDir, 0o755); err != nil {
		return nil, fmt.Errorf("the work directory can't be made: %w", err)
	}
	a := &Agent{options: o, executors: map[string]*run{}, changed: make(chan struct{})}
	a.up.L = &a.mu
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.listen(o.Address); err != nil {
		return nil, err
	}
	a.state = serving
	return a, nil
}

// Endpoint is "ip:port" of the agent.
func (a *Agent) Endpoint() string { return a.endpoint }

// ID of the agent.
func (a *Agent) ID() string { return a.options.AgentID }

// WorkDir is what executors take for the scope of their labels.
func (a *Agent) WorkDir() string { return a.options.WorkDir }

// FrameworkID of the only framework.
func (a *Agent) FrameworkID() string { return a.options.Framework.ID.Value }

// Close kills every executor with all that is in its cgroup, stops serving and closes the channels of Updates. Sandboxes
// stay. The agent's cgroup root goes unless somebody else uses it.
func (a *Agent) Close() error {
	a.mu.Lock()
	if a.closing {
		a.mu.Unlock()
		return nil
	}
	a.closing = true
	a.up.Broadcast()
	a.stopTimers()
	var runs []*run
	for _, e := range a.executors {
		runs = append(runs, e)
	}
	a.mu.Unlock()
	for _, e := range runs {
		a.terminate(e.container, nil)
		<-e.container.gone
	}
	a.mu.Lock()
	server := a.server
	a.server = nil
	a.over = true
	close(a.changed)
	a.mu.Unlock()
	if server != nil {
		server.close()
	}
	a.running.Wait()
	return a.removeRoot()
}

// removeRoot removes the agent's own directories in all hierarchies, also where only the engine has used them, as far as
// they are empty: another agent may use the same. Mesos leaves its own.
func (a *Agent) removeRoot() error {
	roots := []string{a.cgroupPath("")}
	if a.unified() {
		roots = append(roots, PodRoot)
	}
	for _, hi := range a.options.Cgroups.Hierarchies() {
		for _, root := range roots {
			if err := unix.Rmdir(filepath.Join(hi.Dir, root)); err != nil && !missing(err) && !busy(err) {
				return fmt.Errorf("the agent's cgroup %s in %s can't be removed: %w", root, hi.Dir, err)
			}
		}
	}
	return nil
}

// terminate begins the end of a container; only the first call counts. why is nil when the executor simply ended.
// Follows src/slave/containerizer/mesos/containerizer.cpp, destroy.
func (a *Agent) terminate(c *Container, why *termination) {
	c.once.Do(func() {
		c.termination = why
		close(c.destroying)
	})
}

// supervise follows a container to its end: the process is reaped, everything else in the container destroyed, its tasks
// reported. Follows src/slave/containerizer/mesos/containerizer.cpp, reaped and destroy.
func (a *Agent) supervise(e *run) {
	c := e.container
	a.running.Go(func() {
		if c.cmd != nil {
			// The error is the exit status, which the container keeps.
			_ = c.cmd.Wait()
			close(c.exited)
			a.whileUp(func() {}) // a dead agent learns of it when it recovers
		} else {
			close(c.exited)
		}
		a.terminate(c, nil)
	})
	a.running.Go(func() {
		defer close(c.gone)
		<-c.destroying
		err := a.destroy(c)
		if err != nil {
			a.options.Log.WithError(err).WithField("container", c.ID).Error("The container could not be destroyed")
		} else {
			<-c.exited
		}
		close(c.silent)
		c.copied.Wait()
		a.whileUp(func() { a.executorTerminated(e, err) })
	})
}

// whileUp calls f under the lock as soon as the agent is not down, or is being closed.
func (a *Agent) whileUp(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.state == down && !a.closing {
		a.up.Wait()
	}
	f()
}

// Destroy kills the executor with everything in its cgroup at once, as the agent does after the shutdown grace.
func (a *Agent) Destroy(executorID string) error {
	e, err := a.find(executorID)
	if err != nil {
		return err
	}
	a.terminate(e.container, nil)
	return nil
}

// Wait waits until the container is gone.
func (c *Container) Wait(ctx context.Context) error {
	select {
	case <-c.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the executor in container %s has not ended: %w", c.ID, ctx.Err())
	}
}

func (a *Agent) find(executorID string) (*run, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e, ok := a.executors[executorID]; ok {
		return e, nil
	}
	return nil, fmt.Errorf("the local agent runs no executor %q", executorID)
}

func (a *Agent) shutdownGrace(info mesos.ExecutorInfo) time.Duration {
	if g := info.GetShutdownGracePeriod(); g != nil {
		return time.Duration(g.Nanoseconds)
	}
	return a.options.ShutdownGrace
}

// after runs f under the lock once d has passed, unless the agent goes down or is closed before.
func (a *Agent) after(d time.Duration, f func()) *time.Timer {
	life := a.lives
	return time.AfterFunc(d, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.lives == life && !a.closing {
			f()
		}
	})
}

// stopTimers stops what a dead agent would not do any more; the lock is held.
func (a *Agent) stopTimers() {
	for _, t := range a.recovery {
		t.Stop()
	}
	a.recovery = nil
	for _, e := range a.executors {
		for _, t := range e.timers {
			t.Stop()
		}
		e.timers = nil
	}
}

var errClosed = errors.New("the local agent is closed")
