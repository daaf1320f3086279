package reap

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

func TestManyLeakedPods(t *testing.T) { manyLeaked(t, 12, soon) }

// TestManyExecutorsDieAtOnce, and the agent is there.
func TestManyExecutorsDieAtOnce(t *testing.T) {
	h := newHost(t)
	module := h.start()
	a := h.agent()
	pods := make([]*pod, 12)
	var group errgroup.Group
	for i := range pods {
		group.Go(func() error {
			pods[i] = a.running(fmt.Sprint("executor-", i), small, "dce.network.mode", "none")
			return nil
		})
	}
	require.NoError(t, group.Wait())
	for _, p := range pods {
		p.slay()
	}
	for _, p := range pods {
		p.Over()
	}
	h.clean()
	require.Zero(t, module.metric("reap_failures"))
}

// manyLeaked: all executors of an agent die while it is away. It starts again and finds so many pods at once.
func manyLeaked(t testing.TB, n int, limit time.Duration) {
	h := newHost(t)
	a := h.agent()
	var group errgroup.Group
	group.SetLimit(2 * runtime.NumCPU())
	for i := range n {
		group.Go(func() error {
			a.running(fmt.Sprint("executor-", i), small, "dce.network.mode", "none").die()
			return nil
		})
	}
	require.NoError(t, group.Wait())
	left := len(h.difference())
	h.back()
	module := h.start()
	h.cleanWithin(limit)
	require.EqualValues(t, n, module.metric("orphans_found"))
	t.Logf("%d pods, of which %d containers, volumes and cgroups were left: gone %v after the agent's recovery", n, left, h.elapsed().Round(time.Millisecond))
}
