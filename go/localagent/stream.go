package localagent

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/mesos/mesos-go/api/v1/lib/recordio"
)

// stream is the answer to one SUBSCRIBE: events in RecordIO frames. An executor that does not read holds up nobody.
// Follows src/common/http.hpp, StreamingHttpConnection.
type stream struct {
	json bool

	mu     sync.Mutex
	queue  []*executor.Event
	ended  bool
	broken bool
	wake   chan struct{} // holds one value when there is something to do
}

func newStream(json bool) *stream {
	return &stream{json: json, wake: make(chan struct{}, 1)}
}

// send queues an event; false when the stream is over.
func (s *stream) send(event *executor.Event) bool {
	return s.do(func() { s.queue = append(s.queue, event) })
}

// end closes the stream in good order once everything queued is written.
func (s *stream) end() { s.do(func() { s.ended = true }) }

// cut breaks the connection.
func (s *stream) cut() { s.do(func() { s.ended, s.broken = true, true }) }

func (s *stream) do(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	f()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

func (s *stream) next() (events []*executor.Event, ended, broken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	events, s.queue = s.queue, nil
	return events, s.ended, s.broken
}

// serve writes events until the stream ends (true) or its connection breaks or has to (false).
func (s *stream) serve(ctx context.Context, w http.ResponseWriter, drop <-chan struct{}) bool {
	defer s.cut() // nobody is there to read what comes now
	kind := protobuf
	if s.json {
		kind = jsonType
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	if control.Flush() != nil {
		return false
	}
	frames := recordio.NewWriter(w)
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return false
		case <-drop:
			return false
		}
		events, ended, broken := s.next()
		if broken {
			return false
		}
		for _, event := range events {
			data, err := s.marshal(event)
			if err != nil || frames.WriteFrame(data) != nil {
				return false
			}
		}
		if control.Flush() != nil {
			return false
		}
		if ended {
			return true
		}
	}
}

func (s *stream) marshal(event *executor.Event) ([]byte, error) {
	if s.json {
		return json.Marshal(event)
	}
	return event.Marshal()
}
