package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// screen shows lines that stay and, on a terminal, a block of lines below them that changes in place.
type screen struct {
	out   io.Writer     // what services write
	err   io.Writer     // all else
	width func() int    // of the terminal, nil where there is none
	gone  chan struct{} // gets one when nobody reads out or err any more; may be nil

	mu    sync.Mutex
	block []string
	drawn int  // lines of the block that are on the terminal
	told  bool // that nobody reads
}

// terminal is the screen of a command: live where stderr is a terminal that can move its cursor.
func terminal(cmd *cobra.Command) *screen {
	s := &screen{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), gone: make(chan struct{}, 1)}
	file, ok := s.err.(*os.File)
	if ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" {
		s.width = func() int {
			width, _, err := term.GetSize(int(file.Fd()))
			if err != nil || width <= 0 {
				return 80
			}
			return width
		}
	}
	return s
}

func (s *screen) live() bool { return s.width != nil }

// output prints a line of a service.
func (s *screen) output(line []byte) { s.print(s.out, line) }

// note prints a line of our own.
func (s *screen) note(format string, args ...any) {
	s.print(s.err, fmt.Appendf(nil, format+"\n", args...))
}

func (s *screen) print(w io.Writer, line []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	if _, err := w.Write(line); errors.Is(err, syscall.EPIPE) && !s.told {
		s.told = true
		select {
		case s.gone <- struct{}{}:
		default:
		}
	}
	s.draw()
}

// show replaces the block; nil takes it away.
func (s *screen) show(lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	s.block = lines
	s.draw()
}

func (s *screen) erase() {
	if s.drawn > 0 {
		fmt.Fprintf(s.err, "\x1b[%dA\x1b[J", s.drawn) // up, and clear to the end
		s.drawn = 0
	}
}

func (s *screen) draw() {
	if !s.live() || len(s.block) == 0 {
		return
	}
	var b strings.Builder
	width := s.width()
	for _, line := range s.block {
		if runes := []rune(line); len(runes) > width-1 {
			line = string(runes[:max(width-1, 0)])
		}
		b.WriteString(line + "\n")
	}
	// As in print.
	_, _ = io.WriteString(s.err, b.String())
	s.drawn = len(s.block)
}

// longLine is what is shown at once of a line without an end.
const longLine = 64 << 10

// lines is a writer that hands on whole lines, each with its end.
type lines struct {
	each func([]byte)

	mu   sync.Mutex
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		i := bytes.IndexByte(l.rest, '\n')
		if i < 0 && len(l.rest) < longLine {
			break
		}
		if i < 0 {
			i = len(l.rest) - 1
		}
		l.each(l.rest[:i+1])
		l.rest = l.rest[i+1:]
	}
	l.rest = bytes.Clone(l.rest) // lets go of what was handed on
	return len(p), nil
}

// flush hands on what has no end.
func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		l.each(append(l.rest, '\n'))
		l.rest = nil
	}
}

// tail keeps the last lines.
type tail struct {
	keep int

	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, strings.TrimRight(string(line), "\n"))
	if len(t.lines) > t.keep {
		t.lines = t.lines[1:]
	}
}

func (t *tail) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.lines...)
}
