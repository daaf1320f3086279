package fault

import (
	"context"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/tests/harness"
)

// checkpointing is a framework whose executors outlive a restart of the agent.
func checkpointing(o *localagent.Options) {
	o.Framework.Checkpoint = new(true)
	o.ReregistrationTimeout = patience
}

// back waits until an executor has subscribed again to an agent that recovers, and ends the recovery.
func (l *task) back() {
	l.t.Helper()
	const subscribed = "Subscribed to the Mesos agent"
	l.Says("(?s)" + subscribed + ".*" + subscribed)
	require.NoError(l.t, l.EndRecovery())
}

// TestTheAgentRestartsInEveryState: the pod goes on while the agent is away, and no update is lost or doubled.
func TestTheAgentRestartsInEveryState(t *testing.T) {
	for _, state := range states {
		t.Run(state, func(t *testing.T) {
			h := hold(t, plain, state, with{agent: []func(*localagent.Options){checkpointing}})
			require.NoError(t, h.Down())
			h.Says("The subscription to the Mesos agent is lost")
			h.release()
			if state == "stopping" {
				h.Says("state=TASK_KILLED")
			} else {
				h.Says("state=TASK_RUNNING")
			}
			require.NoError(t, h.Up(50*time.Millisecond))
			if state != "stopping" { // else the subscription brings the last update, and the executor ends
				h.back()
				h.await(mesos.TASK_RUNNING)
				h.flag("end")
				require.NoError(t, h.Kill(h.id, nil))
			}
			h.await(mesos.TASK_KILLED)
			h.gone()
			require.Equal(t, []string{"STARTING", "RUNNING", "KILLED"}, h.updates())
		})
	}
}

// alone waits until the executor has ended by itself: the agent is gone and can't do it.
func (l *task) alone() {
	l.t.Helper()
	select {
	case <-l.run.Exited():
	case <-time.After(patience):
		require.Fail(l.t, "the executor lives on without its agent")
	}
	require.Equal(l.t, "exit status 1", l.run.ExitStatus())
	require.Empty(l.t, l.processes())
	harness.Settle(l.t, soon, nil, func() []string {
		left, err := l.engine.box.Left(context.Background())
		require.NoError(l.t, err)
		return left
	})
}

// TestTheAgentIsGone: without checkpointing at once, with it after the recovery timeout, the executor ends its pod and itself.
func TestTheAgentIsGone(t *testing.T) { agentIsGone(t, "pulling", "running") }

func agentIsGone(t *testing.T, states ...string) {
	for name, c := range map[string]struct {
		agent func(*localagent.Options)
		says  string
	}{
		"without checkpointing": {func(*localagent.Options) {}, "the framework has no checkpointing, so all pods were stopped"},
		"recovery timeout": {func(o *localagent.Options) {
			checkpointing(o)
			o.RecoveryTimeout = 5 * time.Second // which also bounds the first subscription
		}, "no subscription to the Mesos agent within 5s"},
	} {
		for _, state := range states {
			t.Run(name+"/"+state, func(t *testing.T) {
				h := hold(t, plain, state, with{agent: []func(*localagent.Options){c.agent}})
				h.flag("end")
				require.NoError(t, h.Down())
				h.alone()
				h.Says(c.says)
				h.release()
				require.NoError(t, h.Up(0))
			})
		}
	}
}

// TestALaunchThatComesTwice changes nothing.
func TestALaunchThatComesTwice(t *testing.T) {
	launchComesTwice(t, "preparing", "starting", "stopping")
}

func launchComesTwice(t *testing.T, states ...string) {
	for _, state := range states {
		t.Run(state, func(t *testing.T) {
			h := hold(t, plain, state, with{})
			require.NoError(t, h.Redeliver(h.id))
			h.Says("The agent launches a task that is known already; nothing changes.")
			h.release()
			if state != "stopping" {
				h.await(mesos.TASK_RUNNING)
				h.flag("end")
				require.NoError(t, h.Kill(h.id, nil))
			}
			h.await(mesos.TASK_KILLED)
			h.gone()
			require.Equal(t, []string{"STARTING", "RUNNING", "KILLED"}, h.updates())
		})
	}
}
