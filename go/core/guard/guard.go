// Package guard keeps panics where they arise: in a library within somebody else's process, one that leaves its goroutine
// ends that process. It decides nothing about what a panic means.
package guard

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// PanicError is a panic as an error.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("a fault of dce itself (panic: %v)", e.Value) }

// Call calls f and returns its error, or its panic as a *PanicError.
func Call(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}

// Group runs functions in goroutines of their own. The zero value is ready.
type Group struct {
	all   sync.WaitGroup
	mu    sync.Mutex
	first error
}

// Go runs f in a goroutine.
func (g *Group) Go(f func() error) {
	g.all.Go(func() {
		if err := Call(f); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.first == nil {
				g.first = err
			}
		}
	})
}

// Wait waits for all and returns the first error or panic.
func (g *Group) Wait() error {
	g.all.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.first
}
