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
	"github.com/dce-go/dce/go/engine"
)

// The pauses between two attempts, which double and vary at random.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// remover carries a plan out, and decides nothing.
type remover struct {
	engine  Engine
	cgroups *cgroup.Host
	slots   *semaphore.Weighted // calls at a time; first come, first served, so that what hangs holds up nobody for long
	attempt time.Duration       // of one call
	mu      sync.Mutex
	removed []Removal
	failed  []Failure
}

// run removes all that is planned: runs side by side, within a run stage after stage, within a stage side by side.
func (r *remover) run(ctx context.Context, plan Plan) {
	var all sync.WaitGroup
	defer all.Wait()
	for start := 0; start < len(plan.Removals); {
		end := start
		for end < len(plan.Removals) && plan.Removals[end].Run == plan.Removals[start].Run {
			end++
		}
		own := plan.Removals[start:end]
		all.Go(func() { r.stages(ctx, own) })
		start = end
	}
}

func (r *remover) stages(ctx context.Context, own []Removal) {
	for start := 0; start < len(own); {
		var stage sync.WaitGroup
		end := start
		for end < len(own) && stages[own[end].Kind] == stages[own[start].Kind] {
			one := own[end]
			stage.Go(func() { r.note(one, r.one(ctx, one)) })
			end++
		}
		stage.Wait()
		start = end
	}
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
	pause := firstPause
	for n := 1; ; n++ {
		if err := r.slots.Acquire(ctx, 1); err != nil {
			return fmt.Errorf("the sweep ended before its turn: %w", err)
		}
		bounded, cancel := context.WithTimeout(ctx, r.attempt)
		err := r.act(bounded, one)
		cancel()
		r.slots.Release(1)
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
	switch {
	case errdefs.IsInvalidArgument(err):
		return 1
	case errors.As(err, &busy):
		return 2
	case errdefs.IsUnavailable(err), errors.Is(err, context.DeadlineExceeded):
		return math.MaxInt
	}
	return 6
}

func (r *remover) act(ctx context.Context, one Removal) error {
	if one.Kind == KindCgroup {
		return r.cgroups.Remove(ctx, one.ID)
	}
	return r.engine.Remove(ctx, one.Kind, one.ID)
}

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
