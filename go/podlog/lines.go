package podlog

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

const (
	maxLine   = 64 << 10 // a longer line is cut into several
	tailCount = 10
	tailWidth = 512 // bytes of a line that a tail keeps
)

// lineWriter takes whole lines from many.
type lineWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// write makes one Write of the line, so that no other comes between. An error is nobody's here: the raw files have it all.
func (l *lineWriter) write(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.w.Write(line)
}

// assembler makes whole lines of the pieces of one container's two streams, and puts the service's name before each.
type assembler struct {
	prefix string
	out    *lineWriter
	tail   *tail
	parts  [2][]byte // of stdout and stderr: prefix and an unfinished line, empty where there is none
}

func newAssembler(service string, out *lineWriter, t *tail) *assembler {
	return &assembler{prefix: service + " | ", out: out, tail: t}
}

func (a *assembler) write(stderr bool, data []byte) {
	part := &a.parts[0]
	if stderr {
		part = &a.parts[1]
	}
	for len(data) > 0 {
		if len(*part) == 0 {
			*part = append(*part, a.prefix...)
		}
		room := maxLine - (len(*part) - len(a.prefix))
		piece, whole := data[:min(room, len(data))], len(data) >= room
		if at := bytes.IndexByte(piece, '\n'); at >= 0 {
			piece, whole = piece[:at], true
			data = data[at+1:]
		} else {
			data = data[len(piece):]
		}
		*part = append(*part, piece...)
		if whole {
			a.emit(part)
		}
	}
}

func (a *assembler) emit(part *[]byte) {
	a.tail.add((*part)[len(a.prefix):])
	a.out.write(append(*part, '\n'))
	*part = (*part)[:0]
	if cap(*part) > 4<<10 { // one long line must not hold memory for good
		*part = nil
	}
}

// flush ends lines that have no end.
func (a *assembler) flush() {
	for i := range a.parts {
		if len(a.parts[i]) > 0 {
			a.emit(&a.parts[i])
		}
	}
}

// tail keeps the last lines of a service, cut short.
type tail struct {
	mu   sync.Mutex
	last []string
}

func (t *tail) add(line []byte) {
	line = bytes.TrimRight(line, "\r")
	text := strings.ToValidUTF8(string(line[:min(len(line), tailWidth)]), "\uFFFD")
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last) == tailCount {
		copy(t.last, t.last[1:])
		t.last = t.last[:tailCount-1]
	}
	t.last = append(t.last, text)
}

func (t *tail) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.last...)
}
