package executor

import "sync"

// inbox is a queue without bound: those who put into it never wait, so that a task may report while the loop orders it about.
type inbox struct {
	mu    sync.Mutex
	items []input
	ready chan struct{} // holds a token where there may be items
}

func newInbox() *inbox { return &inbox{ready: make(chan struct{}, 1)} }

func (q *inbox) put(in input) {
	q.mu.Lock()
	q.items = append(q.items, in)
	q.mu.Unlock()
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// take returns everything that was put since the last call, in order.
func (q *inbox) take() []input {
	q.mu.Lock()
	defer q.mu.Unlock()
	items := q.items
	q.items = nil
	return items
}
