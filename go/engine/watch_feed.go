package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstBackoff = 50 * time.Millisecond // before a broken event stream is opened again; doubles
	lastBackoff  = 2 * time.Second
)

// settle is when a list is read once more after a stream was opened again: a container that died while nobody listened
// may have been in its tear-down when the first list was read, and then no event will ever tell.
const settle = 2 * time.Second

// feed is the one event stream of a pod. It lives as long as somebody subscribes to it.
type feed struct {
	gw     Gateway
	filter string
	cancel context.CancelFunc
	done   chan struct{}
	again  chan struct{} // holds one token when the pod is to be listed once more

	mu    sync.Mutex
	seen  picture
	known bool            // seen is whole and current
	lost  error           // why it is not
	asked map[string]bool // whose healthcheck the engine was reminded of, by id
	subs  map[*subscription]struct{}
}

func newFeed(gw Gateway, podID string) *feed {
	ctx, cancel := context.WithCancel(context.Background())
	f := &feed{
		gw: gw, filter: podFilter(podID), cancel: cancel, done: make(chan struct{}),
		again: make(chan struct{}, 1), seen: picture{}, asked: map[string]bool{}, subs: map[*subscription]struct{}{},
	}
	go f.run(ctx)
	return f
}

func (f *feed) run(ctx context.Context) {
	defer close(f.done)
	backoff := firstBackoff
	for again := false; ; again = true {
		err := f.session(ctx, again)
		if ctx.Err() != nil {
			return
		}
		if f.setLost(err) {
			backoff = firstBackoff
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(backoff/2 + rand.N(backoff)):
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

// session subscribes, lists, and follows until the stream breaks.
func (f *feed) session(ctx context.Context, again bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, failed := f.gw.Events(ctx, f.filter)
	if err := f.list(ctx, events); err != nil {
		return err
	}
	var confirm <-chan time.Time
	if again {
		confirm = time.After(settle)
		reminded := make(chan struct{})
		go func() {
			defer close(reminded)
			f.remind(ctx)
		}()
		defer func() { cancel(); <-reminded }()
	}
	for {
		select {
		case e, ok := <-events:
			if !ok {
				return broken(failed())
			}
			f.apply(e)
		case <-f.again:
			if err := f.list(ctx, events); err != nil {
				return err
			}
		case <-confirm:
			confirm = nil
			if err := f.list(ctx, events); err != nil {
				return err
			}
		}
	}
}

func broken(err error) error {
	if err == nil {
		return errors.New("the Docker engine closed its event stream")
	}
	return err
}

// list reads the whole pod. Events that came meanwhile are applied before anybody sees the picture.
func (f *feed) list(ctx context.Context, events <-chan Event) error {
	all, err := f.gw.List(ctx, f.filter)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen.list(all, time.Now())
	for waiting := true; waiting; {
		select {
		case e, ok := <-events:
			if ok {
				f.seen.apply(e, time.Now())
			}
			waiting = ok
		default:
			waiting = false
		}
	}
	f.known, f.lost = true, nil
	for s := range f.subs {
		s.full, s.lost = true, nil
		s.signal()
	}
	return nil
}

func (f *feed) apply(e Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what := f.seen.apply(e, time.Now())
	if what == nothing {
		return
	}
	for s := range f.subs {
		if what == removed {
			s.full = true
		} else {
			s.changed[e.ID] = f.seen[e.ID].ContainerState
		}
		s.signal()
	}
}

// setLost returns whether the picture was known until now.
func (f *feed) setLost(err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.known
	first := was || f.lost == nil
	f.known, f.lost = false, err
	if first {
		for s := range f.subs {
			s.lost = err
			s.signal()
		}
	}
	return was
}

// subscription is one who follows a feed at his own pace. What he did not take yet is kept as one state a container, the
// latest; so nobody who is slow loses how a container ended, or holds up others.
type subscription struct {
	feed    *feed
	close   func()
	wake    chan struct{} // holds one token while there is something to take
	changed map[string]ContainerState
	full    bool
	lost    error
}

func (f *feed) subscribe() *subscription {
	s := &subscription{feed: f, wake: make(chan struct{}, 1), changed: map[string]ContainerState{}}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subs[s] = struct{}{}
	s.full, s.lost = f.known, f.lost
	if s.full || s.lost != nil {
		s.signal()
	}
	return s
}

func (s *subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns what is new, and false when nothing is. It is to be called until it returns false after each token of wake.
func (s *subscription) take() (Observation, bool) {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	switch {
	case s.full:
		s.full = false
		clear(s.changed)
		return Observation{Full: true, Containers: s.feed.seen.states()}, true
	case len(s.changed) > 0:
		var o Observation
		for _, c := range s.changed {
			o.Containers = append(o.Containers, c)
		}
		sortStates(o.Containers)
		clear(s.changed)
		return o, true
	case s.lost != nil:
		o := Observation{Lost: s.lost}
		s.lost = nil
		return o, true
	}
	return Observation{}, false
}
