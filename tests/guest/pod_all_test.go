//go:build all

package guest

import (
	"encoding/json"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/tests/guest/wire"
)

const visits = `
services:
  web:
    image: dce-test/visits
    environment: {TITLE: A pod on cgroup v2, REDIS: "redis:6379"}
    depends_on: {redis: {condition: service_healthy}}
    ports: ["8080"]
  redis:
    image: dce-test/redis
    mem_limit: 64m
    pids_limit: 50
    volumes: ["data:/data"]
    healthcheck: {test: ["CMD", "redis-cli", "ping"], interval: 2s, timeout: 60s, retries: 10}
volumes:
  data:
`

// The whole life of a pod: where it is, what binds it, that it works, what it uses, and that nothing is left, which launch checks.
func wholePod(t *testing.T, driver string) {
	p := launch(t, visits, "--cpus", "0.5", "--mem", "256m", "--ports", "31000-31010")
	p.running()

	pod := containers(t)
	require.Len(t, pod, 3)
	require.Contains(t, pod, "web")
	parent := path.Dir(cgroupOf(t, pod["web"].Pid))
	run := pod["web"].Labels[labels.Container]
	switch driver {
	case cgroup.DriverSystemd:
		require.Equal(t, "/dce.slice/dce-"+strings.ReplaceAll(run, "-", `\x2d`)+".slice", parent)
	default:
		require.Equal(t, "/dce/"+run, parent)
	}
	for service, c := range pod {
		own := cgroupOf(t, c.Pid)
		require.Equal(t, parent, path.Dir(own), service)
		require.Equal(t, c.ID, cgroup.ContainerID(path.Base(own)), service)
		require.Equal(t, "private", c.CgroupnsMode, "%s: Docker's default on v2", service)
	}

	limits := map[string]string{"memory.max": "268435456", "memory.low": "268435456", "cpu.weight": "50", "cpu.max": "50000 100000"}
	require.Equal(t, limits, readFiles(t, parent, limits))
	sum := map[string]string{"memory.low": "268435456"} // without which the pod would be sure of nothing
	require.Equal(t, sum, readFiles(t, path.Dir(parent), sum))
	redis := map[string]string{"memory.max": "67108864", "pids.max": "50"}
	require.Equal(t, redis, readFiles(t, cgroupOf(t, pod["redis"].Pid), redis))
	if driver == cgroup.DriverSystemd {
		require.Equal(t, "MemoryMax=268435456 CPUWeight=50 CPUQuotaPerSecUSec=500ms ActiveState=active Transient=yes",
			properties(t, path.Base(parent), "MemoryMax", "CPUWeight", "CPUQuotaPerSecUSec", "ActiveState", "Transient"))
	}

	for range 2 {
		say(t, "busybox", "wget", "-qO-", "http://127.0.0.1:31000/")
	}
	page := say(t, "busybox", "wget", "-qO-", "http://127.0.0.1:31000/")
	require.Contains(t, page, "A pod on cgroup v2")
	require.Contains(t, page, "3")

	measured(t, parent)

	require.NotContains(t, p.log(), "level=warning")
	say(t, "busybox", "killall", "-INT", "dce")
	require.Zero(t, p.end(), p.log())
	require.Contains(t, p.log(), "state=TASK_KILLED")
	require.NotContains(t, p.log(), "removed what the executor had left", "the executor itself leaves nothing")
	if driver == cgroup.DriverSystemd { // of the other the local agent removes /dce as well
		require.Equal(t, map[string]string{"memory.low": "0"}, readFiles(t, path.Dir(parent), sum), "nothing stays reserved")
	}
}

// usage is a part of what `dce ps -o json` says of a pod or a service.
type usage struct {
	CPU      float64  `json:"cpu_seconds"`
	CPULimit float64  `json:"cpu_limit"`
	Memory   uint64   `json:"memory_bytes"`
	Anon     uint64   `json:"anon_bytes"`
	Limit    uint64   `json:"memory_limit_bytes"`
	Pids     uint64   `json:"pids"`
	Written  *uint64  `json:"block_write_bytes"`
	Received *float64 `json:"network_received_bytes"`
}

// What a pod uses is read, as a whole and by service.
func measured(t *testing.T, parent string) {
	var pods []struct {
		Cgroup   string
		Usage    usage
		Services []struct {
			Service, Role, Status string
			Usage                 usage
		}
	}
	require.NoError(t, json.Unmarshal([]byte(say(t, "/test/bin/dce", "ps", "-o", "json")), &pods))
	require.Len(t, pods, 1)
	pod := pods[0]
	require.Equal(t, parent, pod.Cgroup)
	require.EqualValues(t, 256<<20, pod.Usage.Limit)
	require.InDelta(t, 0.5, pod.Usage.CPULimit, 1e-9)
	require.NotNil(t, pod.Usage.Written)
	require.NotNil(t, pod.Usage.Received)
	require.Positive(t, *pod.Usage.Received, "the page was asked for")
	require.Len(t, pod.Services, 3)
	var cpu float64
	for _, s := range pod.Services {
		require.Equal(t, "running", s.Status, s.Service)
		require.Positive(t, s.Usage.Memory, s.Service)
		require.Positive(t, s.Usage.CPU, s.Service)
		require.Positive(t, s.Usage.Pids, s.Service)
		require.GreaterOrEqual(t, pod.Usage.Memory, s.Usage.Anon, s.Service)
		cpu += s.Usage.CPU
	}
	require.InEpsilon(t, pod.Usage.CPU, cpu, 0.5, "all of the pod's is its services'")
}

// eat is a service that uses so many MB and then goes on.
const eat = `{image: dce-test/busybox, stop_grace_period: 0s, command: [sh, -c, 'exec dd if=/dev/zero of=/dev/null bs=%M count=1000000'], %}`

func eats(mb, more string) string {
	return strings.Replace(strings.Replace(eat, "%", mb, 1), "%", more, 1)
}

// Whose limit it was that the kernel killed at is told, with the service.
func wantOfMemory(t *testing.T) {
	for name, c := range map[string]struct{ mem, web, db, service, said string }{
		"one at the pod's limit": {"64m", eats("80", ""), eats("5", ""), "web",
			"limit of the whole pod, which is the task's, of 64 MB: the pod used 6"},
		"two at the pod's limit": {"64m", eats("40", ""), eats("40", "mem_limit: 50m"), "(web|db)",
			"limit of the whole pod, which is the task's, of 64 MB: the pod used 6"},
		"one at its own": {"256m", eats("60", "mem_limit: 32m"), eats("20", ""), "web",
			"at its own limit of 32 MB, of which it used 3"},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, "services:\n  web: "+c.web+"\n  db: "+c.db+"\n", "--mem", c.mem)
			require.Equal(t, 1, p.end(), p.log())
			require.Regexp(t, "failed .*ervice "+c.service+" ", p.log())
			require.Contains(t, p.log(), c.said)
			require.Contains(t, p.log(), "(REASON_CONTAINER_LIMITATION_MEMORY)")
		})
	}
}

// Where the kernel is told to kill a pod as one (memory.oom.group), all of it ends, and whose limit that was is told all the same.
func killedAsOne(t *testing.T) {
	p := launch(t, "services:\n  web: {image: dce-test/busybox, stop_grace_period: 0s, command: [sh, -c, "+
		"'until test -e /go; do sleep 0.2; done; dd if=/dev/zero of=/dev/null bs=80M count=1000000; sleep 1000']}\n  db: "+eats("5", "")+"\n", "--mem", "64m")
	p.running()
	pod := containers(t)
	sh(t, `echo 1 >"/sys/fs/cgroup$1/memory.oom.group"`, path.Dir(cgroupOf(t, pod["web"].Pid)))
	say(t, "docker", "exec", pod["web"].ID, "touch", "/go")
	require.Equal(t, 1, p.end(), p.log())
	require.Contains(t, p.log(), "limit of the whole pod, which is the task's, of 64 MB: the pod used 6")
	require.Contains(t, p.log(), "(REASON_CONTAINER_LIMITATION_MEMORY)")
}

// What ends by SIGKILL for another reason is not said to have run out of memory.
func killedByItself(t *testing.T) {
	p := launch(t, "services:\n  web: {image: dce-test/busybox, init: true, command: [sh, -c, 'sleep 1; kill -9 $$$$']}\n")
	require.Equal(t, 1, p.end(), p.log())
	require.Contains(t, p.log(), "137")
	require.NotContains(t, p.log(), "MEMORY")
}

const sleepers = `
services:
  web: {image: dce-test/busybox, init: true, command: [sleep, "1000"]}
  db: {image: dce-test/busybox, init: true, command: [sleep, "1000"], volumes: ["data:/data"]}
volumes:
  data:
`

// An executor that is killed leaves its pod. Its agent has it removed, or where there is none any more, `dce reap` does: both find
// it by its labels and its cgroup.
func killedExecutors(t *testing.T) {
	t.Run("its agent lives", func(t *testing.T) {
		p := launch(t, sleepers)
		p.running()
		say(t, "busybox", "killall", "-KILL", "dce-executor")
		require.Equal(t, 1, p.end(), p.log())
		require.Contains(t, p.log(), "removed what the executor had left: 3 containers, 1 volume")
	})
	t.Run("its agent is killed too", func(t *testing.T) {
		p := launch(t, sleepers)
		p.running()
		lives := in(t, wire.Command{Argv: []string{"/test/bin/dce", "reap", "--age", "0s"}})
		require.Zero(t, lives.Code, lives.Err)
		require.Len(t, containers(t), 3, "the executor lives: %s", lives.Out)
		say(t, "busybox", "killall", "-KILL", "dce", "dce-executor")
		require.Equal(t, 128+9, p.end())
		require.Len(t, containers(t), 3)
		said := say(t, "/test/bin/dce", "reap", "--age", "0s")
		require.Equal(t, 3, strings.Count(said, "removed container"), said)
	})
}
