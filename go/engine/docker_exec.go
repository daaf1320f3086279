package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Exec is answered before the command has started. The client gives up no answer that is late once the connection is
// another protocol's, so that is done here.
func (d *dockerAPI) Exec(ctx context.Context, id string, spec ExecSpec) (Execution, error) {
	if len(spec.Env) > 0 && d.before("1.25") {
		return nil, invalid("container %s: the engine speaks API %s, and a command with an environment of its own needs 1.25: upgrade Docker",
			shortID(id), d.cli.ClientVersion())
	}
	created, err := d.cli.ContainerExecCreate(ctx, id, container.ExecOptions{
		Cmd: spec.Command, Env: spec.Env, AttachStdin: spec.Stdin, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return nil, err
	}
	type answer struct {
		types.HijackedResponse
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		hijacked, err := d.cli.ContainerExecAttach(context.WithoutCancel(ctx), created.ID, container.ExecAttachOptions{})
		answers <- answer{hijacked, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil {
			return nil, a.err
		}
		return &execution{Conn: a.Conn, frames: a.Reader, docker: d, id: created.ID, container: id}, nil
	case <-ctx.Done():
		go func() {
			if a := <-answers; a.err == nil {
				a.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// execution reads frames of stdout and stderr (moby, api/server/router/container/exec.go) from its connection.
type execution struct {
	net.Conn
	frames    io.Reader
	docker    *dockerAPI
	id        string // of the exec
	container string
	left      int64 // of the frame of stdout that is being read

	mu     sync.Mutex
	stderr []byte
}

// keptStderr is how much of the end of stderr is kept.
const keptStderr = 4 << 10

func (e *execution) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for e.left == 0 {
		var header [8]byte // stream, three zeros, length in big endian
		if _, err := io.ReadFull(e.frames, header[:]); err != nil {
			return 0, err
		}
		size := int64(binary.BigEndian.Uint32(header[4:]))
		if stdcopy.StdType(header[0]) == stdcopy.Stdout {
			e.left = size
		} else if err := e.keep(size); err != nil {
			return 0, err
		}
	}
	n, err := e.frames.Read(p[:min(int64(len(p)), e.left)])
	e.left -= int64(n)
	return n, err
}

// keep takes a frame of stderr.
func (e *execution) keep(size int64) error {
	if _, err := io.CopyN(io.Discard, e.frames, max(0, size-keptStderr)); err != nil {
		return noEnd(err)
	}
	frame := make([]byte, min(size, keptStderr))
	if _, err := io.ReadFull(e.frames, frame); err != nil {
		return noEnd(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stderr = append(e.stderr, frame...)
	e.stderr = e.stderr[max(0, len(e.stderr)-keptStderr):]
	return nil
}

func (e *execution) Stderr() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return string(e.stderr)
}

func (e *execution) CloseWrite() error {
	if half, ok := e.Conn.(types.CloseWriter); ok {
		return half.CloseWrite()
	}
	return nil
}

// Wait asks again for a moment: the engine ends the streams before it notes the exit code (moby, daemon/monitor.go).
func (e *execution) Wait(ctx context.Context) (int, error) {
	for pause := time.Millisecond; ; pause *= 2 {
		state, err := e.inspect(ctx)
		if err != nil || !state.Running {
			return state.ExitCode, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (e *execution) inspect(ctx context.Context) (container.ExecInspect, error) {
	var state container.ExecInspect
	call := e.call()
	err := e.docker.explain(call, Timeout(e.docker.timeout)(ctx, call, func(ctx context.Context) (err error) {
		state, err = e.docker.cli.ContainerExecInspect(ctx, e.id)
		return err
	}))
	return state, err
}

func (e *execution) call() Call { return Call{MethodExec, KindContainer, e.container} }

func (e *execution) Kill(ctx context.Context) error {
	state, err := e.inspect(ctx)
	if err != nil || !state.Running {
		return err
	}
	if state.Pid == 0 {
		return &failure{class: errdefs.ErrUnavailable, sentence: e.call().String() + ": the command has not begun, so it can't be ended yet"}
	}
	if err := killTree(state.Pid, state.ContainerID); err != nil {
		return &failure{class: errdefs.ErrPermissionDenied, cause: err, sentence: fmt.Sprintf(
			"%s: process %d in it can't be ended (%v): run dce-executor as root and on the engine's host", e.call(), state.Pid, err)}
	}
	return nil
}
