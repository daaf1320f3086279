package engine_test

import (
	"context"
	"errors"
	"path"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
)

// groups are the cgroups of a machine: what was killed, and which exist.
type groups struct {
	missing func(path string) bool
	err     error
	killed  []string
}

func (g *groups) Kill(_ context.Context, path string) (bool, error) {
	g.killed = append(g.killed, path)
	return g.missing == nil || !g.missing(path), g.err
}

// under puts a pod under a cgroup.
func under(parent string, spec engine.PodSpec) engine.PodSpec {
	spec.Infra.Host.CgroupParent = parent
	for i := range spec.Services {
		spec.Services[i].Host.CgroupParent = parent
	}
	return spec
}

// idOf is a container's id by name.
func idOf(t *testing.T, fake *enginetest.Fake, name string) string {
	t.Helper()
	list, err := fake.List(t.Context())
	require.NoError(t, err)
	i := slices.IndexFunc(list, func(c engine.Container) bool { return c.Name == name })
	require.GreaterOrEqual(t, i, 0, name)
	return list[i].ID
}

func TestTheLastResortOfAStop(t *testing.T) {
	gone := errdefs.ErrUnavailable.WithMessage("cannot connect")
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		g := &groups{}
		p.Cgroups = g
		spec := under("/mesos/c1", aPod(podID, "i", aService("a"), aService("b")))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		var want []string
		for _, name := range []string{"p-a-1", "p-b-1", "p-infra-1"} {
			want = append(want, path.Join("/mesos/c1", idOf(t, fake, name)))
		}

		// It died: what was seen last is what may run.
		fake.Fail(engine.MethodList, gone, enginetest.Always)
		fake.DropEvents(gone)
		begun := time.Now()
		report := p.Stop(t.Context(), spec, in(5*time.Second))
		require.Equal(t, engine.StopReport{Alone: []string{"a", "b"}}, report)
		require.Equal(t, want, g.killed, "infra last")
		require.InDelta(t, 5300*time.Millisecond, time.Since(begun), float64(100*time.Millisecond))

		// It hangs: nothing tells that it does.
		fake.Fail(engine.MethodList, nil, 0)
		g.killed = nil
		for _, method := range []engine.Method{engine.MethodSignal, engine.MethodInspect} {
			defer fake.Hang(method)()
		}
		watching, cancel := context.WithCancel(t.Context())
		defer cancel()
		<-p.Watch(watching, podID)
		release := fake.Hang(engine.MethodList)
		defer release()
		begun = time.Now()
		report = p.Stop(t.Context(), spec, in(2*time.Second))
		require.Equal(t, []string{"a", "b"}, report.Alone)
		require.NoError(t, report.Err)
		require.Equal(t, want, g.killed)
		require.InDelta(t, 2300*time.Millisecond, time.Since(begun), float64(100*time.Millisecond))

		// A second request brings the last resort nearer.
		deadline := in(time.Hour)
		begun = time.Now()
		time.AfterFunc(time.Second, func() { deadline.Shorten(time.Now().Add(time.Second)) })
		require.NoError(t, p.Stop(t.Context(), spec, deadline).Err)
		require.InDelta(t, 2300*time.Millisecond, time.Since(begun), float64(100*time.Millisecond))
	})
}

func TestTheLastResortIsNoneWithoutProof(t *testing.T) {
	gone := errdefs.ErrUnavailable.WithMessage("cannot connect")
	for name, c := range map[string]struct {
		parent string
		groups groups
		calls  int
	}{
		"an engine on another host":  {"/mesos/c1", groups{missing: func(string) bool { return true }}, 2},
		"processes that can't go":    {"/mesos/c1", groups{err: errors.New("state D")}, 2},
		"systemd names the scopes":   {"dce.slice", groups{}, 0},
		"the engine's own choice":    {"", groups{}, 0},
		"the root is nobody's child": {"/", groups{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, fake := fakePod()
				p.Cgroups = &c.groups
				spec := under(c.parent, aPod(podID, "i", aService("a")))
				require.NoError(t, p.Up(t.Context(), spec, nil))
				fake.Fail(engine.MethodList, gone, enginetest.Always)
				fake.DropEvents(gone)
				report := p.Stop(t.Context(), spec, in(time.Second))
				require.ErrorIs(t, report.Err, gone)
				require.Empty(t, report.Alone)
				require.Len(t, c.groups.killed, c.calls)
			})
		})
	}
}

// TestTheLastResortSparesWhoHasEnded: one that is gone has no cgroup, which its neighbours prove.
func TestTheLastResortSparesWhoHasEnded(t *testing.T) {
	gone := errdefs.ErrUnavailable.WithMessage("cannot connect")
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		spec := under("/mesos/c1", aPod(podID, "i", aService("a"), aService("b"), aService("c")))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		watching, cancel := context.WithCancel(t.Context())
		defer cancel()
		watch := p.Watch(watching, podID)
		<-watch
		fake.Exit("p-a-1", 0) // its event comes
		<-watch
		unseen := path.Join("/mesos/c1", idOf(t, fake, "p-b-1"))
		g := &groups{missing: func(path string) bool { return path == unseen }}
		p.Cgroups = g
		fake.Fail(engine.MethodList, gone, enginetest.Always)
		fake.DropEvents(gone)
		report := p.Stop(t.Context(), spec, in(0))
		require.Equal(t, engine.StopReport{Alone: []string{"c"}}, report)
		require.Len(t, g.killed, 3)
	})
}

// TestStopOfWhatWasNeverStartedNeedsNoEngine: a kill while images are pulled is not held up by an engine that died.
func TestStopOfWhatWasNeverStartedNeedsNoEngine(t *testing.T) {
	gone := errdefs.ErrUnavailable.WithMessage("cannot connect")
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		spec := aPod(podID, "i", aService("a"))
		defer fake.Hang(engine.MethodCreate)()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- p.Up(ctx, spec, nil) }()
		synctest.Wait()
		fake.Fail(engine.MethodList, gone, enginetest.Always)
		fake.DropEvents(gone)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		begun := time.Now()
		require.Equal(t, engine.StopReport{}, p.Stop(t.Context(), spec, in(time.Minute)))
		require.Less(t, time.Since(begun), time.Second)
	})
}

// TestTheLastResortComesSoonAfterALateStop: the deadline may have passed while Up's last call was waited for.
func TestTheLastResortComesSoonAfterALateStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		p.Cgroups = &groups{}
		spec := under("/mesos/c1", aPod(podID, "i", aService("a")))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		for _, method := range []engine.Method{engine.MethodSignal, engine.MethodInspect, engine.MethodList} {
			defer fake.Hang(method)()
		}
		begun := time.Now()
		require.Equal(t, []string{"a"}, p.Stop(t.Context(), spec, in(-time.Second)).Alone)
		require.InDelta(t, 300*time.Millisecond, time.Since(begun), float64(100*time.Millisecond))
	})
}

// TestTheLastResortKnowsWhatWasJustStarted: the engine hung before it told of the start.
func TestTheLastResortKnowsWhatWasJustStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		g := &groups{}
		p.Cgroups = g
		spec := under("/mesos/c1", aPod(podID, "i", aService("a")))
		watching, cancel := context.WithCancel(t.Context())
		defer cancel()
		watch := p.Watch(watching, podID)
		<-watch // nothing is there
		fake.Mute()
		ctx, end := context.WithTimeout(t.Context(), time.Second)
		defer end()
		require.ErrorIs(t, p.Up(ctx, spec, nil), context.DeadlineExceeded, "no event came")
		require.Len(t, calls(fake, engine.MethodStart), 2)
		release := fake.Hang(engine.MethodList)
		require.Equal(t, engine.StopReport{Alone: []string{"a"}}, p.Stop(t.Context(), spec, in(0)))
		require.Len(t, g.killed, 2)

		release()
		fake.Exit("p-a-1", 0)
		fake.Exit("p-infra-1", 0)
		g.killed = nil
		require.Equal(t, engine.StopReport{}, p.Stop(t.Context(), spec, in(time.Minute)), "a list tells")
		require.Empty(t, g.killed)
	})
}
