package enginetest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
	"github.com/dce-go/dce/go/labels"
)

const podLabel = labels.Pod + "=p"

func spec(service string) *engine.ContainerSpec {
	return &engine.ContainerSpec{
		Service: service, Name: "p-" + service + "-1",
		Config: &container.Config{Image: "i", Labels: map[string]string{labels.Pod: "p", labels.Service: service}},
	}
}

func started(t *testing.T, f *enginetest.Fake, s *engine.ContainerSpec) string {
	t.Helper()
	f.AddImage("i", engine.Image{ID: "sha256:1"})
	id, err := f.Create(t.Context(), s)
	require.NoError(t, err)
	require.NoError(t, f.Start(t.Context(), id))
	return id
}

func only(t *testing.T, g engine.Gateway) engine.Container {
	t.Helper()
	list, err := g.List(t.Context(), podLabel)
	require.NoError(t, err)
	require.Len(t, list, 1)
	return list[0]
}

func TestScriptsRunOnTheClockOfTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := enginetest.New()
		f.Script("web", enginetest.Script{
			Exits: true, After: time.Hour, Code: 3,
			Health: []enginetest.HealthChange{{After: time.Minute, To: engine.HealthHealthy}},
		})
		s := spec("web")
		s.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "true"}}
		started(t, f, s)
		require.Equal(t, engine.HealthStarting, only(t, f).Health)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, engine.HealthHealthy, only(t, f).Health)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, engine.StatusExited, only(t, f).Status)
		require.Equal(t, 3, only(t, f).ExitCode)
	})
}

func TestSignalsLingerOrFallOnDeafEars(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := enginetest.New()
		f.Script("slow", enginetest.Script{Lingers: 5 * time.Second})
		f.Script("deaf", enginetest.Script{Deaf: true})
		slow, deaf := started(t, f, spec("slow")), started(t, f, spec("deaf"))
		for _, id := range []string{slow, deaf} {
			require.NoError(t, f.Signal(t.Context(), id, "SIGTERM"))
		}
		status := func() map[string]engine.Status {
			list, err := f.List(t.Context(), podLabel)
			require.NoError(t, err)
			return map[string]engine.Status{list[0].ID: list[0].Status, list[1].ID: list[1].Status}
		}
		time.Sleep(4 * time.Second)
		require.Equal(t, engine.StatusRunning, status()[slow])
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, engine.StatusExited, status()[slow])
		require.Equal(t, engine.StatusRunning, status()[deaf])
		require.NoError(t, f.Signal(t.Context(), deaf, "KILL"))
		require.Equal(t, engine.StatusExited, status()[deaf])
	})
}

func TestFaults(t *testing.T) {
	f := enginetest.New()
	f.AddImage("i", engine.Image{})
	broken := errors.New("500")

	f.Fail(engine.MethodCreate, broken, 1)
	_, err := f.Create(t.Context(), spec("a"))
	require.ErrorIs(t, err, broken)
	list, err := f.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, list, "Fail does nothing")

	f.FailAfter(engine.MethodCreate, broken, 1)
	_, err = f.Create(t.Context(), spec("a"))
	require.ErrorIs(t, err, broken)
	require.Equal(t, engine.StatusCreated, only(t, f).Status, "FailAfter does it all the same")

	id, err := f.Create(t.Context(), spec("a"))
	require.NoError(t, err)
	require.Equal(t, only(t, f).ID, id, "what an earlier try left is adopted")

	f.Fail(engine.MethodStart, broken, enginetest.Always)
	for range 3 {
		require.ErrorIs(t, f.Start(t.Context(), id), broken)
	}
	require.Contains(t, f.Calls(), "Start container p-a-1")
}

func TestAHangEndsWithTheTimeoutOrTheRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := enginetest.New()
		release := f.Hang(engine.MethodInfo)
		bounded := engine.Intercept(f, engine.Timeout(time.Minute))
		_, err := bounded.Info(t.Context())
		require.True(t, errdefs.IsUnavailable(err), "%v", err)
		require.EqualError(t, err, "the Docker engine did not answer within 1m0s (Info): it hangs or is overloaded, look into dockerd's log")

		time.AfterFunc(30*time.Second, release)
		_, err = bounded.Info(t.Context())
		require.NoError(t, err)

		defer f.Hang(engine.MethodInfo)()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = bounded.Info(ctx)
		require.Equal(t, context.DeadlineExceeded, err, "the caller's own deadline is no fault of the engine")
	})
}

func TestDroppedEventStreams(t *testing.T) {
	f := enginetest.New()
	events, failed := f.Events(t.Context(), podLabel)
	broken := errors.New("gone")
	f.DropEvents(broken)
	_, open := <-events
	require.False(t, open)
	require.ErrorIs(t, failed(), broken)

	f.Fail(engine.MethodEvents, broken, 1)
	events, failed = f.Events(t.Context(), podLabel)
	_, open = <-events
	require.False(t, open)
	require.ErrorIs(t, failed(), broken)

	events, _ = f.Events(t.Context(), podLabel)
	started(t, f, spec("a"))
	f.OOM("p-a-1")
	for _, want := range []string{"create", "start", "oom", "die"} {
		require.Equal(t, want, (<-events).Action)
	}
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := enginetest.New()
		log, lines := logtest.NewNullLogger()
		g := engine.Intercept(f, engine.Retry(time.Minute, log))
		f.AddImage("i", engine.Image{})

		f.FailAfter(engine.MethodCreate, errdefs.ErrUnavailable, 3)
		id, err := g.Create(t.Context(), spec("a"))
		require.NoError(t, err)
		require.Equal(t, only(t, f).ID, id)
		require.Len(t, lines.AllEntries(), 3)
		require.Equal(t, logrus.WarnLevel, lines.LastEntry().Level)

		f.Fail(engine.MethodStart, errdefs.ErrInternal, 1)
		require.ErrorIs(t, g.Start(t.Context(), id), errdefs.ErrInternal, "only an unavailable engine is asked again")
		require.NoError(t, g.Start(t.Context(), id))

		f.FailAfter(engine.MethodSignal, errdefs.ErrUnavailable, 1)
		require.ErrorIs(t, g.Signal(t.Context(), id, "TERM"), errdefs.ErrUnavailable, "a signal is never sent twice")

		f.Fail(engine.MethodInfo, errdefs.ErrUnavailable, enginetest.Always)
		begun := time.Now()
		_, err = g.Info(t.Context())
		require.ErrorIs(t, err, errdefs.ErrUnavailable)
		require.InDelta(t, time.Minute, time.Since(begun), float64(6*time.Second))

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begun = time.Now()
		_, err = g.Info(ctx)
		require.Error(t, err)
		require.Less(t, time.Since(begun), 2*time.Second)
	})
}
