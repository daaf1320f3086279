package health

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
)

// withContainer returns an engine on which a container runs whose commands do what is given.
func withContainer(t *testing.T, name string, command enginetest.Command) *enginetest.Fake {
	t.Helper()
	fake := enginetest.New()
	fake.AddImage("image", engine.Image{})
	fake.Script("web", enginetest.Script{Exec: command})
	id, err := fake.Create(t.Context(), &engine.ContainerSpec{Service: "web", Name: name, Config: &container.Config{Image: "image"}})
	require.NoError(t, err)
	require.NoError(t, fake.Start(t.Context(), id))
	return fake
}

func TestCommand(t *testing.T) {
	var asked []string
	fake := withContainer(t, "web-1", func(command []string, _ io.Reader, stdout, stderr io.Writer) int {
		asked = command
		_, _ = io.WriteString(stdout, "looking\nnothing there\n")
		if command[0] == "loud" {
			_, _ = io.WriteString(stderr, "usage: loud\nloud: no such flag\n\n")
		}
		return map[string]int{"good": 0, "quiet": 1, "loud": 2}[command[0]]
	})
	for name, want := range map[string]Result{
		"good": {}, "quiet": {1, "nothing there"}, "loud": {2, "loud: no such flag"},
	} {
		p := &command{engine: fake, container: "web-1", spec: engine.ExecSpec{Command: []string{name, "-v"}}}
		got, err := p.probe(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, []string{name, "-v"}, asked)
	}
}

func TestCommandNeedsTheContainer(t *testing.T) {
	fake := withContainer(t, "web-1", nil)
	_, err := (&command{engine: fake, container: "web-2"}).probe(t.Context())
	require.True(t, errdefs.IsNotFound(err), "a failure: %v", err)
	fake.Exit("web-1", 0)
	_, err = (&command{engine: fake, container: "web-1"}).probe(t.Context())
	require.True(t, errdefs.IsConflict(err), "a failure: %v", err)
}

func TestCommandThatOverrunsIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		fake := withContainer(t, "web-1", func(_ []string, _ io.Reader, stdout, _ io.Writer) int {
			for {
				if _, err := stdout.Write([]byte("still here\n")); err != nil {
					close(ended)
					return 0
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p := &command{engine: fake, container: "web-1"}
		began := time.Now()
		_, err := p.probe(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Second, time.Since(began))
		require.Nil(t, p.left)
		<-ended
	})
}

// stubborn is an engine whose commands can't be ended without the right to.
type stubborn struct {
	*enginetest.Fake
	runs    int
	allowed bool
}

type stubbornRun struct {
	engine.Execution
	e *stubborn
}

func (s *stubborn) Exec(ctx context.Context, id string, spec engine.ExecSpec) (engine.Execution, error) {
	s.runs++
	run, err := s.Fake.Exec(ctx, id, spec)
	return stubbornRun{run, s}, err
}

func (r stubbornRun) Kill(ctx context.Context) error {
	if !r.e.allowed {
		return errors.Join(errdefs.ErrPermissionDenied, errors.New("run dce-executor as root"))
	}
	return r.Execution.Kill(ctx)
}

func TestCommandThatCantBeEndedIsNotRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		e := &stubborn{Fake: withContainer(t, "web-1", func([]string, io.Reader, io.Writer, io.Writer) int { <-release; return 0 })}
		p := &command{engine: e, container: "web-1"}
		try := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := p.probe(ctx)
			return err
		}
		require.ErrorIs(t, try(), context.DeadlineExceeded)
		for range 3 {
			err := try()
			require.ErrorContains(t, err, "the command of an earlier check still runs and can't be ended")
			require.False(t, errdefs.IsUnavailable(err), "it counts")
		}
		require.Equal(t, 1, e.runs)
		e.allowed = true
		close(release)
		require.NoError(t, try())
		require.Equal(t, 2, e.runs)
	})
}

func TestAnEngineThatDoesNotAnswerIsToBlame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := withContainer(t, "web-1", nil)
		release := fake.Hang(engine.MethodExec)
		defer release()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := (&command{engine: fake, container: "web-1"}).probe(ctx)
		require.True(t, errdefs.IsUnavailable(err), "%v", err)
	})
}

func TestDetail(t *testing.T) {
	require.Empty(t, detail(0, "warning", ""))
	require.Empty(t, detail(1, "\n", " \n"))
	require.Equal(t, "b", detail(1, "a\nb\n", "c"))
	require.Equal(t, "c", detail(1, "\n", "c"))
	require.Len(t, detail(1, string(make([]byte, 5000)), ""), 200)
}
