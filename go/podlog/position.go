package podlog

import (
	"time"

	"github.com/dce-go/dce/go/engine"
)

// position is how far a container's output was read, so that a stream that is opened again gives nothing twice. Entries
// bear the engine's time, and several may bear the same. The stream of a TTY has no times: there bytes are counted.
type position struct {
	last  time.Time // of the latest entry
	same  int       // entries of that time
	bytes int64     // of a TTY

	again int   // of same, those that this stream has given so far
	skip  int64 // of bytes, those that this stream has to give again
}

// reopen begins a new stream, which is asked for what came from last on.
func (p *position) reopen() { p.again, p.skip = 0, p.bytes }

// fresh returns what of an entry was not given before.
func (p *position) fresh(e engine.LogEntry) []byte {
	if e.Time.IsZero() {
		known := min(p.skip, int64(len(e.Data)))
		p.skip -= known
		p.bytes += int64(len(e.Data)) - known
		return e.Data[known:]
	}
	switch e.Time.Compare(p.last) {
	case -1: // stdout and stderr may overtake each other; but before this stream has caught up, it is an old one
		if p.again < p.same {
			return nil
		}
	case 0:
		if p.again++; p.again <= p.same {
			return nil
		}
		p.same = p.again
	default:
		p.last, p.same, p.again = e.Time, 1, 1
	}
	return e.Data
}
