package engine

import (
	"sync"
	"time"
)

// Deadline is a point in time that may come nearer while others wait for it, never farther: a second KILL may shorten
// the grace of the first.
type Deadline struct {
	mu      sync.Mutex
	at      time.Time
	changed chan struct{}
}

// NewDeadline returns a deadline at t.
func NewDeadline(t time.Time) *Deadline {
	return &Deadline{at: t, changed: make(chan struct{})}
}

// Shorten moves the deadline to t if that is earlier, and wakes those who wait.
func (d *Deadline) Shorten(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !t.Before(d.at) {
		return
	}
	d.at = t
	close(d.changed)
	d.changed = make(chan struct{})
}

// Get returns the deadline and a channel that is closed when it changes.
func (d *Deadline) Get() (at time.Time, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at, d.changed
}
