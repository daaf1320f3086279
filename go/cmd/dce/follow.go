package main

import (
	"context"
	"time"

	"github.com/dce-go/dce/go/engine"
)

// watcher is what following a pod needs of the engine.
type watcher interface {
	List(ctx context.Context, labels ...string) ([]engine.Container, error)
	Events(ctx context.Context, labels ...string) (<-chan engine.Event, func() error)
}

// sight is one thing that was seen: an event, or a container of a list.
type sight struct {
	event     *engine.Event
	container *engine.Container
}

// again is the wait before events are asked for again once their stream broke.
const again = time.Second

// follow reports what happens to the containers with a label until ctx ends: first the events are subscribed to, then what
// there is already is listed. The engine's troubles are the executor's to report, so that here they only pause the view.
func follow(ctx context.Context, w watcher, label string, see func(sight)) {
	for ctx.Err() == nil {
		broken, cancel := context.WithCancel(ctx)
		events, _ := w.Events(broken, label)
		list, err := w.List(broken, label)
		if err == nil {
			for _, c := range list {
				see(sight{container: &c})
			}
			for e := range events {
				see(sight{event: &e})
			}
		}
		cancel()
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}
