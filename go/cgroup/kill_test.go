package cgroup

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestKillEndsWhatIsInTheCgroupAndNothingElse has processes that fork in the cgroup and below it, and bystanders: one beside
// it, one in a cgroup whose name begins alike, and the test itself.
func TestKillEndsWhatIsInTheCgroupAndNothingElse(t *testing.T) {
	h, path := realGroup(t, time.Second)
	in := func(group, script string) *exec.Cmd {
		require.NoError(t, h.Create(path+group))
		cmd := exec.Command("sh", "-c", "read go; "+script)
		start, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		require.NoError(t, h.AddProc(path+group, cmd.Process.Pid))
		_, err = start.Write([]byte("go\n"))
		require.NoError(t, err)
		return cmd
	}
	victims := []*exec.Cmd{in("/c", "exec sleep 300"), in("/c/deep/er", "trap '' TERM; while :; do sleep 0.01; done")}
	bystanders := []*exec.Cmd{in("", "exec sleep 300"), in("/c2", "exec sleep 300")}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	found, err := h.Kill(ctx, path+"/c")
	require.NoError(t, err)
	require.True(t, found)
	for _, cmd := range victims {
		require.Error(t, cmd.Wait())
		require.Equal(t, syscall.SIGKILL, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
	}
	for _, cmd := range bystanders {
		require.NoError(t, cmd.Process.Signal(syscall.Signal(0)))
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/stat")
		require.NoError(t, err)
		require.NotContains(t, string(stat), ") Z")
	}

	found, err = h.Kill(ctx, path+"/c")
	require.NoError(t, err, "nothing is in it any more")
	require.True(t, found)
	found, err = h.Kill(ctx, path+"/none")
	require.NoError(t, err)
	require.False(t, found)
}

func TestKillSparesItself(t *testing.T) {
	h, err := Open(Options{})
	require.NoError(t, err)
	alive, err := h.killIn("/", os.Getpid())
	require.NoError(t, err)
	require.False(t, alive)
	_, err = h.Kill(t.Context(), "/")
	require.ErrorContains(t, err, "root of the hierarchy")
	_, err = h.killIn("/x", 0)
	require.ErrorContains(t, err, "outside of this pid namespace")
}

// TestKillSparesWhoLeft: a process that is listed but has gone elsewhere since is none of ours.
func TestKillSparesWhoLeft(t *testing.T) {
	h, path := realGroup(t, time.Second)
	require.NoError(t, h.Create(path+"/c"))
	pid := sleeper(t)
	alive, err := h.killIn(path+"/c", pid)
	require.NoError(t, err)
	require.False(t, alive)
	require.NoError(t, syscall.Kill(pid, 0))
}
