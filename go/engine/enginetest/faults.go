package enginetest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/dce-go/dce/go/engine"
)

// Always is a number of times that never runs out.
const Always = -1

type faults struct {
	mu    sync.Mutex
	next  map[engine.Method]*fault
	hangs map[engine.Method]chan struct{}
	calls []string
}

type fault struct {
	err   error
	times int
	done  bool // the error comes after the thing was done
}

// Fail has the next calls of a method fail with err, without doing anything, as many times.
func (f *Fake) Fail(method engine.Method, err error, times int) {
	f.setFault(method, &fault{err, times, false})
}

// FailAfter has the next calls of a method do what they are asked and fail with err all the same, as many times.
func (f *Fake) FailAfter(method engine.Method, err error, times int) {
	f.setFault(method, &fault{err, times, true})
}

func (f *Fake) setFault(method engine.Method, what *fault) {
	f.faults.mu.Lock()
	defer f.faults.mu.Unlock()
	if f.faults.next == nil {
		f.faults.next = map[engine.Method]*fault{}
	}
	f.faults.next[method] = what
}

// Hang has calls of a method wait until release is called, or their context ends: put engine.Timeout around the fake to
// see what callers of a real engine do.
func (f *Fake) Hang(method engine.Method) (release func()) {
	f.faults.mu.Lock()
	defer f.faults.mu.Unlock()
	hang := make(chan struct{})
	if f.faults.hangs == nil {
		f.faults.hangs = map[engine.Method]chan struct{}{}
	}
	f.faults.hangs[method] = hang
	return sync.OnceFunc(func() {
		f.faults.mu.Lock()
		defer f.faults.mu.Unlock()
		if f.faults.hangs[method] == hang {
			delete(f.faults.hangs, method)
		}
		close(hang)
	})
}

// Calls returns the calls so far, each as "Start container web-1", in the order in which they began.
func (f *Fake) Calls() []string {
	f.faults.mu.Lock()
	defer f.faults.mu.Unlock()
	return slices.Clone(f.faults.calls)
}

func (f *Fake) intercept(ctx context.Context, call engine.Call, next func(context.Context) error) error {
	hang, fault := f.begin(call)
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if fault == nil {
		return next(ctx)
	}
	if fault.done {
		_ = next(ctx)
	}
	return fault.err
}

// begin records the call and returns what is to become of it.
func (f *Fake) begin(call engine.Call) (chan struct{}, *fault) {
	if name := f.state.nameOf(call.Target); name != "" {
		call.Target = name
	}
	f.faults.mu.Lock()
	defer f.faults.mu.Unlock()
	f.faults.calls = append(f.faults.calls, strings.TrimSpace(string(call.Method)+" "+call.String()))
	fault := f.faults.next[call.Method]
	if fault != nil {
		if fault.times == 0 {
			fault = nil
		} else {
			fault.times = max(fault.times-1, Always)
		}
	}
	return f.faults.hangs[call.Method], fault
}
