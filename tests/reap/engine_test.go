package reap

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// late is what the agent is told of a clean-up for which it does not wait any longer.
const late = "the operation cleanup did not end within 5s"

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
	require.Contains(t, module.said.String(), late)
	counts := func() bool { return module.metric("containers_reaped") == 2 && module.metric("engine_up") == 1 }
	require.Eventually(t, counts, soon, pollEvery, "the engine has removed a container before the core knows it")
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
	require.NotContains(t, module.said.String(), late, "the agent waits for an engine that is down")
	require.Contains(t, module.said.String(), "the agent goes on without a cleanup")
	time.Sleep(max(0, d-h.elapsed()))
	require.Zero(t, module.metric("engine_up"))
	require.NoError(t, world.box.Up(context.Background()))
	h.back()
	h.clean()
}
