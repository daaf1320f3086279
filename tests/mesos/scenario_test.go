//go:build mesos

package mesos

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/oom"
	"github.com/dce-go/dce/tests/harness"
)

// both runs a scenario under the linux launcher with cgroups isolators, and under the posix launcher, where nothing but the
// module ends a pod.
func both(t *testing.T, scenario func(*testing.T, *host)) {
	for name, posix := range map[string]bool{"linux": false, "posix": true} {
		t.Run(name, func(t *testing.T) { scenario(t, newHost(t, posix)) })
	}
}

// A pod from its launch to its end.
func TestAPod(t *testing.T) {
	both(t, func(t *testing.T, h *host) {
		p := h.running("app", longLived)
		own := "/" + h.root + "/" + p.run + "/"
		if h.posix {
			own = "/dce/" + p.run + "/"
		}
		paths := p.cgroupsOf()
		require.Len(t, paths, 2*3)
		for _, path := range paths {
			require.True(t, strings.HasPrefix(path, own), path)
		}

		metrics := h.metrics()
		for _, name := range []string{"containers_reaped", "orphans_found", "reap_failures", "queue_length", "engine_up", "hierarchy_enforced", "core_panics"} {
			require.Contains(t, metrics, "dce/"+name)
		}
		require.InDelta(t, 1, metrics["dce/engine_up"], 0)
		require.InDelta(t, 1, metrics["dce/hierarchy_enforced"], 0)
		require.InDelta(t, 0, metrics["dce/core_panics"], 0)

		if !h.posix { // posix/mem sees the executor's own processes only
			used := p.known().Statistics
			t.Logf("statistics: %+v", used)
			require.GreaterOrEqual(t, used.Memory, float64(40<<20), "what web holds is the task's")
			require.InDelta(t, (taskMem+executorMem)<<20, used.Limit, 0)
			require.Greater(t, used.User+used.System, 0.0)
			var monitored []agentContainer
			require.NoError(t, ask(h.agentURL()+"/monitor/statistics", &monitored))
			require.Len(t, monitored, 1)
			require.GreaterOrEqual(t, monitored[0].Statistics.Memory, float64(40<<20))
		}

		begun := time.Now()
		h.kill(p.task)
		h.await(p.task, mesos.TASK_KILLED)
		t.Logf("killed after %v, nothing left after %v", time.Since(begun), h.clean(begun))
	})
}

// The executor dies; the launcher's kill, the isolator's cleanup and the hook follow.
func TestTheExecutorIsKilled(t *testing.T) {
	both(t, func(t *testing.T, h *host) {
		p := h.running("app", longLived)
		begun := p.killExecutor()
		status := h.await(p.task, mesos.TASK_FAILED)
		told := time.Since(begun)
		clean := h.clean(begun)
		t.Logf("%s (%s): told after %v, nothing left after %v", status.GetReason(), status.GetMessage(), told, clean)
		require.Less(t, clean, soon)
		h.agent.until("the hook was called", func() bool { return h.metrics()["dce/hook_us"] > 0 })
		metrics := h.metrics()
		require.InDelta(t, 0, metrics["dce/reap_failures"], 0)
		t.Logf("hook: %v µs; containers reaped: %v", metrics["dce/hook_us"], metrics["dce/containers_reaped"])
	})
}

// The agent dies and comes back as the same one: the pod goes on, and ends as any other.
func TestTheAgentIsKilled(t *testing.T) {
	both(t, func(t *testing.T, h *host) {
		p := h.running("app", longLived)
		before := h.everything()
		h.agent.kill()
		require.Empty(t, harness.Difference(before, h.everything()), "a dead agent ends no pod")
		h.startAgent()
		h.agent.until("the executor is back", func() bool { return h.metrics()["slave/executors_running"] == 1 })
		time.Sleep(2 * time.Second) // for what should not happen
		require.Empty(t, harness.Difference(before, h.everything()), "a pod of a recovered executor lives")
		begun := time.Now()
		h.kill(p.task)
		h.await(p.task, mesos.TASK_KILLED)
		t.Logf("nothing left %v after the kill", h.clean(begun))
	})
}

// The agent is told to leave, by its own signal, which the Go runtime in its process must leave to it: it shuts the executor down
// and ends well.
func TestTheAgentShutsDown(t *testing.T) {
	both(t, func(t *testing.T, h *host) {
		p := h.running("app", longLived)
		begun := time.Now()
		require.NoError(t, h.agent.cmd.Process.Signal(syscall.SIGUSR1))
		select {
		case <-h.agent.done:
		case <-time.After(patience):
			require.FailNow(t, "the agent does not end", "not within %v", patience)
		}
		took := time.Since(begun)
		require.True(t, h.agent.cmd.ProcessState.Success(), "%s", h.agent.cmd.ProcessState)
		status := h.over(p.task)
		t.Logf("%s, %s: the agent ended after %v, nothing left after %v", status.GetState(), status.GetReason(), took, h.clean(begun))
	})
}

// The agent comes back as a new one: it knows none of its executors, and removes them without a hook.
func TestTheAgentComesBackWithANewID(t *testing.T) {
	both(t, func(t *testing.T, h *host) {
		p := h.running("app", longLived)
		h.agent.kill()
		h.forgetAgent()
		require.Equal(t, "TASK_LOST", p.endOnceTheAgentIsBack())
	})
}

// Agent and executor die, before the one could see the other's end. What the agent says then depends on whether somebody waited
// for the executor's process meanwhile: a zombie lives, to an agent.
func TestAgentAndExecutorAreKilled(t *testing.T) {
	both(t, func(t *testing.T, h *host) {
		p := h.running("app", longLived)
		h.agent.kill()
		p.killExecutor()
		p.endOnceTheAgentIsBack()
	})
}

func TestAgentAndExecutorAreKilledAndTheAgentHasANewID(t *testing.T) {
	both(t, func(t *testing.T, h *host) {
		p := h.running("app", longLived)
		h.agent.kill()
		p.killExecutor()
		h.forgetAgent()
		require.Equal(t, "TASK_LOST", p.endOnceTheAgentIsBack())
	})
}

// The engine stands still while the executor dies: the agent answers all the while, and all is gone when the engine is able.
func TestTheEngineStandsStill(t *testing.T) {
	h := newHost(t, false)
	p := h.running("app", longLived)
	require.NoError(t, world.Box.Pause())
	resumed := false
	t.Cleanup(func() {
		if !resumed {
			require.NoError(t, world.Box.Resume())
		}
	})
	begun := p.killExecutor()
	slowest := time.Duration(0)
	for time.Since(begun) < 8*time.Second { // longer than the isolator waits for the core
		asked := time.Now()
		require.NoError(t, ask(h.agentURL()+"/flags", new(map[string]any))) // of the agent's own actor; metrics have a limit of two a second
		slowest = max(slowest, time.Since(asked))
		time.Sleep(pollEvery)
	}
	require.Less(t, slowest, 2*time.Second, "the agent never waits for us")
	h.await(p.task, mesos.TASK_FAILED)
	require.NoError(t, world.Box.Resume())
	resumed = true
	t.Logf("slowest answer of the agent: %v; nothing left %v after the engine went on", slowest, h.clean(time.Now()))
}

// The pod takes more memory than the task has. The agent hears of it, too, and destroys the executor; who it was is told anyway.
func TestThePodRunsOutOfMemory(t *testing.T) {
	h := newHost(t, false)
	p := h.launchPod("app", `
services:
  web: {image: dce-test/busybox, command: [sh, -c, "sleep 1; head -c 400m /dev/zero | tail"]}
`)
	status := h.await(p.task, mesos.TASK_FAILED)
	said := status.GetMessage()
	for _, label := range status.GetLabels().GetLabels() {
		if label.Key == oom.LabelMessage {
			said += " " + label.GetValue()
		}
	}
	t.Logf("%s from %s: %s; nothing left after %v", status.GetReason(), status.GetSource(), said, h.clean(time.Now()))
	require.Equal(t, mesos.REASON_CONTAINER_LIMITATION_MEMORY.String(), status.GetReason().String())
	require.Regexp(t, "ervice web ", said)
	require.Contains(t, said, "192 MB")
}

// endOnceTheAgentIsBack starts the agent again and is the state in which the pod ends; nothing of it is left.
func (p *pod) endOnceTheAgentIsBack() string {
	p.Helper()
	p.startAgent()
	begun := time.Now()
	status := p.over(p.task)
	p.Logf("%s, %s (%s); nothing left %v after the agent was back", status.GetState(), status.GetReason(), status.GetMessage(), p.clean(begun))
	return status.GetState().String()
}

// forgetAgent removes what the agent remembers, so that it comes back as a new one.
func (h *host) forgetAgent() {
	h.Helper()
	require.NoError(h, os.RemoveAll(filepath.Join(h.workDir(), "meta")))
}
