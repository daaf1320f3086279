package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/oom"
)

// eats is a service that uses so many MB and then sleeps.
func eats(name string, mb int, more string) string {
	return fmt.Sprintf("  %s: {image: dce-test/busybox, stop_grace_period: 0s, command: [sh, -c, 'exec dd if=/dev/zero of=/dev/null bs=%dM count=1000000']%s}\n", name, mb, more)
}

// killed is what oom.json says.
func (l *launched) killed() []oom.Kill {
	l.t.Helper()
	var out oom.File
	require.NoError(l.t, json.Unmarshal([]byte(l.file(oom.FileName)), &out))
	return out.Kills
}

// A container that exceeds its own limit inside a roomy pod: the agent hears nothing of it, so the executor tells all.
func TestAContainerAtItsOwnLimit(t *testing.T) {
	l := launch(t, app{mem: 256, files: map[string]string{"compose.yaml": "services:\n" +
		eats("web", 60, ", mem_limit: 32m, memswap_limit: 32m") + eats("db", 20, "")}})
	status := l.await(mesos.TASK_FAILED)
	t.Log(status.GetMessage())
	require.Equal(t, mesos.REASON_CONTAINER_LIMITATION_MEMORY, status.GetReason())
	require.Contains(t, status.GetMessage(), "ervice web ")
	require.Contains(t, status.GetMessage(), "the kernel killed it at its own limit of 32 MB, of which it used 3")
	l.gone()
	list := l.killed()
	require.Len(t, list, 1)
	require.Equal(t, "web", list[0].Service)
	require.Equal(t, "container", list[0].Limit)
	require.EqualValues(t, 32<<20, list[0].Bytes)
}

// atItsLimit is what is said of a pod at its limit of 64 MB: less where dockerd was quicker to remove the cgroup of the container
// that was killed than anybody to look into it.
const atItsLimit = `(at the limit of the whole pod, which is the task's, of 64 MB: the pod used 6|when the whole pod was at its limit, which is the task's, of 64 MB, and 6)`

// The pod's limit, hit by one container without a limit, or by two that are below it together only. A real agent destroys the
// executor when it hears of that, so that the last word may be its own; then labels say who it was.
func TestAPodAtItsLimit(t *testing.T) {
	for name, services := range map[string]string{
		"one container takes more than the task has": eats("web", 80, "") + eats("db", 5, ""),
		"the sum of two is more than the task has":   eats("web", 40, "") + eats("db", 40, ", mem_limit: 50m"),
	} {
		service := "ervice (web|db) "
		if strings.HasPrefix(name, "one") {
			service = "ervice web "
		}
		t.Run(name, func(t *testing.T) {
			l := launch(t, app{mem: 64, files: map[string]string{"compose.yaml": "services:\n" + services}})
			l.swept = true // the agent hears of the OOM, too, and destroys the executor
			status := l.await(mesos.TASK_FAILED)
			t.Log(status.GetMessage())
			require.Equal(t, mesos.REASON_CONTAINER_LIMITATION_MEMORY, status.GetReason())
			// The executor's own message, if it was faster than the agent, and the labels say the same.
			got := map[string]string{}
			for _, label := range status.GetLabels().GetLabels() {
				got[label.Key] = label.GetValue()
			}
			said := status.GetMessage() + got[oom.LabelMessage]
			require.Regexp(t, service, said)
			require.Regexp(t, atItsLimit, said)
			if status.GetSource() == mesos.SOURCE_AGENT {
				require.Contains(t, status.GetMessage(), "Memory limit exceeded: Requested: 64MB")
				require.Equal(t, "pod", got[oom.LabelLimit])
				require.Equal(t, "67108864", got[oom.LabelBytes])
			}
		})
	}
}

// SIGKILL from anywhere else is no want of memory, whatever the exit code.
func TestSIGKILLIsNoWantOfMemory(t *testing.T) {
	l := launch(t, app{files: map[string]string{"compose.yaml": service("command: [sh, -c, '"+awaits("end")+"; kill -9 $$$$']", "init: true", flags)}})
	l.await(mesos.TASK_RUNNING)
	l.flag("end")
	status := l.await(mesos.TASK_FAILED)
	require.Equal(t, mesos.REASON_COMMAND_EXECUTOR_FAILED, status.GetReason())
	require.Contains(t, status.GetMessage(), "137")
	l.gone()
	require.Empty(t, l.killed())
}

// busy is a service that takes all the CPU time it gets.
func busy(name string) string {
	return fmt.Sprintf("  %s: {image: dce-test/busybox, stop_grace_period: 0s, command: [sh, -c, 'while :; do :; done']}\n", name)
}

// cpus measures how many CPUs the task uses, over some seconds; rather too few than too many where the machine is busy.
func (l *launched) cpus() float64 {
	l.t.Helper()
	since := time.Now()
	used := l.number("cpuacct", "cpuacct.usage")
	time.Sleep(4 * time.Second)
	used = l.number("cpuacct", "cpuacct.usage") - used
	share := float64(used) / float64(time.Since(since))
	l.t.Logf("%.3f CPUs", share)
	return share
}

// Two containers that would take all there is get what the task has, together.
func TestTheCPUQuotaBindsTheSum(t *testing.T) {
	const cpus = 0.2
	l := launch(t, app{cpus: cpus, files: map[string]string{"compose.yaml": "services:\n" + busy("one") + busy("two")}})
	l.await(mesos.TASK_RUNNING)
	throttled := l.number("cpu", "cpu.stat", "nr_throttled ")
	require.LessOrEqual(t, l.cpus(), 1.05*cpus)
	require.Greater(t, l.number("cpu", "cpu.stat", "nr_throttled "), throttled, "they wanted more")
	l.kill()
}

// number reads one of a control file of the task's cgroup: all of it, or what is after key.
func (l *launched) number(controller, file string, key ...string) int64 {
	l.t.Helper()
	b, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", controller, l.run.Cgroup, file))
	require.NoError(l.t, err)
	text := string(b)
	for _, k := range key {
		_, text, _ = strings.Cut(text, k)
	}
	line, _, _ := strings.Cut(text, "\n")
	n, err := strconv.ParseInt(line, 10, 64)
	require.NoError(l.t, err)
	return n
}

// Limits that promise more memory than the task has are refused before anything is created, unless a warning is enough.
func TestLimitsThatAddUpToMoreThanTheTaskHas(t *testing.T) {
	files := map[string]string{"compose.yaml": "services:\n" +
		"  web: {image: dce-test/busybox, mem_limit: 200m, init: true, command: [sleep, '1000']}\n" +
		"  db: {image: dce-test/busybox, mem_limit: 100m, init: true, command: [sleep, '1000']}\n"}
	l := launch(t, app{mem: 256, files: files})
	status := l.await(mesos.TASK_FAILED)
	require.Equal(t, mesos.REASON_TASK_INVALID, status.GetReason())
	require.Contains(t, status.GetMessage(), "add up to 300 MB (db 100 MB + web 200 MB) and the task has 256 MB")
	require.Empty(t, l.containers())
	l.gone()

	l = launch(t, app{mem: 256, files: files, labels: map[string]string{"dce.limits.check": "warn"}})
	l.await(mesos.TASK_RUNNING)
	require.Contains(t, l.Stderr.String(), "add up to 300 MB")
	l.kill()
}
