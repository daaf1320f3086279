package reap

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/core"
)

// TestEngineThatHangs: dockerd is stopped while the executor dies. Nobody waits for it, and what is owed is removed once it goes
// on.
func TestEngineThatHangs(t *testing.T) {
	h := newHost(t)
	m := h.both()
	p := h.agent().running("executor", longLived)
	m.prepared(p)
	require.NoError(t, world.box.Pause())
	p.die()
	cleanup := m.do("cleanup", map[string]any{"container": p.run.ID}, 300*time.Millisecond)
	begun := time.Now()
	m.ok("hook.removed", removal(p, time.Now()))
	require.Less(t, time.Since(begun), 200*time.Millisecond, "the debt is taken over, not paid")
	e := <-cleanup
	require.Equal(t, core.Timeout, e.status, e.text)
	time.Sleep(2 * time.Second)
	require.NotZero(t, m.metrics().Owed)
	require.NoError(t, world.box.Resume())
	h.clean()
	require.EqualValues(t, 2, m.metrics().ContainersReaped)
	require.Equal(t, 1, m.metrics().EngineUp)
}

// TestEngineThatIsDown: dockerd is away when the hook is called and comes back later. Meanwhile a clean-up says so at once.
func TestEngineThatIsDown(t *testing.T) {
	h := newHost(t)
	m := h.both()
	a := h.agent()
	p, other := a.running("executor", longLived), a.running("other", longLived)
	m.prepared(p)
	m.prepared(other)
	require.NoError(t, world.box.Kill())
	p.die()
	e := <-m.do("cleanup", map[string]any{"container": p.run.ID}, 0)
	require.Equal(t, core.Unavailable, e.status, e.text)
	require.Contains(t, e.text, "no Docker engine answers")
	m.ok("hook.removed", removal(p, time.Now()))
	other.die()
	e = <-m.do("cleanup", map[string]any{"container": other.run.ID}, 0)
	require.Equal(t, core.Unavailable, e.status, e.text)
	require.Zero(t, m.metrics().EngineUp)
	time.Sleep(time.Second)
	m.ok("hook.removed", removal(other, time.Now()))
	require.NoError(t, world.box.Up(context.Background()))
	h.clean()
}
