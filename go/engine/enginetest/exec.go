package enginetest

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/containerd/errdefs"

	"github.com/dce-go/dce/go/engine"
)

// Command is what a command does that is run in a container. It returns the exit code; a write or a read that fails says that
// it was killed, or that its caller has left.
type Command func(command []string, stdin io.Reader, stdout, stderr io.Writer) int

func (s *state) Exec(_ context.Context, id string, spec engine.ExecSpec) (engine.Execution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(id)
	if c == nil {
		return nil, noSuch("container", id)
	}
	if c.Status != engine.StatusRunning {
		return nil, fmt.Errorf("container %s does not run: %w", c.Name, errdefs.ErrConflict)
	}
	command := s.scripts[c.service].Exec
	if command == nil {
		command = func([]string, io.Reader, io.Writer, io.Writer) int { return 0 }
	}
	in, stdin := net.Pipe()
	stdout, out := net.Pipe()
	e := &execution{in: in, Conn: out, stdin: stdin, stdout: stdout, ended: make(chan struct{})}
	if !spec.Stdin {
		_ = in.Close()
	}
	go func() { e.end(command(spec.Command, stdin, stdout, &e.stderr)) }()
	return e, nil
}

// execution has a pipe for each direction, as a net.Pipe can't be closed by half.
type execution struct {
	net.Conn          // what it writes
	in       net.Conn // what it reads
	stdin    net.Conn // its own ends
	stdout   net.Conn
	stderr   tail

	once  sync.Once
	ended chan struct{}
	code  int
}

func (e *execution) end(code int) {
	e.once.Do(func() {
		e.code = code
		_ = e.stdin.Close()
		_ = e.stdout.Close()
		close(e.ended)
	})
}

func (e *execution) Write(p []byte) (int, error) { return e.in.Write(p) }
func (e *execution) CloseWrite() error           { return e.in.Close() }
func (e *execution) Stderr() string              { return e.stderr.String() }

func (e *execution) Close() error {
	_ = e.in.Close()
	return e.Conn.Close()
}

func (e *execution) SetDeadline(t time.Time) error {
	_ = e.in.SetDeadline(t) // a command that has ended takes no deadline, which is no error on a real engine
	_ = e.Conn.SetDeadline(t)
	return nil
}

func (e *execution) SetWriteDeadline(t time.Time) error { return e.in.SetWriteDeadline(t) }

func (e *execution) Wait(ctx context.Context) (int, error) {
	select {
	case <-e.ended:
		return e.code, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (e *execution) Kill(context.Context) error {
	e.end(137)
	return nil
}

type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-4<<10):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
