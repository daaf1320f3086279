package reap

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEngineThatHangs(t *testing.T) { engineHangs(t, 2*time.Second) }

// engineHangs: dockerd is stopped while the executor dies. The agent waits for it no longer than it may, and what is owed is
// removed once it goes on.
func engineHangs(t testing.TB, d time.Duration) {
	h := newHost(t)
	module := h.start()
	p := h.agent().running("executor", longLived)
	require.NoError(t, world.box.Pause())
	p.slay()
	p.Over()
	require.Less(t, h.elapsed(), 15*time.Second, "the agent waits for the engine")
	time.Sleep(max(0, d-h.elapsed()))
	require.NotZero(t, module.metric("queue_length"))
	require.NoError(t, world.box.Resume())
	h.back()
	h.clean()
	time.Sleep(1100 * time.Millisecond) // for so long the metrics are not asked for again
	require.EqualValues(t, 2, module.metric("containers_reaped"))
	require.EqualValues(t, 1, module.metric("engine_up"))
}

func TestEngineThatIsDown(t *testing.T) { engineDown(t, 2*time.Second) }

// engineDown: dockerd is away when the hook is called and comes back later. Meanwhile a clean-up ends at once.
func engineDown(t testing.TB, d time.Duration) {
	h := newHost(t)
	module := h.start()
	a := h.agent()
	p, other := a.running("executor", longLived), a.running("other", small)
	require.NoError(t, world.box.Kill())
	p.die()
	other.die()
	require.Less(t, h.elapsed(), 3*time.Second, "the agent waits for an engine that is down")
	time.Sleep(max(0, d-h.elapsed()))
	require.Zero(t, module.metric("engine_up"))
	require.NoError(t, world.box.Up(context.Background()))
	h.back()
	h.clean()
}
