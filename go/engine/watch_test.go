package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

// states are the containers of an observation by service.
func states(o engine.Observation) map[string]engine.ContainerState {
	out := map[string]engine.ContainerState{}
	for _, c := range o.Containers {
		out[c.Service] = c
	}
	return out
}

func TestWatchGivesThePictureThenChangesThenThePictureAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		fake.Script("b", healthyAfter(time.Second))
		spec := aPod(podID, "i", aService("a"), checkedBy(aService("b"), "true"))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		ctx, cancel := context.WithCancel(t.Context())
		watch := p.Watch(ctx, podID)

		o := <-watch
		require.True(t, o.Full)
		require.Len(t, o.Containers, 3)
		require.Equal(t, engine.HealthHealthy, states(o)["b"].Health)
		require.Equal(t, "p-b-1", states(o)["b"].Name)

		fake.Health("p-b-1", engine.HealthUnhealthy)
		o = <-watch
		require.False(t, o.Full)
		require.Len(t, o.Containers, 1)
		require.Equal(t, engine.HealthUnhealthy, states(o)["b"].Health)

		fake.OOM("p-a-1")
		for o = range watch {
			if states(o)["a"].Status == engine.StatusExited {
				break
			}
		}
		require.Equal(t, 137, states(o)["a"].ExitCode)
		require.True(t, states(o)["a"].OOM, "an oom event is kept for the die event")

		fake.DropEvents(errors.New("gone"))
		fake.Exit("p-b-1", 3) // while nobody listens
		o = <-watch
		require.EqualError(t, o.Lost, "gone")
		require.Empty(t, o.Containers)
		o = <-watch
		require.True(t, o.Full)
		require.Equal(t, engine.StatusExited, states(o)["b"].Status)
		require.Equal(t, 3, states(o)["b"].ExitCode)
		require.True(t, states(o)["a"].OOM)

		require.NoError(t, p.Remove(t.Context(), spec))
		for o = range watch {
			if o.Full && len(o.Containers) == 0 {
				break
			}
		}
		cancel()
		for range watch { // closed
		}
	})
}

func TestWatchSaysOnceThatTheEngineIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		watch := p.Watch(ctx, podID)
		require.True(t, (<-watch).Full)
		fake.Fail(engine.MethodEvents, errors.New("refused"), 5)
		fake.Fail(engine.MethodList, errors.New("refused"), 5)
		fake.DropEvents(errors.New("gone"))
		begun := time.Now()
		require.EqualError(t, (<-watch).Lost, "gone")
		require.True(t, (<-watch).Full, "after five refusals it is whole again, and nothing came between")
		require.Less(t, time.Since(begun), 10*time.Second)
		require.Greater(t, time.Since(begun), 500*time.Millisecond, "with pauses between the tries")
	})
}

func TestASlowReaderGetsTheLatestOfEveryContainer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		watch := p.Watch(ctx, podID)
		spec := aPod(podID, "i", aService("a"), checkedBy(aService("b"), "true"))
		fake.Script("b", healthyAfter(time.Second))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		for range 1000 {
			fake.Health("p-b-1", engine.HealthUnhealthy)
			fake.Health("p-b-1", engine.HealthHealthy)
			synctest.Wait()
		}
		fake.Exit("p-a-1", 5)
		synctest.Wait()
		seen, n := map[string]engine.ContainerState{}, 0
		for seen["a"].Status != engine.StatusExited {
			for service, c := range states(<-watch) {
				seen[service] = c
			}
			n++
		}
		require.Equal(t, 5, seen["a"].ExitCode)
		require.Equal(t, engine.HealthHealthy, seen["b"].Health)
		require.Equal(t, engine.StatusRunning, seen["infra"].Status)
		require.LessOrEqual(t, n, 3, "what was not taken is one state a container")
	})
}

func TestAllWatchersShareOneStreamThatEndsWithTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		one, cancelOne := context.WithCancel(t.Context())
		two, cancelTwo := context.WithCancel(t.Context())
		first, second := p.Watch(one, podID), p.Watch(two, podID)
		require.True(t, (<-first).Full)
		require.True(t, (<-second).Full)
		cancelOne()
		_, open := <-first
		require.False(t, open)
		require.NoError(t, p.Up(t.Context(), aPod(podID, "i", aService("a")), nil))
		require.NotEmpty(t, (<-second).Containers, "the other goes on")
		require.Equal(t, 1, count(fake.Calls(), "Events"))
		require.Equal(t, 1, count(fake.Calls(), "List"))
		cancelTwo()
		for range second { // closed
		}
		third, cancelThree := context.WithCancel(t.Context())
		require.Len(t, (<-p.Watch(third, podID)).Containers, 2)
		require.Equal(t, 2, count(fake.Calls(), "Events"))
		cancelThree()
	})
}

func count(all []string, what string) int {
	n := 0
	for _, s := range all {
		if s == what {
			n++
		}
	}
	return n
}
