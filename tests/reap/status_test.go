package reap

import (
	"sync/atomic"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
)

// asking asks the hook for the labels of a status when an agent does: after the isolators' cleanup (Mesos: Slave::executorTerminated
// and statusUpdate in src/slave/slave.cpp), and before the removal of the executor.
type asking struct {
	modules
	executor mesos.ExecutorInfo // of the one that there is
	labels   atomic.Pointer[map[string]string]
}

func (h *asking) Prepare(c *localagent.Container, executor mesos.ExecutorInfo) (map[string]string, error) {
	h.executor = executor
	return h.modules.Prepare(c, executor)
}

func (h *asking) Cleanup(c *localagent.Container) {
	h.modules.Cleanup(c)
	executor := h.executor
	a := h.with(hook).ask("status", executor.FrameworkID.Value, executor.ExecutorID.Value, int(mesos.TASK_FAILED))
	h.labels.Store(&a.Labels)
}

// TestStatusOfAnExecutorThatTheAgentEnds: on cgroup v1 an agent hears of the task's memory limit, too, and ends the executor, which
// may not have reported by then. The labels say what the kernel killed all the same.
func TestStatusOfAnExecutorThatTheAgentEnds(t *testing.T) {
	h := newHost(t)
	h.start()
	asked := &asking{modules: modules{h}}
	a := h.agent(func(o *localagent.Options) { o.Modules = asked })
	p := a.launch("executor", `
services:
  calm: {image: dce-test/busybox, command: [sleep, "1000"]}
  hungry: {image: dce-test/busybox, depends_on: [calm], command: [sh, -c, "exec dd if=/dev/zero of=/dev/null bs=300M count=1000000"]}
`)
	p.Over()
	labels := *asked.labels.Load()
	require.Equal(t, "hungry", labels["io.dce.oom.service"], "%v", labels)
	require.Equal(t, "pod", labels["io.dce.oom.limit"])
	require.Equal(t, "268435456", labels["io.dce.oom.limit_bytes"])
	require.Contains(t, labels["io.dce.oom.message"], "Service hungry ran out of memory")
	after := h.with(hook).ask("status", p.FrameworkID(), "executor", int(mesos.TASK_FAILED))
	require.Empty(t, after.Labels, "a new run of the executor id is another")
	h.clean()
}
