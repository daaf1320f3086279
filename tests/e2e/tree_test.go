package e2e

import (
	"testing"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
)

// A pod in a tree of its own, as where the executor's cgroup can't have it: the executor makes and limits it, the kernel binds the
// sum of the services to it, the kill is told by the executor, which is not in it, and nothing of it stays.
func TestAPodInATreeOfItsOwn(t *testing.T) {
	tree := "/dce/e2e-" + uuid.NewString()
	a := app{mem: 64, env: map[string]string{"DCE_CGROUP_PARENT": tree}, labels: map[string]string{"dce.pids.limit": "100"},
		files: map[string]string{"compose.yaml": "services:\n" + eats("web", 10, "") + "  db: {image: dce-test/busybox, init: true, command: [sleep, '1000']}\n"}}
	l := newNode(t, prepare(a)).launch(a)
	l.await(mesos.TASK_RUNNING)
	u, err := l.Cgroups.Usage(tree)
	require.NoError(t, err)
	require.EqualValues(t, 64<<20, u.Memory.Limit)
	require.EqualValues(t, 100, u.Pids.Limit)
	names, err := l.Cgroups.Children(tree)
	require.NoError(t, err)
	for service, c := range l.containers() {
		require.Contains(t, names, c.ID, service)
	}
	l.kill()
	there, err := l.Cgroups.Exists(tree)
	require.NoError(t, err)
	require.False(t, there)

	a.files = map[string]string{"compose.yaml": "services:\n" + eats("web", 80, "") + eats("db", 5, "")}
	l = newNode(t, prepare(a)).launch(a)
	status := l.await(mesos.TASK_FAILED)
	require.Equal(t, mesos.REASON_CONTAINER_LIMITATION_MEMORY, status.GetReason())
	require.Contains(t, status.GetMessage(), "ervice web ")
	require.Regexp(t, atItsLimit, status.GetMessage())
	l.gone()
	there, err = l.Cgroups.Exists(tree)
	require.NoError(t, err)
	require.False(t, there)
}
