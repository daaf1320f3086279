package localagent

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
)

// exampleExecutor builds an executor that is not ours: mesos-go's.
func exampleExecutor(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "example-executor")
	out, err := exec.Command("go", "build", "-o", binary, "github.com/mesos/mesos-go/api/v1/cmd/example-executor").CombinedOutput()
	require.NoError(t, err, string(out))
	return binary
}

// TestAnExecutorThatIsNotOurs goes through a whole life with mesos-go's executor, which runs two tasks, is cut off, is
// there for a restart of the agent, runs a third, and ends when it is told to.
func TestAnExecutorThatIsNotOurs(t *testing.T) {
	binary := exampleExecutor(t)
	a := newAgent(t, func(o *Options) {
		checkpointing(o)
		o.ReregistrationTimeout = pollFor // it comes back after some seconds
	})
	launch := func(id string) *Container {
		info := asTask(id, "exec '"+binary+"'")
		info.Executor.ExecutorID.Value = "example"
		c, err := a.Launch(info)
		require.NoError(t, err)
		await(t, a, id, mesos.TASK_RUNNING)
		u := await(t, a, id, mesos.TASK_FINISHED)
		require.Equal(t, c.ID, u.Status.ContainerStatus.ContainerID.Value)
		require.EqualValues(t, c.Pid(), *u.Status.ContainerStatus.ExecutorPID)
		require.Equal(t, "127.0.0.1", *u.Status.ContainerStatus.NetworkInfos[0].IPAddresses[0].IPAddress)
		return c
	}
	c := launch("one")
	require.Same(t, c, launch("two"), "one executor for both")

	a.DropAcks(2)
	release := a.HoldScheduler()
	launch("three")
	require.NoError(t, a.Message("example", []byte("x"))) // which it takes once it knows that its last update has arrived
	require.Eventually(t, func() bool { return strings.Contains(read(t, c, "stderr"), "MESSAGE: received 1 bytes") }, pollFor, pollEvery)
	require.NoError(t, a.Restart(200*time.Millisecond))
	require.Eventually(t, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.state == reconnect && a.executors["example"].state == running
	}, pollFor, pollEvery, "the executor subscribes again")
	require.NoError(t, a.EndRecovery())
	release()
	launch("four")
	var states []string
	for _, u := range a.updates {
		states = append(states, u.Status.TaskID.Value+" "+u.Status.GetState().String())
	}
	require.Equal(t, []string{"one TASK_RUNNING", "one TASK_FINISHED", "two TASK_RUNNING", "two TASK_FINISHED",
		"three TASK_RUNNING", "three TASK_FINISHED", "four TASK_RUNNING", "four TASK_FINISHED"}, states, "none lost, none doubled")

	require.NoError(t, a.Shutdown("example"))
	gone(t, c)
	require.Equal(t, "exit status 0", c.ExitStatus())
	require.Contains(t, read(t, c, "stderr"), "SHUTDOWN received")
}
