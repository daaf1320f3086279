package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"github.com/dce-go/dce/go/engine"
)

// Engine is what probes need of an engine; engine.Gateway has it.
type Engine interface {
	Exec(ctx context.Context, id string, spec engine.ExecSpec) (engine.Execution, error)
}

// killTimeout bounds how long the end of a command is waited for that overran its time.
const killTimeout = 5 * time.Second

// command runs a check's command in a container. One that overran its time and can't be ended, for want of the right to, keeps
// the next from being run: there is never more than one.
type command struct {
	engine    Engine
	container string
	spec      engine.ExecSpec
	left      engine.Execution
}

func (p *command) probe(ctx context.Context) (Result, error) {
	if p.left != nil {
		if err := p.left.Kill(ctx); err != nil {
			return Result{}, fmt.Errorf("the command of an earlier check still runs and can't be ended: %w", err)
		}
		p.left = nil
	}
	run, err := execute(ctx, p.engine, p.container, p.spec)
	if err != nil {
		return Result{}, err
	}
	defer run.Close()
	var out last
	_, err = io.Copy(&out, run)
	code := 0
	if err == nil {
		code, err = run.Wait(ctx)
	}
	if err == nil {
		return Result{Value: code, Detail: detail(code, run.Stderr(), string(out))}, nil
	}
	if ctx.Err() == nil {
		return Result{}, broken(err)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		p.kill(context.WithoutCancel(ctx), run)
	}
	return Result{}, ctx.Err()
}

func (p *command) kill(ctx context.Context, run engine.Execution) {
	ctx, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	if run.Kill(ctx) != nil {
		p.left = run // its next try says what is wrong
	}
}

// execute runs a command whose streams end with ctx.
func execute(ctx context.Context, e Engine, container string, spec engine.ExecSpec) (engine.Execution, error) {
	run, err := e.Exec(ctx, container, spec)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, fmt.Errorf("the Docker engine did not begin the check in time: %w", errdefs.ErrUnavailable)
		}
		return nil, err
	}
	// Not at ctx's own deadline: then the streams could end before ctx does, and look as if the engine had broken them.
	return &bounded{run, context.AfterFunc(ctx, func() { _ = run.SetDeadline(time.Unix(1, 0)) })}, nil
}

type bounded struct {
	engine.Execution
	release func() bool
}

func (b *bounded) Close() error {
	b.release()
	return b.Execution.Close()
}

// broken is the error of streams that ended before the command: the engine has gone, or the connection to it.
func broken(err error) error {
	if errdefs.IsUnavailable(err) {
		return err
	}
	return fmt.Errorf("the Docker engine broke off the check (%w): %w", errdefs.ErrUnavailable, err)
}

// last keeps the end of what is written to it.
type last []byte

func (l *last) Write(p []byte) (int, error) {
	const keep = 1 << 10
	*l = append(*l, p...)
	*l = (*l)[max(0, len(*l)-keep):]
	return len(p), nil
}

// detail is the last line that a command that failed has written.
func detail(code int, stderr, stdout string) string {
	const most = 200
	if code == 0 {
		return ""
	}
	for _, text := range []string{stderr, stdout} {
		text = strings.TrimSpace(text)
		if line := text[strings.LastIndexByte(text, '\n')+1:]; line != "" {
			return strings.ToValidUTF8(line[:min(most, len(line))], "?")
		}
	}
	return ""
}
