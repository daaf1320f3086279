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
