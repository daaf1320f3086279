package e2e

import (
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/harness"
)

// TestUnder24MB: executor and pod together live in 24 MB. Mesos gives a task 32 MB at least, so the limit is put on the
// agent's root, above the task's cgroup.
func TestUnder24MB(t *testing.T) {
	a := app{files: map[string]string{"compose.yaml": threeServices, "www/index.html": "x"}, ports: []uint64{harness.FreePort(t)}}
	n := newNode(t, prepare(a))
	n.limit("memory", "memory.limit_in_bytes", "25165824")
	l := n.launch(a)
	l.await(mesos.TASK_RUNNING)
	l.kill()
	require.Equal(t, []string{"STARTING", "RUNNING", "KILLED"}, l.states())
}
