package enginetest

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/dce-go/dce/go/engine"
)

// streamBuffer is how far a reader may lag before its stream breaks.
const streamBuffer = 1024

type stream struct {
	want   []string
	events chan engine.Event
	err    error
	closed bool
}

func (s *state) Events(ctx context.Context, want ...string) (<-chan engine.Event, func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &stream{want: want, events: make(chan engine.Event, streamBuffer)}
	s.streams[st] = struct{}{}
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closeStream(st, ctx.Err())
	})
	return st.events, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		return st.err
	}
}

func (s *state) closeStream(st *stream, err error) {
	if st.closed {
		return
	}
	st.closed, st.err = true, err
	delete(s.streams, st)
	close(st.events)
}

// emit sends an event about c; only what is special about it is given.
func (s *state) emit(c *fakeContainer, e engine.Event) {
	if s.mute {
		return
	}
	e.ID, e.Name, e.Time = c.ID, c.Name, time.Now()
	for st := range s.streams {
		if !bears(c.Labels, st.want) {
			continue
		}
		e.Labels = maps.Clone(c.Labels)
		select {
		case st.events <- e:
		default:
			s.closeStream(st, errors.New("enginetest: the reader of an event stream lags"))
		}
	}
}
