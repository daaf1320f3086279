package launch

import (
	"context"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func testEngines(t *testing.T) (*engines, *logtest.Hook) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	log, hook := logtest.NewNullLogger()
	e := newEngines(log)
	t.Cleanup(func() {
		e.close()
		goleak.VerifyNone(t, before)
	})
	return e, hook
}

// serve answers as much of the Docker API as a connection needs.
func serve(t *testing.T, socket string) {
	t.Helper()
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"CgroupDriver":"cgroupfs","ServerVersion":"20.10"}`))
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
}

func TestAnEngineThatComesUpLateIsWaitedFor(t *testing.T) {
	e, hook := testEngines(t)
	socket := filepath.Join(t.TempDir(), "s")
	time.AfterFunc(300*time.Millisecond, func() { serve(t, socket) })
	docker, info, err := e.wait(t.Context(), "unix://"+socket, time.Minute)
	require.NoError(t, err)
	require.NotNil(t, docker)
	require.Equal(t, "cgroupfs", info.CgroupDriver)
	require.Len(t, hook.AllEntries(), 1, "it is said once")
	require.Equal(t, logrus.WarnLevel, hook.LastEntry().Level)

	again, _, err := e.wait(t.Context(), "unix://"+socket, time.Minute)
	require.NoError(t, err)
	require.Same(t, docker, again, "tasks share a connection")
}

func TestAnEngineThatNeverComesIsGivenUp(t *testing.T) {
	e, _ := testEngines(t)
	socket := filepath.Join(t.TempDir(), "s")
	_, _, err := e.wait(t.Context(), "unix://"+socket, 300*time.Millisecond)
	require.ErrorContains(t, err, socket)
	require.ErrorContains(t, err, "start dockerd")
	require.ErrorContains(t, err, "(tried for 300ms, as engine.lost_timeout says)")

	l, err := net.Listen("unix", socket) // accepts and never answers
	require.NoError(t, err)
	defer l.Close()
	_, _, err = e.wait(t.Context(), "unix://"+socket, 200*time.Millisecond)
	require.EqualError(t, err, "the Docker engine accepts connections and has not answered for 200ms (engine.lost_timeout): "+
		"it hangs or is overloaded, look into dockerd's log")

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, _, err = e.wait(ctx, "unix://"+socket+"2", patience(0))
	require.ErrorIs(t, err, context.DeadlineExceeded, "a kill ends the wait")
	require.Less(t, time.Since(begun), 10*time.Second)
}

func TestAnEngineThatIsNamedWronglyIsNotWaitedFor(t *testing.T) {
	e, _ := testEngines(t)
	begun := time.Now()
	_, _, err := e.wait(t.Context(), "ssh://somewhere", time.Minute)
	require.ErrorContains(t, err, "not supported")
	require.Less(t, time.Since(begun), 10*time.Second)
}

func TestPatience(t *testing.T) {
	require.Equal(t, time.Second, patience(time.Second))
	require.Equal(t, time.Duration(math.MaxInt64), patience(0), "for ever")
}
