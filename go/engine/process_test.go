package engine

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyAContainersOwnProcessIsHeld(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill(), "it must still be there to be killed")
		_ = cmd.Wait()
	})
	id := strings.Repeat("a", 64)
	require.Nil(t, holdProcess(cmd.Process.Pid, id), "its cgroup does not name the container")
	require.Nil(t, holdProcess(cmd.Process.Pid, ""), "everything contains the empty id")
	require.Nil(t, holdProcess(0, id), "a container that does not run")
	require.Nil(t, holdProcess(1, id), "an engine in another pid namespace")
	require.Nil(t, holdProcess(1<<30, id))

	var none *process
	require.Error(t, none.kill())
	none.close()
}
