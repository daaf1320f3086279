package reaper

import (
	"context"
	"os/exec"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/semaphore"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/core/guard"
	"github.com/dce-go/dce/go/engine/enginetest"
)

// Cgroups that do not get empty hold up those that are removed, and nobody who looks or waits for the engine.
func TestABusyCgroupHoldsUpNoLook(t *testing.T) {
	host, err := cgroup.Open(cgroup.Options{Patience: time.Hour})
	require.NoError(t, err)
	root := "/dce-test-reaper-" + uuid.NewString()[:8]
	t.Cleanup(func() { require.NoError(t, host.Remove(context.Background(), root)) })
	ctx, cancel := context.WithCancel(t.Context())
	var busy guard.Group
	defer func() {
		cancel()
		var left *cgroup.BusyError
		require.ErrorAs(t, busy.Wait(), &left)
	}()
	r := &remover{cgroups: runCgroups{host: host}, attempt: time.Hour, slots: semaphore.NewWeighted(1)}
	for _, run := range []string{"c1", "c2"} {
		own := root + "/" + run
		require.NoError(t, host.Create(own, "memory"), "this test makes cgroups on this machine: run it as root")
		process := exec.Command("sleep", "600")
		require.NoError(t, process.Start())
		t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
		require.NoError(t, host.AddProc(own, process.Process.Pid, "memory"))
		busy.Go(func() error {
			return r.one(ctx, Removal{Run: run, Kind: KindCgroup, ID: own})
		})
	}
	require.Eventually(t, func() bool {
		if removals.TryAcquire(1) {
			removals.Release(1)
			return false
		}
		return true
	}, time.Minute, time.Millisecond, "both wait")
	require.True(t, r.slots.TryAcquire(1), "no call to the engine waits for them")
	bounded, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	seen, err := Observe(bounded, enginetest.New(), host, Match{Scope: "/s", CgroupRoots: []string{root}})
	require.NoError(t, err)
	require.Equal(t, []string{root + "/c1", root + "/c2"}, seen.Cgroups)
}
