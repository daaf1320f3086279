package fault

import (
	"context"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
)

// restart ends dockerd and starts it again. Whoever waits for an answer of its old life never gets it.
func (h held) restart() {
	h.t.Helper()
	require.NoError(h.t, h.engine.box.Down())
	h.proxy.Cut()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(h.t, h.engine.box.Up(ctx))
}

// TestDockerdRestartsInEveryState: with live-restore the containers live on, and so does the pod. Without it dockerd ends them,
// and the pod is judged by that; one that had no container yet has lost nothing.
func TestDockerdRestartsInEveryState(t *testing.T) {
	for name, e := range map[string]*engine{"plain": plain, "live-restore": live} {
		for _, state := range states {
			t.Run(name+"/"+state, func(t *testing.T) {
				h := hold(t, e, state, with{})
				var before string
				if webRuns(state) {
					before = h.begun("web")
				}
				if !e.live {
					h.flag("end") // so that dockerd need not wait for it
				}
				h.restart()
				if e.live && webRuns(state) {
					require.Equal(t, before, h.begun("web"), "the same process still")
				}
				h.release()
				switch {
				case state == "stopping":
					h.await(mesos.TASK_KILLED)
				case infraRuns(state) && !e.live:
					status := h.await(mesos.TASK_FAILED)
					t.Log(status.GetMessage())
				default:
					h.await(mesos.TASK_RUNNING)
					h.kill(0)
				}
				h.gone()
			})
		}
	}
}
