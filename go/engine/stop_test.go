package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
	"github.com/dce-go/dce/go/labels"
)

func in(d time.Duration) *engine.Deadline { return engine.NewDeadline(time.Now().Add(d)) }

func withGrace(c engine.ContainerSpec, grace time.Duration) engine.ContainerSpec {
	c.Grace = grace
	return c
}

// running says which containers of the pod run, sorted.
func running(t *testing.T, fake *enginetest.Fake) []string {
	t.Helper()
	list, err := fake.List(t.Context(), labels.Pod+"="+podID)
	require.NoError(t, err)
	out := []string{}
	for _, c := range list {
		if c.Status == engine.StatusRunning {
			out = append(out, c.Name)
		}
	}
	slices.Sort(out)
	return out
}

func TestStopGoesByLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		for service, lingers := range map[string]time.Duration{"web": 3 * time.Second, "job": 2 * time.Second, "db": 4 * time.Second} {
			fake.Script(service, enginetest.Script{Lingers: lingers})
		}
		spec := aPod(podID, "i", after(aService("web"), "db:service_started"), aService("db"), after(aService("job"), "db:service_started"))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		begun := time.Now()
		watch := p.Watch(t.Context(), podID)
		ends := map[string]time.Duration{}
		go func() {
			for o := range watch {
				for _, c := range o.Containers {
					if c.Status == engine.StatusExited {
						ends[c.Service] = c.At.Sub(begun)
					}
				}
			}
		}()
		report := p.Stop(t.Context(), spec, in(time.Minute))
		require.Equal(t, engine.StopReport{}, report)
		require.Equal(t, 7*time.Second, time.Since(begun))
		synctest.Wait()
		require.Equal(t, map[string]time.Duration{
			"job": 2 * time.Second, "web": 3 * time.Second, "db": 7 * time.Second, "infra": 7 * time.Second,
		}, ends)
		require.Empty(t, running(t, fake))
		require.Len(t, calls(fake, engine.MethodSignal), 4)
	})
}

func TestStopKillsWhatOverrunsItsGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		fake.Script("deaf", enginetest.Script{Deaf: true})
		fake.Script("mute", enginetest.Script{Deaf: true})
		spec := aPod(podID, "i", withGrace(aService("deaf"), 5*time.Second), withGrace(aService("mute"), 0), aService("web"))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		begun := time.Now()
		report := p.Stop(t.Context(), spec, in(time.Minute))
		require.Equal(t, engine.StopReport{Overran: []string{"deaf"}}, report)
		require.Equal(t, 5*time.Second, time.Since(begun))
	})
}

func TestStopFitsIntoADeadlineThatComesNearer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		for _, service := range []string{"web", "db"} {
			fake.Script(service, enginetest.Script{Deaf: true})
		}
		spec := aPod(podID, "i", after(withGrace(aService("web"), time.Hour), "db:service_started"), withGrace(aService("db"), time.Hour))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		begun := time.Now()
		require.Equal(t, []string{"db", "web"}, p.Stop(t.Context(), spec, in(10500*time.Millisecond)).Overran)
		require.Equal(t, 10*time.Second, time.Since(begun), "five seconds for each level, and something kept for the kill")

		require.NoError(t, p.Up(t.Context(), spec, nil))
		begun = time.Now()
		deadline := in(time.Hour)
		time.AfterFunc(20*time.Second, func() { deadline.Shorten(time.Now().Add(5 * time.Second)) })
		require.Equal(t, []string{"db", "web"}, p.Stop(t.Context(), spec, deadline).Overran)
		require.LessOrEqual(t, time.Since(begun), 25*time.Second)
		require.Greater(t, time.Since(begun), 20*time.Second)

		require.NoError(t, p.Up(t.Context(), spec, nil))
		begun = time.Now()
		require.NoError(t, p.Stop(t.Context(), spec, in(-time.Second)).Err, "a deadline in the past kills at once")
		require.Zero(t, time.Since(begun))
		require.Empty(t, running(t, fake))
	})
}

func TestStopSendsEachItsOwnSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		fake.AddImage("q", engine.Image{Stop: "SIGQUIT"})
		own, config, image, odd := aService("own"), aService("config"), aService("image"), aService("odd")
		own.Signal, config.Config.StopSignal, image.Image, odd.Signal = "SIGUSR1", "SIGINT", "q", "SIGNONE"
		spec := aPod(podID, "i", own, config, image, aService("none"), odd)
		require.NoError(t, p.Up(t.Context(), spec, nil))
		require.Equal(t, engine.StopReport{}, p.Stop(t.Context(), spec, in(time.Minute)))
		list, err := fake.List(t.Context())
		require.NoError(t, err)
		codes := map[string]int{}
		for _, c := range list {
			codes[c.Labels[labels.Service]] = c.ExitCode
		}
		require.Equal(t, map[string]int{"own": 138, "config": 130, "image": 131, "none": 143, "odd": 137, "infra": 137}, codes)
		require.Equal(t, 2, count(fake.Calls(), "Image image i")+count(fake.Calls(), "Image image q"), "what Up learned is not asked again")

		require.NoError(t, p.Up(t.Context(), spec, nil))
		other := &engine.Pod{Gateway: fake, Log: quiet()} // knows nothing of the images
		require.Equal(t, engine.StopReport{}, other.Stop(t.Context(), spec, in(time.Minute)))
		require.Equal(t, 4, count(fake.Calls(), "Image image q")+min(count(fake.Calls(), "Image image i"), 1))
	})
}

func TestStopInAnyState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		spec := aPod(podID, "i", aService("a"), aService("b"))
		require.Equal(t, engine.StopReport{}, p.Stop(t.Context(), spec, in(time.Minute)), "nothing is there")

		id, err := fake.Create(t.Context(), &spec.Services[0])
		require.NoError(t, err)
		require.Equal(t, engine.StopReport{}, p.Stop(t.Context(), spec, in(time.Minute)), "created and never started")
		require.Empty(t, calls(fake, engine.MethodSignal))

		require.NoError(t, fake.Start(t.Context(), id))
		stray := aPod(podID, "i", aService("stray")).Services[0]
		strayID, err := fake.Create(t.Context(), &stray)
		require.NoError(t, err)
		require.NoError(t, fake.Start(t.Context(), strayID))
		require.Equal(t, engine.StopReport{}, p.Stop(t.Context(), spec, in(time.Minute)), "half of it, and what the spec does not name")
		require.Empty(t, running(t, fake))

		// A start that was under way when the stop began.
		fake.Script("a", enginetest.Script{Lingers: 2 * time.Second})
		require.NoError(t, fake.Start(t.Context(), id))
		bID, err := fake.Create(t.Context(), &spec.Services[1])
		require.NoError(t, err)
		time.AfterFunc(time.Second, func() { require.NoError(t, fake.Start(context.Background(), bID)) })
		require.Equal(t, engine.StopReport{}, p.Stop(t.Context(), spec, in(time.Minute)))
		require.Empty(t, running(t, fake))
	})
}

func TestStopWhenTheEngineDoesNotAnswer(t *testing.T) {
	gone := errdefs.ErrUnavailable.WithMessage("cannot connect")
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		spec := aPod(podID, "i", aService("a"))
		require.NoError(t, p.Up(t.Context(), spec, nil))

		fake.Fail(engine.MethodList, gone, enginetest.Always)
		begun := time.Now()
		report := p.Stop(t.Context(), spec, in(10*time.Second))
		require.EqualError(t, report.Err, "the containers of pod p can't be stopped or listed, the Docker engine is out of reach: cannot connect")
		require.ErrorIs(t, report.Err, gone)
		require.InDelta(t, 11*time.Second, time.Since(begun), float64(time.Second))

		fake.Fail(engine.MethodList, gone, 5)
		fake.Fail(engine.MethodSignal, gone, 3)
		require.Equal(t, engine.StopReport{}, p.Stop(t.Context(), spec, in(20*time.Second)), "it came back in time")
		require.Empty(t, running(t, fake))

		require.NoError(t, p.Up(t.Context(), spec, nil))
		defer fake.Hang(engine.MethodSignal)()
		begun = time.Now()
		report = p.Stop(t.Context(), spec, in(time.Second))
		require.EqualError(t, report.Err, "pod p was killed and p-a-1, p-infra-1 still ran: look into dockerd's log, and for a process in state D")
		require.Equal(t, 11*time.Second, time.Since(begun).Round(time.Second))

		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errors.New("enough")) })
		require.ErrorContains(t, p.Stop(ctx, spec, in(time.Minute)).Err, "enough")
	})
}
