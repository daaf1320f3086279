package engine_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
)

// shell is what the commands of the contract do on the fake.
func shell(command []string, stdin io.Reader, stdout, stderr io.Writer) int {
	switch line := command[len(command)-1]; {
	case command[0] == "no-such-program":
		return 127
	case command[0] == "cat":
		_, _ = io.Copy(stdout, stdin)
		return 0
	case strings.HasPrefix(line, "echo out"):
		_, _ = fmt.Fprint(stdout, "out\n")
		_, _ = fmt.Fprint(stderr, "err\n")
		return 3
	case strings.HasPrefix(line, "yes"):
		_, _ = fmt.Fprint(stderr, strings.Repeat("e", 10_000)+"end\n")
		return 0
	default: // sleeps
		_, _ = io.Copy(io.Discard, stdin)
		return 0
	}
}

func (w *world) exec(id string, spec engine.ExecSpec) engine.Execution {
	w.Helper()
	run, err := w.Exec(w.Context(), id, spec)
	require.NoError(w, err)
	w.Cleanup(func() { _ = run.Close() })
	require.NoError(w, run.SetDeadline(time.Now().Add(soon)))
	return run
}

// executing starts a container that commands can be run in.
func (w *world) executing() string {
	w.Helper()
	w.script("web", enginetest.Script{Exec: shell})
	return w.start(w.spec("web", "sleep", "100"))
}

// untilFlag is a command of a shell that lasts until a flag is set.
func untilFlag(flag string) string { return "until test -e /" + flag + "; do sleep 0.02; done" }

// flag sets a flag in a running container. The fake's scripts go by time.
func (w *world) flag(id, name string) {
	w.Helper()
	run := w.exec(id, engine.ExecSpec{Command: []string{"sh", "-c", ": > /" + name}})
	_, err := io.ReadAll(run)
	require.NoError(w, err)
	code, err := run.Wait(w.Context())
	require.NoError(w, err)
	require.Zero(w, code)
}

// execContract is what every gateway does with commands.
var execContract = []struct {
	name string
	test func(*world)
}{
	{"a command's streams and exit code", func(w *world) {
		id := w.executing()
		run := w.exec(id, engine.ExecSpec{Command: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}})
		out, err := io.ReadAll(run)
		require.NoError(w, err)
		require.Equal(w, "out\n", string(out))
		require.Equal(w, "err\n", run.Stderr())
		code, err := run.Wait(w.Context())
		require.NoError(w, err)
		require.Equal(w, 3, code)
	}},
	{"a command's input, until its end", func(w *world) {
		run := w.exec(w.executing(), engine.ExecSpec{Command: []string{"cat"}, Stdin: true})
		got := make([]byte, 5)
		for _, word := range []string{"hello", "again"} {
			_, err := run.Write([]byte(word))
			require.NoError(w, err)
			_, err = io.ReadFull(run, got)
			require.NoError(w, err)
			require.Equal(w, word, string(got))
		}
		require.NoError(w, run.CloseWrite())
		_, err := run.Read(got)
		require.ErrorIs(w, err, io.EOF)
		code, err := run.Wait(w.Context())
		require.NoError(w, err)
		require.Zero(w, code)
	}},
	{"a command without input, and the end of its long stderr", func(w *world) {
		id := w.executing()
		_, err := io.ReadAll(w.exec(id, engine.ExecSpec{Command: []string{"cat"}}))
		require.NoError(w, err)
		run := w.exec(id, engine.ExecSpec{Command: []string{"sh", "-c", "yes() { while i=e$i; do test ${#i} -gt 9999 && break; done; echo ${i}end >&2; }; yes"}})
		_, err = io.ReadAll(run)
		require.NoError(w, err)
		require.Len(w, run.Stderr(), 4<<10)
		require.True(w, strings.HasSuffix(run.Stderr(), "eeeend\n"))
	}},
	{"a command that is no program", func(w *world) {
		run := w.exec(w.executing(), engine.ExecSpec{Command: []string{"no-such-program"}})
		_, err := io.ReadAll(run)
		require.NoError(w, err)
		code, err := run.Wait(w.Context())
		require.NoError(w, err)
		require.Contains(w, []int{126, 127}, code)
	}},
	{"reading a command has a deadline", func(w *world) {
		run := w.exec(w.executing(), engine.ExecSpec{Command: []string{"sleep", "100"}, Stdin: true})
		require.NoError(w, run.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		_, err := run.Read(make([]byte, 1))
		var timeout interface{ Timeout() bool }
		require.ErrorAs(w, err, &timeout)
		require.True(w, timeout.Timeout())
		ctx, cancel := context.WithTimeout(w.Context(), 50*time.Millisecond)
		defer cancel()
		_, err = run.Wait(ctx)
		require.ErrorIs(w, err, context.DeadlineExceeded, "it runs")
	}},
	{"a command is killed", func(w *world) {
		run := w.exec(w.executing(), engine.ExecSpec{Command: []string{"sh", "-c", "sleep 100; true"}, Stdin: true})
		require.Eventually(w, func() bool {
			if err := run.Kill(w.Context()); err != nil {
				return false // it has not begun
			}
			ctx, cancel := context.WithTimeout(w.Context(), 100*time.Millisecond)
			defer cancel()
			code, err := run.Wait(ctx)
			return err == nil && code == 137
		}, soon, time.Millisecond)
		_, err := io.ReadAll(run)
		require.NoError(w, err, "neither it nor the sleep holds the streams")
		require.NoError(w, run.Kill(w.Context()), "what has ended is killed")
	}},
	{"commands need a container that runs", func(w *world) {
		spec := engine.ExecSpec{Command: []string{"true"}}
		_, err := w.Exec(w.Context(), "dce-nobody", spec)
		require.True(w, errdefs.IsNotFound(err), "%v", err)
		_, err = w.Exec(w.Context(), w.create(w.spec("web", "sleep", "100")), spec)
		require.True(w, errdefs.IsConflict(err), "%v", err)
	}},
}

func TestACommandsEnvironment(t *testing.T) {
	removeImages(t, testImage)
	w := newWorld(t, connect(t, engine.ConnectOptions{}), func(string, enginetest.Script) {})
	spec := engine.ExecSpec{Command: []string{"sh", "-c", "echo $PATH $NEW"}, Env: []string{"NEW=value"}}
	id := w.executing()
	out, err := io.ReadAll(w.exec(id, spec))
	require.NoError(t, err)
	require.Equal(t, "/bin value\n", string(out))

	t.Setenv("DOCKER_API_VERSION", "1.24")
	_, err = connect(t, engine.ConnectOptions{}).Exec(t.Context(), id, spec)
	require.True(t, errdefs.IsInvalidArgument(err), "%v", err)
}

// TestAnEngineThatHangsOverACommand has the engine silent where the client would wait for ever.
func TestAnEngineThatHangsOverACommand(t *testing.T) {
	removeImages(t, testImage)
	w := newWorld(t, connect(t, engine.ConnectOptions{}), func(string, enginetest.Script) {})
	id := w.executing()
	for _, request := range []string{"/containers/" + id + "/exec", "/start"} {
		t.Run(request, func(t *testing.T) {
			forward := newFaultProxy(t).Config.Handler
			release := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, request) {
					<-release
				}
				forward.ServeHTTP(w, r)
			}))
			t.Cleanup(server.Close)
			docker := through(t, server, engine.ConnectOptions{Timeout: 300 * time.Millisecond})
			_, err := docker.Exec(t.Context(), id, engine.ExecSpec{Command: []string{"true"}})
			close(release)
			require.True(t, errdefs.IsUnavailable(err), "%v", err)
		})
	}
}

func TestFakeRemembersCommands(t *testing.T) {
	fake := enginetest.New()
	w := newWorld(t, fake, fake.Script)
	w.exec(w.executing(), engine.ExecSpec{Command: []string{"true"}})
	require.True(t, slices.Contains(fake.Calls(), "Exec container "+w.pod+"-web-1"))
}
