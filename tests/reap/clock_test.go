package reap

import (
	"sync/atomic"
	"time"
)

// stalled is for how long this machine has stood still: by how much something that does nothing but sleep overslept. A promise of
// so many seconds is not one about a machine that does not run.
var stalled atomic.Int64

// A sleep overruns by less than this on a machine that is merely busy.
const overrun = 50 * time.Millisecond

func watchStalls() {
	for {
		begun := time.Now()
		time.Sleep(pollEvery)
		if late := time.Since(begun) - pollEvery; late > overrun {
			stalled.Add(int64(late))
		}
	}
}

// moment is a time on a clock that stands still while the machine does.
type moment struct {
	at      time.Time
	stalled int64
}

func now() *moment { return &moment{time.Now(), stalled.Load()} }

func (m *moment) elapsed() time.Duration {
	return time.Since(m.at) - time.Duration(stalled.Load()-m.stalled)
}
