package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/go/oom"
)

// score is the oom_score_adj of a process.
func score(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	require.NoError(t, err)
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	return n
}

// What a class means is there for docker inspect, and for the kernel; the executor outlives all of them.
func TestQualityOfService(t *testing.T) {
	const sleep = "image: dce-test/busybox, init: true, command: [sleep, '1000']"
	type asked struct {
		score       int
		shares      int64
		reservation int64
	}
	for name, c := range map[string]struct {
		services string
		class    string // asked for
		is       string
		want     map[string]asked
	}{
		"derived, burstable": {
			"  db: {" + sleep + ", deploy: {resources: {reservations: {cpus: '0.5', memory: 128m}}}}\n  web: {" + sleep + "}\n", "", "burstable",
			map[string]asked{"infra": {-998, 2, 0}, "db": {250, 512, 128 << 20}, "web": {750, 512, 0}},
		},
		"derived, guaranteed": {
			"  db: {" + sleep + ", mem_limit: 64m, cpus: 0.25}\n  web: {" + sleep + ", deploy: {resources: {limits: {cpus: '0.5', memory: 32m}}}}\n", "", "guaranteed",
			map[string]asked{"infra": {-998, 2, 0}, "db": {-997, 256, 64 << 20}, "web": {-997, 512, 32 << 20}},
		},
		"guaranteed by the task's own limits": {
			"  web: {" + sleep + "}\n", "guaranteed", "guaranteed", map[string]asked{"infra": {-998, 2, 0}, "web": {-997, 1024, 0}},
		},
		"best effort": {
			"  web: {" + sleep + "}\n", "best-effort", "best-effort", map[string]asked{"infra": {-998, 2, 0}, "web": {1000, 2, 0}},
		},
		"the file's own words": {
			"  db: {" + sleep + ", oom_score_adj: -300, cpu_shares: 100}\n  web: {" + sleep + ", oom_score_adj: -1000}\n", "", "burstable",
			map[string]asked{"infra": {-998, 0, 0}, "db": {-300, 100, 0}, "web": {-998, 0, 0}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			labels := map[string]string{}
			if c.class != "" {
				labels["dce.qos"] = c.class
			}
			l := launch(t, app{mem: 256, cpus: 1, labels: labels, files: map[string]string{"compose.yaml": "services:\n" + c.services}})
			l.await(mesos.TASK_RUNNING)
			l.told(func(p told) bool { return p.QoS == c.is })
			got := map[string]asked{}
			for service, c := range l.containers() {
				full, err := world.docker.ContainerInspect(context.Background(), c.ID)
				require.NoError(t, err)
				host := full.HostConfig
				got[service] = asked{host.OomScoreAdj, host.CPUShares, host.MemoryReservation}
				require.Equal(t, host.OomScoreAdj, score(t, full.State.Pid), service)
				require.Greater(t, score(t, full.State.Pid), score(t, l.run.Pid()), "the executor outlives %s", service)
				if host.CPUShares > 0 {
					require.Equal(t, host.CPUShares, l.number("cpu", filepath.Join(full.ID, "cpu.shares")))
				}
				if host.MemoryReservation > 0 {
					require.Equal(t, host.MemoryReservation, l.number("memory", filepath.Join(full.ID, "memory.soft_limit_in_bytes")))
				}
			}
			for service, want := range c.want { // an executor that may not lower its own score has 0, and its containers have more
				want.score = max(want.score, score(t, l.run.Pid())+1)
				require.Equal(t, want, got[service], service)
			}
			require.Len(t, got, len(c.want))
			l.kill()
		})
	}
}

// A class that the file contradicts is refused before anything is created.
func TestAClassThatTheFileContradicts(t *testing.T) {
	for class, want := range map[string]string{
		"guaranteed":  "dce.qos is guaranteed, but service web has no CPU limit (deploy.resources.limits.cpus), nor does the task as a whole",
		"best-effort": "dce.qos is best-effort, but service web has a memory limit: take that out of the file, or say burstable",
		"gold":        `label dce.qos: "gold" is not one of auto, guaranteed, burstable, best-effort`,
	} {
		t.Run(class, func(t *testing.T) {
			l := launch(t, app{labels: map[string]string{"dce.qos": class}, files: map[string]string{"compose.yaml": service("mem_limit: 32m")}},
				func(o *localagent.Options) { o.EnableCFS = false })
			status := l.await(mesos.TASK_FAILED)
			require.Equal(t, mesos.REASON_TASK_INVALID, status.GetReason())
			require.Contains(t, status.GetMessage(), want)
			require.Empty(t, l.containers())
			l.gone()
		})
	}
}

// A service that stays within what it reserved outlives one that goes beyond, also where it uses more.
func TestWhoGoesBeyondItsReservationIsKilled(t *testing.T) {
	l := launch(t, app{mem: 128, files: map[string]string{"compose.yaml": "services:\n" +
		eats("db", 70, ", mem_reservation: 96m") + eats("web", 60, "")}})
	l.swept = true // the agent hears of the OOM, too, and destroys the executor
	status := l.await(mesos.TASK_FAILED)
	t.Log(status.GetMessage())
	require.Equal(t, mesos.REASON_CONTAINER_LIMITATION_MEMORY, status.GetReason())
	said := status.GetMessage()
	for _, label := range status.GetLabels().GetLabels() {
		if label.Key == oom.LabelMessage {
			said += label.GetValue()
		}
	}
	require.Contains(t, said, "ervice web ")
	require.NotContains(t, said, "ervice db ")
}

// The pod can't have more processes than it may: the fork fails inside, for the sum of its containers.
func TestTheLimitOfProcesses(t *testing.T) {
	const most = 30
	forks := "  %s: {image: dce-test/busybox, stop_grace_period: 0s, command: [sh, -c, 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 1000 & done; wait']}\n"
	l := launch(t, app{labels: map[string]string{"dce.pids.limit": strconv.Itoa(most)}, files: map[string]string{"compose.yaml": "services:\n" + fmt.Sprintf(forks, "web")}})
	l.await(mesos.TASK_RUNNING)
	require.EqualValues(t, most, l.number("pids", "pids.max"))
	require.Positive(t, l.number("pids", "pids.current"))
	l.kill()

	l = launch(t, app{labels: map[string]string{"dce.pids.limit": strconv.Itoa(most)}, files: map[string]string{"compose.yaml": "services:\n" +
		fmt.Sprintf(forks, "web") + fmt.Sprintf(forks, "db")}})
	l.await(mesos.TASK_FAILED)
	l.gone()
	require.Contains(t, l.file("logs/web.log")+l.file("logs/db.log"), "can't fork")
}

// Where the agent has no CFS quotas a task can ask for its own.
func TestACPUQuotaThatIsAskedFor(t *testing.T) {
	const cpus = 0.2
	l := launch(t, app{cpus: cpus, labels: map[string]string{"dce.cpu.cfs_quota": "true"}, files: map[string]string{"compose.yaml": "services:\n" + busy("one") + busy("two")}},
		func(o *localagent.Options) { o.EnableCFS = false })
	l.await(mesos.TASK_RUNNING)
	require.EqualValues(t, cpus*100_000, l.number("cpu", "cpu.cfs_quota_us"))
	require.LessOrEqual(t, l.cpus(), 1.05*cpus)
	l.kill()

	l = launch(t, app{cpus: cpus, files: map[string]string{"compose.yaml": service("init: true", "command: [sleep, '1000']")}},
		func(o *localagent.Options) { o.EnableCFS = false })
	l.await(mesos.TASK_RUNNING)
	require.EqualValues(t, -1, l.number("cpu", "cpu.cfs_quota_us"), "it is not asked for")
	l.kill()
}
