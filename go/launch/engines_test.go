package launch

import (
	"context"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/config"
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
	docker, info, err := e.wait(t.Context(), address{host: "unix://" + socket}, time.Minute)
	require.NoError(t, err)
	require.NotNil(t, docker)
	require.Equal(t, "cgroupfs", info.CgroupDriver)
	require.Len(t, hook.AllEntries(), 1, "it is said once")
	require.Equal(t, logrus.WarnLevel, hook.LastEntry().Level)

	again, _, err := e.wait(t.Context(), address{host: "unix://" + socket}, time.Minute)
	require.NoError(t, err)
	require.Same(t, docker, again, "tasks share a connection")
}

func TestAnEngineThatNeverComesIsGivenUp(t *testing.T) {
	e, _ := testEngines(t)
	socket := filepath.Join(t.TempDir(), "s")
	_, _, err := e.wait(t.Context(), address{host: "unix://" + socket}, 300*time.Millisecond)
	require.ErrorContains(t, err, socket)
	require.ErrorContains(t, err, "start dockerd")
	require.ErrorContains(t, err, "(tried for 300ms, as engine.lost_timeout says)")

	l, err := net.Listen("unix", socket) // accepts and never answers
	require.NoError(t, err)
	defer l.Close()
	_, _, err = e.wait(t.Context(), address{host: "unix://" + socket}, 200*time.Millisecond)
	require.EqualError(t, err, "the Docker engine accepts connections and has not answered for 200ms (engine.lost_timeout): "+
		"it hangs or is overloaded, look into dockerd's log")

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, _, err = e.wait(ctx, address{host: "unix://" + socket + "2"}, patience(0))
	require.ErrorIs(t, err, context.DeadlineExceeded, "a kill ends the wait")
	require.Less(t, time.Since(begun), 10*time.Second)
}

func TestAnEngineThatIsNamedWronglyIsNotWaitedFor(t *testing.T) {
	e, _ := testEngines(t)
	begun := time.Now()
	_, _, err := e.wait(t.Context(), address{"ssh://somewhere", "the label dce.engine.host"}, time.Minute)
	require.ErrorContains(t, err, "(from the label dce.engine.host): a ssh address of a Docker engine is not supported")
	require.Less(t, time.Since(begun), 10*time.Second)
}

func TestWhoNamesTheEngine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dce.yaml")
	require.NoError(t, os.WriteFile(file, []byte("log: {level: info}\nengine.host: tcp://a:1\n"), 0o600))
	for want, in := range map[address]config.Input{
		{}: {},
		{"tcp://a:1", "engine.host in " + file + ":2"}: {Files: []string{file}},
		{"tcp://b:1", "DCE_ENGINE_HOST"}:               {Files: []string{file}, Environ: []string{"DCE_ENGINE_HOST=tcp://b:1"}},
		{"tcp://c:1", "the label dce.engine.host"}:     {Labels: map[string]string{"dce.engine.host": "tcp://c:1"}},
	} {
		cfg, err := config.Load(in)
		require.NoError(t, err)
		require.Equal(t, want, configured(&cfg))
	}
}

func TestPatience(t *testing.T) {
	require.Equal(t, time.Second, patience(time.Second))
	require.Equal(t, time.Duration(math.MaxInt64), patience(0), "for ever")
}
