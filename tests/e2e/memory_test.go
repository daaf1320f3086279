package e2e

import (
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
)

// TestUnder24MB: executor and pod together live in 24 MB. Mesos gives a task 32 MB at least, so the limit is put on the
// agent's root, above the task's cgroup.
func TestUnder24MB(t *testing.T) {
	a := app{files: map[string]string{"compose.yaml": threeServices, "www/index.html": "x"}, ports: []uint64{freePort(t)}}
	n := newNode(t, prepare(a))
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	require.NoError(t, host.Create("/"+n.root, "memory"))
	require.NoError(t, host.Write("memory", "/"+n.root, "memory.limit_in_bytes", "25165824"))
	l := n.launch(a)
	l.await(mesos.TASK_RUNNING)
	l.kill()
	require.Equal(t, []string{"STARTING", "RUNNING", "KILLED"}, l.states())
}
