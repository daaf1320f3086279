package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
)

// RestartOn says which ends of a container its restart policy is about.
type RestartOn string

// Values of RestartOn.
const (
	RestartNever     RestartOn = ""
	RestartOnFailure RestartOn = "on-failure" // an exit code other than 0
	RestartAlways    RestartOn = "always"
)

// Restart is the restart policy of a service. The engine is never given one, it would bring containers back behind our back:
// whoever watches the pod honours it, with Pod.Restart.
type Restart struct {
	On       RestartOn
	Attempts int           // at most so many restarts; 0 for as many as it takes
	Delay    time.Duration // before each restart; 0 for a backoff
	Window   time.Duration // a restart after which the container ran for so long does not count as one; 0: all count
}

// After says whether the policy is about an end with that exit code.
func (r Restart) After(exitCode int) bool {
	return r.On == RestartAlways || r.On == RestartOnFailure && exitCode != 0
}

// Restart starts a container of the pod that has ended. From now on the pod's watchers see it as restarting, and as one run
// further (ContainerState.Runs), so that nobody takes the last end for that of the new run. A container that is gone
// is an *OpError.
func (p *Pod) Restart(ctx context.Context, spec PodSpec, name string) error {
	var c *ContainerSpec
	for i := range spec.Services {
		if spec.Services[i].Name == name {
			c = &spec.Services[i]
		}
	}
	if c == nil {
		return fmt.Errorf("pod %s has no container %s", spec.ID, name)
	}
	sub := p.subscribe(spec.ID)
	defer sub.close()
	seen, err := sub.first(ctx)
	for err != nil && ctx.Err() == nil { // the engine is out of reach: there is nothing to start until it answers
		seen, err = sub.first(ctx)
	}
	if err != nil {
		return err
	}
	id := ""
	for _, s := range seen.Containers {
		if s.Name == name {
			id = s.ID
		}
	}
	if id == "" {
		return goneError(c)
	}
	making, cancel := detached(ctx)
	defer cancel()
	sub.feed.restarting(id)
	err = p.Gateway.Start(making, id)
	sub.feed.restarted(id, err == nil)
	switch {
	case err == nil:
		return nil
	case errdefs.IsUnavailable(err):
		return err
	}
	asking, cancelAsking := context.WithTimeout(making, linger)
	defer cancelAsking()
	return explain(asking, &Op{Kind: OpStart, Container: c}, err, p.Gateway.Info)
}

// restarting notes that a container is about to be started again.
func (f *feed) restarting(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, known := f.seen[id]
	if !known || s.Status == StatusRunning {
		return
	}
	s.before, s.starting = s.Status, true
	s.Status, s.Health, s.OOM, s.died = StatusRestarting, HealthUnknown, false, time.Time{}
	s.Runs++
	s.At = time.Now()
	f.seen[id] = s
	f.tell(id)
}

// restarted ends what restarting began. A list that was read meanwhile may have been too early to show the new run, and the
// stream may have broken: then the pod is read once more.
func (f *feed) restarted(id string, ok bool) {
	f.mu.Lock()
	s, known := f.seen[id]
	if !known || !s.starting {
		f.mu.Unlock()
		return
	}
	again := ok && s.stale
	s.starting, s.stale = false, false
	if !ok && s.Status == StatusRestarting {
		s.Status = s.before
		s.Runs--
	}
	f.seen[id] = s
	f.tell(id)
	f.mu.Unlock()
	if again {
		select {
		case f.again <- struct{}{}:
		default:
		}
	}
}

// tell gives the subscribers one container. The caller holds the lock.
func (f *feed) tell(id string) {
	for s := range f.subs {
		s.changed[id] = f.seen[id].ContainerState
		s.signal()
	}
}
