//go:build all

package e2e

import (
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
)

// TestAllTheCPUQuotaIsHadInFull is the lower bound of TestTheCPUQuotaBindsTheSum: two busy containers use what the task has to
// within 5 %, where there is CPU time to spare. The agent's root has a weight that makes it so beside other tests.
func TestAllTheCPUQuotaIsHadInFull(t *testing.T) {
	const cpus = 0.5
	a := app{cpus: cpus, files: map[string]string{"compose.yaml": "services:\n" + busy("one") + busy("two")}}
	n := newNode(t, prepare(a))
	n.limit("cpu", "cpu.shares", "262144")
	l := n.launch(a)
	l.await(mesos.TASK_RUNNING)
	require.InEpsilon(t, cpus, l.cpus(), 0.05)
	l.kill()
}
