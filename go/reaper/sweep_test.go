package reaper

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sync/semaphore"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
	"github.com/dce-go/dce/go/labels"
)

// fakePod puts a pod of n containers, a network and a volume on an engine in memory.
func fakePod(t *testing.T, f *enginetest.Fake, run string, n int) labels.Identity {
	t.Helper()
	id := identity(run)
	f.AddImage("image", engine.Image{})
	for i := range n {
		_, err := f.Create(t.Context(), &engine.ContainerSpec{Service: "web", Name: fmt.Sprintf("%s-web-%d", id.PodID(), i+1),
			Config: &container.Config{Image: "image", Labels: labels.ForService(id.Labels("1"), "web", labels.RoleService, fmt.Sprint(i+1))}, Host: &container.HostConfig{}})
		require.NoError(t, err)
	}
	_, err := f.CreateNetwork(t.Context(), engine.NetworkSpec{Name: id.PodID() + "_default", Options: network.CreateOptions{Labels: id.Labels("1")}})
	require.NoError(t, err)
	require.NoError(t, f.CreateVolume(t.Context(), engine.VolumeSpec{Options: volume.CreateOptions{Name: id.PodID() + "_data", Labels: id.Labels("1")}}))
	return id
}

func nothingLeft(t *testing.T, e Engine) {
	t.Helper()
	seen, err := Observe(t.Context(), e, nil, Match{})
	require.NoError(t, err)
	require.Empty(t, seen.things())
}

func TestSweepRemovesInOrder(t *testing.T) {
	defer goleak.VerifyNone(t)
	f := enginetest.New()
	pod := fakePod(t, f, "c1", 3).PodID()
	report, err := Sweep(t.Context(), f, nil, Match{Scope: "/var/lib/mesos"})
	require.NoError(t, err)
	require.Len(t, report.Removed, 5)
	require.Empty(t, report.Left)
	nothingLeft(t, f)
	removals := 0
	for _, call := range f.Calls() {
		switch call {
		case "Remove network " + pod + "_default", "Remove volume " + pod + "_data":
			require.Equal(t, 3, removals, "containers go first")
		case "Remove container " + pod + "-web-1", "Remove container " + pod + "-web-2", "Remove container " + pod + "-web-3":
			removals++
		}
	}
	report, err = Sweep(t.Context(), f, nil, Match{Scope: "/var/lib/mesos"})
	require.NoError(t, err)
	require.Empty(t, report)
}

// Where a test waits it has a clock of its own, which stands still while anything is done: a machine may stall as long as it likes.

// hang lets calls about one target wait for the end of their context.
func hang(target *string) engine.Interceptor {
	return func(ctx context.Context, call engine.Call, next func(context.Context) error) error {
		if call.Target != "" && call.Target == *target {
			<-ctx.Done()
			return ctx.Err()
		}
		return next(ctx)
	}
}

func TestWhatHangsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := enginetest.New()
		for i := range 20 {
			fakePod(t, f, fmt.Sprintf("c%d", i), 2)
		}
		list, err := f.List(t.Context())
		require.NoError(t, err)
		stuck := list[0]
		s := Sweeper{Engine: engine.Intercept(f, hang(&stuck.ID)), Slots: semaphore.NewWeighted(2), Attempt: 200 * time.Millisecond, Patience: 2 * time.Second}
		report, err := s.Sweep(t.Context(), Match{Scope: "/var/lib/mesos"})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, stuck.Name)
		require.Len(t, report.Removed, 20*4-3, "all but the one that hangs and what waits for it: its run's network and volume")
		require.Len(t, report.Failed, 3)
		list, err = f.List(t.Context())
		require.NoError(t, err)
		require.Len(t, list, 1)
	})
}

func TestFailuresThatPass(t *testing.T) {
	for name, fault := range map[string]func(*enginetest.Fake){
		"the engine is away for a moment":         func(f *enginetest.Fake) { f.Fail(engine.MethodRemove, errdefs.ErrUnavailable, 2) },
		"lists fail at first":                     func(f *enginetest.Fake) { f.Fail(engine.MethodList, errdefs.ErrInternal, 1) },
		"it is done, and an error says it is not": func(f *enginetest.Fake) { f.FailAfter(engine.MethodRemove, errdefs.ErrInternal, 3) },
		"a conflict that resolves itself":         func(f *enginetest.Fake) { f.Fail(engine.MethodRemove, errdefs.ErrConflict, 4) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := enginetest.New()
				fakePod(t, f, "c1", 2)
				fault(f)
				report, err := Sweep(t.Context(), f, nil, Match{Scope: "/var/lib/mesos", Container: "c1"})
				require.NoError(t, err)
				require.Len(t, report.Removed, 4)
				nothingLeft(t, f)
			})
		})
	}
}

// A removal costs one call. Only what an engine might bring back after a removal that failed loses its restart policy before.
func TestRestartPolicy(t *testing.T) {
	for name, want := range map[string]struct {
		failures int
		calls    string
	}{
		"the first attempt succeeds": {0, "Remove"},
		"the first attempt fails":    {1, "Remove, DisableRestart, Remove"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := enginetest.New()
				container := fakePod(t, f, "c1", 1).PodID() + "-web-1"
				require.NoError(t, f.Start(t.Context(), container))
				f.Fail(engine.MethodRemove, errdefs.ErrInternal, want.failures)
				report, err := Sweep(t.Context(), f, nil, Match{Scope: "/var/lib/mesos"})
				require.NoError(t, err)
				require.Len(t, report.Removed, 3)
				nothingLeft(t, f)
				var calls []string
				for _, call := range f.Calls() {
					if method, target, _ := strings.Cut(call, " "); strings.HasSuffix(target, container) && method != "Start" && method != "Create" {
						calls = append(calls, method)
					}
				}
				require.Equal(t, want.calls, strings.Join(calls, ", "))
			})
		})
	}
}

func TestFailuresThatStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := enginetest.New()
		fakePod(t, f, "c1", 2)
		f.Fail(engine.MethodRemove, fmt.Errorf("it is bewitched: %w", errdefs.ErrInvalidArgument), enginetest.Always)
		report, err := Sweep(t.Context(), f, nil, Match{Scope: "/var/lib/mesos", Executor: "e"})
		var incomplete *IncompleteError
		require.ErrorAs(t, err, &incomplete)
		require.True(t, errdefs.IsInvalidArgument(err))
		require.ErrorContains(t, err, "not everything of executor e could be removed")
		require.ErrorContains(t, err, "it is bewitched")
		require.ErrorContains(t, err, "1 more")
		require.Len(t, report.Failed, 4)
		require.Empty(t, report.Removed)

		f.Fail(engine.MethodList, errdefs.ErrUnavailable, enginetest.Always)
		_, err = Sweeper{Engine: f, Patience: 300 * time.Millisecond}.Sweep(t.Context(), Match{Scope: "/var/lib/mesos", Task: "web"})
		require.True(t, errdefs.IsUnavailable(err))
		require.ErrorContains(t, err, "what is left of task web can't be seen")

		_, err = Sweep(t.Context(), f, nil, Match{})
		require.True(t, errdefs.IsInvalidArgument(err))
		_, err = Sweep(t.Context(), f, nil, Match{Scope: "s", CgroupRoots: []string{"/mesos"}})
		require.True(t, errdefs.IsInvalidArgument(err))
	})
}

// An engine may answer that a removal is on its way: the sweep ends when the thing is gone, or says that it is not.
func TestRemovalOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, gone := range []bool{true, false} {
			f := enginetest.New()
			fakePod(t, f, "c1", 1)
			tries := 0
			slow := engine.Intercept(f, func(ctx context.Context, call engine.Call, next func(context.Context) error) error {
				if call.Method != engine.MethodRemove || call.Kind != engine.KindContainer {
					return next(ctx)
				}
				if tries++; gone && tries == 3 {
					return next(ctx)
				}
				return nil
			})
			report, err := Sweeper{Engine: slow, Patience: time.Second}.Sweep(t.Context(), Match{Scope: "/var/lib/mesos"})
			if gone {
				require.NoError(t, err)
				require.Len(t, report.Removed, 3)
				nothingLeft(t, f)
				continue
			}
			require.ErrorContains(t, err, "the engine still has it")
			require.Len(t, report.Failed, 1)
			require.Len(t, report.Removed, 2)
		}
	})
}

func TestSweepEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := enginetest.New()
		fakePod(t, f, "c1", 5)
		release := f.Hang(engine.MethodRemove)
		defer release()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := Sweep(ctx, f, nil, Match{Scope: "/var/lib/mesos"})
		require.True(t, errors.Is(err, context.DeadlineExceeded), "%v", err)
		require.Less(t, time.Since(start), 3*time.Second)
	})
}
