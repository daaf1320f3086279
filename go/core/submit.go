package core

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/dce-go/dce/go/core/guard"
)

// maxCalls bounds the operations under way, and so the memory that a caller can take. Removed executors, of which there may be
// many at once and which can be found without, leave room for the rest.
const (
	maxCalls   = 4096
	maxRemoved = maxCalls / 2
)

// Done is told the end of an operation: its JSON object with OK, else one sentence. The bytes are valid during the call only.
type Done func(status Status, bytes []byte)

// call is an operation under way.
type call struct {
	done  Done
	timer *time.Timer
}

// calls are the operations under way, each of which ends exactly once.
type calls struct {
	mu      sync.Mutex
	closed  bool
	open    map[*call]bool
	running sync.WaitGroup // Done functions that run, or will
}

func (cs *calls) begin(c *call, most int) Status {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch {
	case cs.closed:
		return Closed
	case len(cs.open) >= most:
		return Busy
	}
	cs.open[c] = true
	cs.running.Add(1)
	return OK
}

// end ends a call, unless it ended before.
func (cs *calls) end(c *call, status Status, bytes []byte) {
	cs.mu.Lock()
	first := cs.open[c]
	delete(cs.open, c)
	timer := c.timer
	cs.mu.Unlock()
	if !first {
		return
	}
	defer cs.running.Done()
	if timer != nil {
		timer.Stop()
	}
	c.done(status, bytes)
}

// close ends all that are open and returns when no Done runs any more. It returns false where it was called before.
func (cs *calls) close() bool {
	cs.mu.Lock()
	if cs.closed {
		cs.mu.Unlock()
		return false
	}
	cs.closed = true
	var open []*call
	for c := range cs.open {
		open = append(open, c)
	}
	cs.mu.Unlock()
	for _, c := range open {
		cs.end(c, Closed, []byte("the core was closed before the operation ended; what is owed is found again when it is opened"))
	}
	cs.running.Wait()
	return true
}

// Submit starts an operation and returns at once. With OK done is called exactly once, on another goroutine; with anything else
// never. A timeout of 0 is none. input is read before the return and not after.
func (c *Core) Submit(op string, input []byte, timeout time.Duration, done Done) Status {
	defer func() {
		if v := recover(); v != nil {
			c.metrics.panics.Add(1)
			panic(v) // the interface knows what to answer
		}
	}()
	c.inject("submit")
	if done == nil {
		return Invalid
	}
	one := &call{done: done}
	most := maxCalls
	if op == "hook.removed" {
		most = maxRemoved
	}
	if status := c.calls.begin(one, most); status != OK {
		c.missed(op, input, status)
		return status
	}
	input = append([]byte(nil), input...)
	ctx, cancel := context.WithCancel(c.ctx)
	if timeout > 0 {
		c.calls.mu.Lock()
		one.timer = time.AfterFunc(timeout, func() {
			c.report(op, guard.Call(func() error {
				defer cancel()
				defer c.calls.end(one, Timeout, []byte("the operation "+op+" did not end within "+timeout.String()+"; it goes on in the background"))
				c.missed(op, input, Timeout)
				return nil
			}))
		})
		c.calls.mu.Unlock()
	}
	c.background(op, func() error {
		defer cancel()
		var output []byte
		err := guard.Call(func() (err error) {
			c.inject(op)
			output, err = c.operate(ctx, op, input)
			return err
		})
		c.report(op, err)
		status := statusOf(err)
		c.missed(op, input, status)
		if status != OK {
			output = []byte(err.Error())
			c.calls.end(one, status, output)
			return nil
		}
		c.calls.end(one, OK, output)
		return nil
	})
	return OK
}

// missed takes the end of an operation that may have told something in vain: what lives, or that something does no more.
func (c *Core) missed(op string, input []byte, status Status) {
	switch {
	case status == OK || status == Refused || status == Closed || status == Timeout && op != "prepare": // what goes on tells it yet
	case status == Timeout: // its container begins all the same, maybe before it is known here
		if in, err := read[prepareInput](input); err != nil || !c.census.lives(in.Container) {
			c.census.doubt()
		}
	case op == "recover": // comes once; without it, too, what is dead is to be found
		c.census.doubt()
		c.census.recover()
		c.ledger.compareAt(time.Now())
	case op == "prepare":
		c.census.doubt()
		_ = guard.Call(func() error { // its container begins all the same, and its end is told by these ids
			in, err := read[prepareInput](input)
			if err == nil {
				c.meet(in)
			}
			return err
		})
	case op == "hook.removed":
		c.ledger.compareAt(time.Now())
	}
}

// operate does an operation and returns its JSON object.
func (c *Core) operate(ctx context.Context, op string, input []byte) ([]byte, error) {
	do, known := operations[op]
	if !known {
		return nil, failure(Invalid, "the core knows no operation %q", op)
	}
	output, err := do(c, ctx, input)
	if err != nil {
		return nil, err
	}
	return json.Marshal(output)
}

// report counts and logs the faults among errors.
func (c *Core) report(what string, err error) {
	var fault *guard.PanicError
	if errors.As(err, &fault) {
		c.metrics.panics.Add(1)
		c.log.WithField("in", what).WithField("stack", string(fault.Stack)).Error(fault.Error())
	}
}

// background runs f in a goroutine of the core, which Close waits for.
func (c *Core) background(what string, f func() error) {
	c.crew.run(func() { c.report(what, guard.Call(f)) })
}
