package localagent

import (
	"context"
	"fmt"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Update is a status update as the scheduler would get it: once each, in the order of their arrival.
type Update struct {
	Status mesos.TaskStatus
	At     time.Time // when the agent got it
}

// Terminal says whether it is the last state of its task.
func (u Update) Terminal() bool { return terminal(u.Status.GetState()) }

// Updates delivers all updates from the first one on. The channel is closed when ctx ends, or when the agent is closed and
// everything was delivered.
func (a *Agent) Updates(ctx context.Context) <-chan Update {
	out := make(chan Update)
	go func() {
		defer close(out)
		for i := 0; ; {
			fresh, changed, over := a.since(i)
			for _, u := range fresh {
				select {
				case out <- u:
				case <-ctx.Done():
					return
				}
			}
			if i += len(fresh); over {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}

func (a *Agent) since(i int) (fresh []Update, changed <-chan struct{}, over bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fresh = a.updates[i:len(a.updates):len(a.updates)]
	return fresh, a.changed, a.over
}

// Await returns the first update, also among those of the past, that is wanted.
func (a *Agent) Await(ctx context.Context, wanted func(Update) bool) (Update, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for u := range a.Updates(ctx) {
		if wanted(u) {
			return u, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return Update{}, fmt.Errorf("the awaited update has not come: %w", err)
	}
	return Update{}, errClosed
}
