package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/mesos/mesos-go/api/v1/lib/recordio"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	own "github.com/dce-go/dce/go/executor"
)

func TestCommandLine(t *testing.T) {
	var out, errs bytes.Buffer
	require.Equal(t, 0, run([]string{"--version"}, nil, &out, &errs))
	require.True(t, strings.HasPrefix(out.String(), "dce-executor dev (go"), out.String())
	require.Equal(t, 0, run([]string{"--help"}, nil, io.Discard, &errs))
	require.Contains(t, errs.String(), "print the version")
	require.Equal(t, exitBadInput, run([]string{"--nonsense"}, nil, io.Discard, &errs))
	require.Contains(t, errs.String(), "nonsense")
}

func TestAnEnvironmentThatIsNoAgents(t *testing.T) {
	var errs bytes.Buffer
	require.Equal(t, exitBadInput, run(nil, []string{"PATH=/bin"}, io.Discard, &errs))
	require.Contains(t, errs.String(), "MESOS_FRAMEWORK_ID is not set")
	require.Contains(t, errs.String(), "MESOS_SANDBOX is not set")
}

// agent answers a SUBSCRIBE with what the test sends, and is the environment that it would give to the executor.
type agent struct {
	environ    []string
	subscribed chan struct{}
	events     chan *executor.Event
}

func newAgent(t *testing.T, status int) *agent {
	a := &agent{subscribed: make(chan struct{}, 1), events: make(chan *executor.Event, 1)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.WriteHeader(status)
		if status != http.StatusOK {
			return
		}
		w.(http.Flusher).Flush()
		a.subscribed <- struct{}{}
		select {
		case e := <-a.events:
			b, _ := e.Marshal()
			_ = recordio.NewWriter(w).WriteFrame(b)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	sandbox := t.TempDir()
	a.environ = []string{
		"MESOS_FRAMEWORK_ID=F", "MESOS_EXECUTOR_ID=E", "MESOS_DIRECTORY=" + sandbox, "MESOS_SANDBOX=" + sandbox,
		"MESOS_AGENT_ENDPOINT=" + server.Listener.Addr().String(), own.TokenVar + "=s3cret",
	}
	return a
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		end    func(*agent)
		code   int
		says   string
	}{
		{"SHUTDOWN", 200, func(a *agent) { a.events <- &executor.Event{Type: executor.Event_SHUTDOWN} }, 0, "told the executor to shut down"},
		{"SIGTERM", 200, func(*agent) { _ = syscall.Kill(os.Getpid(), syscall.SIGTERM) }, 0, "told to end by a signal"},
		{"a refusal", 401, nil, exitFailed, "refused the subscription"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(own.TokenVar, "s3cret")
			a := newAgent(t, c.status)
			var errs bytes.Buffer
			code := make(chan int, 1)
			go func() {
				code <- run([]string{"what a framework adds"}, append(a.environ, "DCE_LOG_FORMAT=json"), io.Discard, &errs)
			}()
			if c.end != nil {
				<-a.subscribed
				c.end(a)
			}
			require.Equal(t, c.code, <-code)
			require.Contains(t, errs.String(), c.says)
			require.Contains(t, errs.String(), "what a framework adds")
			require.NotContains(t, errs.String(), "s3cret")
			require.Contains(t, errs.String(), `"executor":"E"`)
			_, there := os.LookupEnv(own.TokenVar)
			require.False(t, there, "a child could inherit the token")
		})
	}
}

func TestTheGlobalLoggerWritesAsTheExecutors(t *testing.T) {
	global, log := logrus.New(), logrus.New()
	var errs bytes.Buffer
	log.SetOutput(&errs)
	log.SetFormatter(&logrus.JSONFormatter{})
	log.SetLevel(logrus.WarnLevel)
	adopt(global, log)
	global.Info("a library chats")
	global.Warn("a library warns")
	require.NotContains(t, errs.String(), "chats")
	require.Contains(t, errs.String(), `"msg":"a library warns"`)
}

func TestSIGUSR1TogglesDebugLogging(t *testing.T) {
	log := logrus.New()
	said := make(lines, 10)
	log.SetOutput(said)
	defer toggleDebug(log)()
	for _, want := range []logrus.Level{logrus.DebugLevel, logrus.InfoLevel, logrus.DebugLevel} {
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGUSR1))
		select {
		case line := <-said:
			require.Contains(t, line, "level="+want.String())
			require.Equal(t, want, log.GetLevel())
		case <-time.After(10 * time.Second):
			require.Fail(t, "Nothing was said.")
		}
	}
}

// lines passes on what is written.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}
