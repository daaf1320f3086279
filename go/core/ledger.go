package core

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/dce-go/dce/go/reaper"
)

// The pauses after a clean-up that failed, which double and vary at random.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = time.Minute
)

// removedExecutor is an executor whose runs are to be looked for.
type removedExecutor struct {
	Framework string    `json:"framework"`
	Executor  string    `json:"executor"`
	At        time.Time `json:"at"`

	resumed bool      // from the journal: the agent has not said it in this life
	looked  bool      // once; what an engine was still creating then is found by a second look
	due     time.Time // of the next look
}

// debt is a run that is to be cleaned up.
type debt struct {
	Container string    `json:"container"`
	Cause     string    `json:"cause"`
	Whole     bool      `json:"whole"` // its own cgroup too, in all hierarchies: the agent has done with it
	Since     time.Time `json:"since"`
	Attempts  int       `json:"attempts"`
	Next      time.Time `json:"next"`
	LastError string    `json:"last_error,omitempty"`

	sworn   bool // the agent has said in this life that it is over
	last    bool // the second look, see removedExecutor
	running bool
	again   bool // a reason came up while it ran
	waiters []func(error)
}

// lateAfter is when the second look is taken.
const lateAfter = 1500 * time.Millisecond

// ledger is what is owed.
type ledger struct {
	mu        sync.Mutex
	executors map[[2]string]removedExecutor
	runs      map[string]*debt
	compare   time.Time // when everything is to be compared next
	wake      chan struct{}
	dirty     chan struct{}
	version   int           // of what the journal is to hold
	written   int           // the version that it holds
	saved     chan struct{} // closed and replaced when written grows
}

func (l *ledger) open() {
	l.executors, l.runs = map[[2]string]removedExecutor{}, map[string]*debt{}
	l.wake, l.dirty, l.saved = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
}

func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.executors) + len(l.runs)
}

// change runs f under the lock, has the journal written and the worker woken. It returns the version to wait for.
func (l *ledger) change(f func()) int {
	l.mu.Lock()
	f()
	l.version++
	version := l.version
	l.mu.Unlock()
	poke(l.wake)
	poke(l.dirty)
	return version
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// maxExecutors bounds how many executors are remembered one by one, and so the journal, however long an engine is away. Those beyond
// are found where everything is compared.
const maxExecutors = 4096

// removed takes an executor over. A second removal of one id moves the time on.
func (l *ledger) removed(e removedExecutor) int {
	return l.change(func() {
		key := [2]string{e.Framework, e.Executor}
		had, known := l.executors[key]
		switch {
		case known && had.At.After(e.At):
			e.At = had.At
		case !known && len(l.executors) >= maxExecutors:
			l.compare = e.At
			return
		}
		l.executors[key] = e
	})
}

// owe takes a run over. waiter, which may be nil, is told the outcome of the next clean-up.
func (l *ledger) owe(d debt, waiter func(error)) int {
	return l.change(func() {
		had := l.runs[d.Container]
		if had == nil {
			had = &d
			l.runs[d.Container] = had
		} else {
			had.again = had.running
			had.Whole, had.sworn, had.last = had.Whole || d.Whole, had.sworn || d.sworn, had.last && d.last
			had.Cause = d.Cause
			if d.Next.Before(had.Next) {
				had.Next = d.Next
			}
		}
		if waiter != nil {
			had.waiters = append(had.waiters, waiter)
		}
	})
}

// disown has the own cgroups go too of what is owed of runs that an agent which has started does not have. Of those that it has
// they are the agent's, whatever an earlier life owed.
func (l *ledger) disown(live reaper.Live) {
	l.change(func() {
		for id, d := range l.runs {
			if whole := !live[id]; d.Whole != whole {
				d.Whole, d.again = whole, d.running
			}
		}
	})
}

// begin picks the runs that are due, at most as many as may run, and says when the next will be.
func (l *ledger) begin(now time.Time, may func(*debt) bool, most int) (due []debt, next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	running := 0
	for _, d := range l.runs {
		if d.running {
			running++
		}
	}
	for _, d := range l.runs {
		switch {
		case d.running || !may(d):
		case d.Next.After(now):
			if next.IsZero() || d.Next.Before(next) {
				next = d.Next
			}
		case running < most:
			running++
			d.running, d.again = true, false
			due = append(due, *d)
		}
	}
	return due, next
}

// finish takes the outcome of a clean-up. Where it failed, or a further reason came up, the run stays owed. Else next, where there is
// one, takes its place at once: nobody sees the run without a debt in between.
func (l *ledger) finish(container string, err error, next *debt, now time.Time) (paid bool) {
	var waiters []func(error)
	l.change(func() {
		d := l.runs[container]
		d.running = false
		waiters = slices.Clone(d.waiters)
		switch {
		case err != nil:
			d.Attempts++
			d.LastError = err.Error()
			pause := min(firstPause<<min(d.Attempts-1, 10), longestPause)
			d.Next = now.Add(pause/2 + rand.N(pause/2))
		case d.again:
			waiters = nil // they wait for the next
			return
		case next != nil:
			l.runs[container] = next
		default:
			delete(l.runs, container)
			paid = true
		}
		d.waiters = nil
	})
	for _, tell := range waiters {
		tell(err)
	}
	return paid
}

// postpone takes a run back that could not be tried; its waiters are told why.
func (l *ledger) postpone(container string, err error) {
	l.mu.Lock()
	d := l.runs[container]
	d.running = false
	waiters := d.waiters
	d.waiters = nil
	l.mu.Unlock()
	poke(l.wake) // the engine may have come back before this was taken back
	for _, tell := range waiters {
		tell(err)
	}
}

// refuse tells those who wait for runs that can't be tried now. The runs stay owed.
func (l *ledger) refuse(err error) {
	var waiters []func(error)
	l.mu.Lock()
	for _, d := range l.runs {
		if !d.running { // which is told by its own end
			waiters = append(waiters, d.waiters...)
			d.waiters = nil
		}
	}
	l.mu.Unlock()
	for _, tell := range waiters {
		tell(err)
	}
}

// search is what is to be looked for.
type search struct {
	executors []removedExecutor
	compare   bool      // everything
	next      time.Time // when there is more to look for; zero for when something changes
}

// lookFor says what is to be looked for now; as long as it is not known what lives, only what the agent has said.
func (l *ledger) lookFor(now time.Time, known bool) (s search) {
	l.mu.Lock()
	defer l.mu.Unlock()
	later := func(t time.Time) {
		if s.next.IsZero() || t.Before(s.next) {
			s.next = t
		}
	}
	for _, e := range l.executors {
		switch {
		case e.resumed && !known:
		case e.due.After(now):
			later(e.due)
		default:
			s.executors = append(s.executors, e)
		}
	}
	switch {
	case l.compare.IsZero() || !known:
	case l.compare.After(now):
		later(l.compare)
	default:
		s.compare = true
	}
	return s
}

// found takes executors off that were looked for twice, unless they were removed again meanwhile. Those that wait for an answer
// of the engine are looked for again.
func (l *ledger) found(executors, waiting []removedExecutor, now time.Time) {
	l.change(func() {
		for _, e := range waiting {
			if key := [2]string{e.Framework, e.Executor}; l.executors[key] == e {
				e.due = now.Add(lateAfter)
				l.executors[key] = e
			}
		}
		for _, e := range executors {
			key := [2]string{e.Framework, e.Executor}
			switch {
			case l.executors[key] != e:
			case e.looked:
				delete(l.executors, key)
			default:
				e.looked, e.due = true, now.Add(lateAfter)
				l.executors[key] = e
			}
		}
	})
}

// compareAt has everything compared at a time, or earlier where that was due anyway.
func (l *ledger) compareAt(at time.Time) {
	l.mu.Lock()
	if l.compare.IsZero() || at.Before(l.compare) {
		l.compare = at
	}
	l.mu.Unlock()
	poke(l.wake)
}

// comparing is for a comparison that begins: one that is wished for from now on is another.
func (l *ledger) comparing() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.compare = time.Time{}
}

// owes says whether a run is owed already.
func (l *ledger) owes(container string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.runs[container] != nil
}
