package engine_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
)

// until reads what a watch gives until service is as wanted.
func until(t *testing.T, watch <-chan engine.Observation, service string, want func(engine.ContainerState) bool) engine.ContainerState {
	t.Helper()
	for o := range watch {
		if c, ok := states(o)[service]; ok && want(c) {
			return c
		}
	}
	t.Fatalf("the watch ended before %s was as wanted", service)
	return engine.ContainerState{}
}

func ended(run int) func(engine.ContainerState) bool {
	return func(c engine.ContainerState) bool { return c.Status == engine.StatusExited && c.Runs == run }
}

func watching(t *testing.T, p *engine.Pod) <-chan engine.Observation {
	ctx, cancel := context.WithCancel(t.Context())
	watch := p.Watch(ctx, podID)
	t.Cleanup(func() {
		cancel()
		for range watch {
		}
	})
	return watch
}

func TestRestartIsAnotherRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		watch := watching(t, p)
		spec := aPod(podID, "i", aService("web"))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		fake.Script("web", enginetest.Script{Exits: true, Code: 3})
		fake.Exit("p-web-1", 3)
		until(t, watch, "web", ended(0))
		require.NoError(t, p.Restart(t.Context(), spec, "p-web-1"))
		c := until(t, watch, "web", ended(1))
		require.Equal(t, 3, c.ExitCode, "the same end once more, and yet another one")
		require.NoError(t, p.Restart(t.Context(), spec, "p-web-1"))
		until(t, watch, "web", ended(2))
		require.ErrorContains(t, p.Restart(t.Context(), spec, "p-stranger-1"), "no container p-stranger-1")
	})
}

// TestRestartWhileTheStreamIsBroken has the list that follows be read while the start is under way: its answer is old.
func TestRestartWhileTheStreamIsBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		watch := watching(t, p)
		spec := aPod(podID, "i", aService("web"))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		fake.Exit("p-web-1", 3)
		until(t, watch, "web", ended(0))

		release := fake.Hang(engine.MethodStart)
		restarted := make(chan error)
		go func() { restarted <- p.Restart(t.Context(), spec, "p-web-1") }()
		until(t, watch, "web", func(c engine.ContainerState) bool { return c.Status == engine.StatusRestarting })
		fake.DropEvents(errors.New("gone"))
		o := <-watch
		for !o.Full {
			o = <-watch
		}
		require.Equal(t, engine.StatusRestarting, states(o)["web"].Status, "that it has ended is known, and of the run before")
		release()
		require.NoError(t, <-restarted)
		until(t, watch, "web", func(c engine.ContainerState) bool { return c.Status == engine.StatusRunning && c.Runs == 1 })
	})
}

func TestRestartThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		watch := watching(t, p)
		spec := aPod(podID, "i", aService("web"))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		fake.Exit("p-web-1", 3)
		until(t, watch, "web", ended(0))

		fake.Fail(engine.MethodStart, fmt.Errorf("no answer: %w", errdefs.ErrUnavailable), 1)
		require.True(t, errdefs.IsUnavailable(p.Restart(t.Context(), spec, "p-web-1")), "whoever asked can ask again")
		until(t, watch, "web", ended(0))

		fake.Fail(engine.MethodStart, fmt.Errorf("no such command: %w", errdefs.ErrInvalidArgument), 1)
		var refused *engine.OpError
		require.ErrorAs(t, p.Restart(t.Context(), spec, "p-web-1"), &refused)
		require.Contains(t, refused.Error(), "services.web.command")
		require.Equal(t, "REASON_CONTAINER_LAUNCH_FAILED", refused.Reason())

		require.NoError(t, p.Remove(t.Context(), spec))
		require.ErrorContains(t, p.Restart(t.Context(), spec, "p-web-1"), "removed from outside")
	})
}

// TestUpWaitsForWhatIsRestarted has services fail at first that have a restart policy.
func TestUpWaitsForWhatIsRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		watch := watching(t, p)
		policy := engine.Restart{On: engine.RestartOnFailure, Attempts: 1}
		fake.Script("init", enginetest.Script{Exits: true, Code: 4})
		init := initService(aService("init"))
		init.Restart = policy
		spec := aPod(podID, "i", after(aService("web"), "init:service_completed_successfully"), init)
		var done []string
		p.Finished = func(f engine.Finished) { done = append(done, string(f.Kind)+" "+f.Container) }
		up := make(chan error, 1)
		go func() { up <- p.Up(t.Context(), spec, nil) }()
		until(t, watch, "init", ended(0))
		time.Sleep(time.Minute)
		require.Empty(t, up, "it is for others to say that this end was the last")
		fake.Script("init", enginetest.Script{Exits: true})
		require.NoError(t, p.Restart(t.Context(), spec, "p-init-1"))
		require.NoError(t, <-up)
		require.Equal(t, []string{"wait p-init-1", "start p-web-1"}, done[len(done)-2:])
	})
}

func TestRestartAfter(t *testing.T) {
	for _, c := range []struct {
		on     engine.RestartOn
		ok, ko bool // after 0, after 1
	}{{engine.RestartNever, false, false}, {engine.RestartOnFailure, false, true}, {engine.RestartAlways, true, true}} {
		r := engine.Restart{On: c.on}
		require.Equal(t, c.ok, r.After(0), c.on)
		require.Equal(t, c.ko, r.After(1), c.on)
	}
}
