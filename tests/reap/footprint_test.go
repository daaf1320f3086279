package reap

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What hook, isolator and core together may add to an agent's process that is idle.
const (
	mostThreads  = 8
	mostResident = 25 << 10 // kB
)

// TestTheModuleTakesLittle compares an agent's process that has cleaned up behind a pod with one that has no modules.
func TestTheModuleTakesLittle(t *testing.T) {
	h := newHost(t)
	without, ready := spawn(t, h.workDir, nil, nil)
	require.True(t, ready)
	with := h.start()
	h.agent().running("executor", longLived).die()
	h.clean()
	require.NotZero(t, with.metric("containers_reaped"))
	threads := with.threads() - without.threads() - 1 // the double's event loop, of which an agent has its own
	resident := with.resident() - without.resident()
	t.Logf("the module adds %d threads and %d kB", threads, resident)
	require.LessOrEqual(t, threads, mostThreads)
	require.LessOrEqual(t, resident, mostResident)
}

func (p *process) threads() int {
	p.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid))
	require.NoError(p, err)
	return len(tasks)
}

// resident is in kB.
func (p *process) resident() (kb int) {
	p.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(p, err)
	_, after, found := strings.Cut(string(status), "VmRSS:")
	require.True(p, found)
	_, err = fmt.Sscan(after, &kb)
	require.NoError(p, err)
	return kb
}
