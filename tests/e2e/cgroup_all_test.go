//go:build all

package e2e

import (
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
)

// TestAllTheCPUQuotaIsHadInFull is the lower bound of TestTheCPUQuotaBindsTheSum: on a machine with CPU time to spare two busy
// containers use what the task has to within 5 %.
func TestAllTheCPUQuotaIsHadInFull(t *testing.T) {
	const cpus = 0.5
	l := launch(t, app{cpus: cpus, files: map[string]string{"compose.yaml": "services:\n" + busy("one") + busy("two")}})
	l.await(mesos.TASK_RUNNING)
	require.InEpsilon(t, cpus, l.cpus(), 0.05)
	l.kill()
}
