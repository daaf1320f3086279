package fault

import (
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
)

// stall is for how long dockerd hangs in these tests.
const stall = 500 * time.Millisecond

// hang stops dockerd with SIGSTOP for a while. Its socket takes connections, and its streams stay open and silent.
func (h held) hang(meanwhile func()) {
	h.t.Helper()
	require.NoError(h.t, h.engine.box.Pause())
	meanwhile()
	<-time.After(stall)
	require.NoError(h.t, h.engine.box.Resume())
}

// TestDockerdHangs: nothing comes of it but a delay.
func TestDockerdHangs(t *testing.T) {
	dockerdHangs(t, "preparing", "pulling", "creating", "waiting for healthy", "stopping")
}

func dockerdHangs(t *testing.T, states ...string) {
	for _, state := range states {
		t.Run(state, func(t *testing.T) {
			h := hold(t, plain, state, with{})
			h.hang(h.release)
			if state != "stopping" {
				h.await(mesos.TASK_RUNNING)
				h.flag("end")
				require.NoError(t, h.Kill(h.id, nil))
			}
			status := h.await(mesos.TASK_KILLED)
			require.NotContains(t, status.GetMessage(), "grace")
			require.NotContains(t, status.GetMessage(), "itself")
			h.gone()
		})
	}
}

// TestKillWhileDockerdHangs: the kill is served while dockerd hangs, and true: no process of the pod is left.
func TestKillWhileDockerdHangs(t *testing.T) {
	killWhileDockerdHangs(t, "pulling", "starting", "running")
}

func killWhileDockerdHangs(t *testing.T, states ...string) {
	for _, state := range states {
		t.Run(state, func(t *testing.T) {
			h := hold(t, plain, state, with{})
			require.NoError(t, h.engine.box.Pause())
			defer func() { _ = h.engine.box.Resume() }()
			begun := time.Now()
			status := h.kill(time.Second)
			require.Empty(t, h.processes())
			t.Logf("after %v: %s", time.Since(begun).Round(time.Millisecond), status.GetMessage())
			if webRuns(state) {
				require.Contains(t, status.GetMessage(), "the executor itself ended the processes of: web")
			}
			require.NoError(t, h.engine.box.Resume())
			h.release()
			h.gone()
		})
	}
}
