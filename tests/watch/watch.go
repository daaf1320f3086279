// Package watch lets tests wait for what a program writes, without looking again and again. It judges nothing.
package watch

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"sync"
)

// Output is what a program has written so far. The zero value is ready; its methods are safe for concurrent use.
type Output struct {
	mu      sync.Mutex
	content bytes.Buffer
	changed chan struct{} // closed by the next Write; nil when nobody waits
}

// Write takes what comes; it never fails.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	return o.content.Write(p)
}

// String is all that was written.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.content.String()
}

// Await returns once something that was written matches the pattern; its error says what did not come.
func (o *Output) Await(ctx context.Context, pattern string) error {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return err
	}
	for {
		found, changed := o.look(wanted)
		if found {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("nothing that matches %q was written: %w", pattern, ctx.Err())
		}
	}
}

func (o *Output) look(wanted *regexp.Regexp) (found bool, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if wanted.Match(o.content.Bytes()) {
		return true, nil
	}
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	return false, o.changed
}
