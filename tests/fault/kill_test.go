package fault

import (
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
)

// TestKillInEveryState: a kill is served at once, whatever the pod waits for.
func TestKillInEveryState(t *testing.T) {
	for _, state := range states {
		t.Run(state, func(t *testing.T) {
			h := hold(t, plain, state, with{})
			h.flag("end")
			if state == "creating" || state == "starting" { // what the engine has done is not known yet, and must not stay
				defer h.release()
			}
			begun := time.Now()
			if state != "stopping" {
				require.NoError(t, h.Kill(h.id, nil))
			}
			status := h.await(mesos.TASK_KILLED)
			t.Logf("after %v: %s", time.Since(begun).Round(time.Millisecond), status.GetMessage())
			require.NotContains(t, status.GetMessage(), "grace", "it ended when it was told to")
			if state != "running" && state != "stopping" {
				require.Equal(t, mesos.REASON_TASK_KILLED_DURING_LAUNCH.String(), status.GetReason().String())
			}
			h.gone()
			want := []string{"STARTING", "KILLED"}
			if state == "running" || state == "stopping" {
				want = []string{"STARTING", "RUNNING", "KILLED"}
			}
			require.Equal(t, want, h.updates())
		})
	}
}

// TestASecondKillShortens: the first one gives all the time of the world.
func TestASecondKillShortens(t *testing.T) {
	h := hold(t, plain, "running", with{})
	require.NoError(t, h.Kill(h.id, new(time.Hour)))
	h.Prints("got TERM")
	require.NoError(t, h.Kill(h.id, new(2*time.Hour)))
	status := h.kill(100 * time.Millisecond)
	require.Contains(t, status.GetMessage(), "Killed after the grace period: web")
	h.gone()
}
