package launch

import (
	"context"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"go.uber.org/goleak"

	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/engine"
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
	var docker *engine.Docker
	var info engine.Info
	var err error
	waited := make(chan struct{})
	go func() {
		defer close(waited)
		docker, info, err = e.wait(t.Context(), address{host: "unix://" + socket}, time.Minute)
	}()
	require.Eventually(t, func() bool { return len(hook.AllEntries()) > 0 }, time.Minute, time.Millisecond)
	serve(t, socket)
	<-waited
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
	socket := filepath.Join(t.TempDir(), "s")
	synctest.Test(t, func(t *testing.T) { // nothing listens, so that no attempt takes any time
		e, _ := testEngines(t)
		begun := time.Now()
		_, _, err := e.wait(t.Context(), address{host: "unix://" + socket}, 10*time.Second)
		require.Equal(t, 10*time.Second, time.Since(begun))
		require.ErrorContains(t, err, socket)
		require.ErrorContains(t, err, "start dockerd")
		require.ErrorContains(t, err, "(tried for 10s, as engine.lost_timeout says)")

		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		begun = time.Now()
		_, _, err = e.wait(ctx, address{host: "unix://" + socket}, patience(0))
		require.ErrorIs(t, err, context.DeadlineExceeded, "a kill ends the wait")
		require.Equal(t, time.Hour, time.Since(begun))
	})

	e, _ := testEngines(t)
	l, err := net.Listen("unix", socket) // accepts and never answers
	require.NoError(t, err)
	defer l.Close()
	_, _, err = e.wait(t.Context(), address{host: "unix://" + socket}, 200*time.Millisecond)
	require.EqualError(t, err, "the Docker engine accepts connections and has not answered for 200ms (engine.lost_timeout): "+
		"it hangs or is overloaded, look into dockerd's log")
}

// What an attempt came to is said also where patience ended before anybody looked.
func TestAnAttemptThatWasSeenLateCounts(t *testing.T) {
	e, _ := testEngines(t)
	at := address{host: "unix://" + filepath.Join(t.TempDir(), "s")}
	for range 50 {
		<-e.connect(at).done
		_, _, err := e.wait(t.Context(), at, 0)
		require.ErrorContains(t, err, "there is no such socket")
	}
	serve(t, strings.TrimPrefix(at.host, "unix://"))
	<-e.connect(at).done
	for range 50 {
		_, _, err := e.wait(t.Context(), at, 0)
		require.NoError(t, err)
	}
}

func TestAnEngineThatIsNamedWronglyIsNotWaitedFor(t *testing.T) {
	e, _ := testEngines(t)
	_, _, err := e.wait(t.Context(), address{"ssh://somewhere", "the label dce.engine.host"}, patience(0))
	require.ErrorContains(t, err, "(from the label dce.engine.host): a ssh address of a Docker engine is not supported")
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
