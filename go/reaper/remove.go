package reaper

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sync/semaphore"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/core/guard"
	"github.com/dce-go/dce/go/engine"
)

// The pauses between two attempts, which double and vary at random.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
)

// remover carries a plan out, and decides nothing.
type remover struct {
	engine  Engine
	cgroups runCgroups
	slots   *semaphore.Weighted // calls to the engine at a time; first come, first served, so that what hangs holds up nobody for long
	attempt time.Duration       // of one call
	grace   time.Duration       // of what still runs
	mu      sync.Mutex
	removed []Removal
	failed  []Failure
}

// run removes all that is planned: runs side by side, within a run stage after stage, within a stage side by side.
func (r *remover) run(ctx context.Context, plan Plan) error {
	var all guard.Group
	for start := 0; start < len(plan.Removals); {
		end := start
		for end < len(plan.Removals) && plan.Removals[end].Run == plan.Removals[start].Run {
			end++
		}
		own := plan.Removals[start:end]
		all.Go(func() error { return r.stages(ctx, own) })
		start = end
	}
	return all.Wait()
}

func (r *remover) stages(ctx context.Context, own []Removal) error {
	for start := 0; start < len(own); {
		var stage guard.Group
		end := start
		for end < len(own) && stages[own[end].Kind] == stages[own[start].Kind] {
			one := own[end]
			stage.Go(func() error {
				r.note(one, guard.Call(func() error { return r.one(ctx, one) }))
				return nil
			})
			end++
		}
		if err := stage.Wait(); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// note keeps the outcome.
func (r *remover) note(one Removal, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.failed = append(r.failed, Failure{Removal: one, Err: err})
		return
	}
	r.removed = append(r.removed, one)
}

// one removes one thing, with further attempts where they may help.
func (r *remover) one(ctx context.Context, one Removal) error {
	slots := r.slots
	if one.Kind == KindCgroup { // no call to the engine, and so made beside those that wait for it
		slots = removals
	}
	pause := firstPause
	for n := 1; ; n++ {
		if err := slots.Acquire(ctx, 1); err != nil {
			return fmt.Errorf("the sweep ended before its turn: %w", err)
		}
		err := r.act(ctx, one, n > 1, slots)
		if err == nil || ctx.Err() != nil || n >= attempts(err) || !sleep(ctx, pause) {
			return err
		}
		pause = min(2*pause, longestPause)
	}
}

// attempts is how many may be made at what ends in such an error. What an engine does not answer to is tried until the sweep
// ends; a cgroup had its time to become empty.
func attempts(err error) int {
	var busy *cgroup.BusyError
	var fault *guard.PanicError
	switch {
	case errdefs.IsInvalidArgument(err), errors.As(err, &fault):
		return 1
	case errors.As(err, &busy):
		return 2
	case errdefs.IsUnavailable(err), errors.Is(err, context.DeadlineExceeded):
		return math.MaxInt
	}
	return 4
}

// act makes one attempt, and gives its slot back. again says that it is not the first.
func (r *remover) act(ctx context.Context, one Removal, again bool, slot *semaphore.Weighted) error {
	defer slot.Release(1)
	if one.Kind != engine.KindContainer {
		ctx, cancel := context.WithTimeout(ctx, r.attempt)
		defer cancel()
		if one.Kind == KindCgroup {
			return r.cgroups.remove(ctx, one)
		}
		return r.engine.Remove(ctx, one.Kind, one.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, r.attempt+r.grace)
	defer cancel()
	return r.container(ctx, one, again)
}

// container stops and removes. The engine does not bring back what is being removed: a stop and a forced removal cancel the
// restart before the signal (moby: daemon/kill.go, killWithSignal, ExitOnNext). One that the engine is bringing back already,
// and one whose removal failed, which an engine that starts anew would bring back, lose their restart policy first. Taking it
// from all of them would cost half as much again as the removal.
func (r *remover) container(ctx context.Context, one Removal, again bool) error {
	if one.Status == engine.StatusRestarting || again && hasProcesses(one.Status) {
		if err := r.engine.DisableRestart(ctx, one.ID); err != nil && !past(err) {
			return err
		}
	}
	if r.grace > 0 && one.Status == engine.StatusRunning { // a paused one could not hear a signal
		if err := r.engine.Stop(ctx, one.ID, r.grace); err != nil && !past(err) {
			return err
		}
	}
	return r.engine.Remove(ctx, one.Kind, one.ID)
}

// past says that the container is gone, or going.
func past(err error) bool { return errdefs.IsNotFound(err) || errdefs.IsConflict(err) }

// sleep waits between half of d and d; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d/2 + rand.N(d/2)):
		return true
	}
}

var _ Engine = engine.Gateway(nil)
