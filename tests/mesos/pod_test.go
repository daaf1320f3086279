//go:build mesos

package mesos

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/tests/harness"
)

// longLived has what leaks: a container that ignores SIGTERM, a named and an anonymous volume, a network of the file's own. web
// holds 40 MB.
const longLived = `
services:
  web:
    image: dce-test/busybox
    command: [sh, -c, "trap '' TERM; head -c 40m /dev/zero > /held/x; while :; do sleep 1; done"]
    volumes: ["data:/data", "/anonymous"]
    tmpfs: [/held]
    stop_grace_period: 1s
    networks: [back]
  side: {image: dce-test/busybox, command: [sleep, "1000"], depends_on: [web], stop_grace_period: 1s}
volumes: {data: {}}
networks: {back: {}}
`

// taskMem and executorMem are what a task and its executor have, in MB; the container's limit is the sum.
const (
	taskMem     = 160
	executorMem = 32
)

// pod is a task that was launched.
type pod struct {
	*host
	task, executor string
	run            string // Mesos' container id
	pid            int    // of the executor, once it runs
}

// launch launches a pod whose compose file the fetcher brings into the sandbox.
func (h *host) launchPod(name, compose string) *pod {
	h.Helper()
	p := &pod{host: h, task: "task " + name, executor: "executor " + name}
	file := filepath.Join(h.dir, name+".yaml")
	require.NoError(h, os.WriteFile(file, []byte(compose), 0o644))
	task := harness.Task{
		ID: p.task, Executor: p.executor, Program: world.executor, CPUs: 1, Mem: taskMem,
		Env:    map[string]string{"DOCKER_HOST": h.engine, "PATH": os.Getenv("PATH"), "DCE_LOG_LEVEL": "debug"},
		Labels: map[string]string{"dce.compose.files": filepath.Base(file), "dce.network.mode": "compose"},
	}.Info()
	task.Executor.Type = mesos.ExecutorInfo_CUSTOM
	task.Executor.Resources = []mesos.Resource{resources.NewCPUs(0.1).Resource, resources.NewMemory(executorMem).Resource}
	task.Executor.Command.URIs = []mesos.CommandInfo_URI{{Value: file, Extract: new(false)}}
	h.framework.launch(task)
	h.Cleanup(func() {
		if h.Failed() {
			files, _ := filepath.Glob(filepath.Join(h.workDir(), "slaves/*/frameworks/*/executors", p.executor, "runs/*-*/stderr"))
			for _, file := range files {
				text, _ := os.ReadFile(file)
				h.Logf("%s:\n%s", file, text)
			}
		}
	})
	return p
}

// running launches a pod and waits until it runs.
func (h *host) running(name, compose string) *pod {
	h.Helper()
	p := h.launchPod(name, compose)
	h.await(p.task, mesos.TASK_RUNNING)
	one := p.known()
	p.run, p.pid = one.ContainerID, executorOf(h.T, one.Status.ExecutorPID)
	require.Len(h, p.containers(), 2)
	return p
}

// executorOf is the executor's process: the agent's helper, which waits for its end to checkpoint it, or the helper's child (Mesos:
// src/slave/containerizer/mesos/launch.cpp, execute).
func executorOf(t *testing.T, helper int) int {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", helper, helper))
	require.NoError(t, err)
	for _, id := range append(strings.Fields(string(children)), strconv.Itoa(helper)) {
		if exe, err := os.Readlink(filepath.Join("/proc", id, "exe")); err == nil && exe == world.executor {
			pid, err := strconv.Atoi(id)
			require.NoError(t, err)
			return pid
		}
	}
	require.FailNow(t, "no executor", "neither %d nor its children %q are %s", helper, children, world.executor)
	return 0
}

// agentContainer is what an agent says of a container at /containers.
type agentContainer struct {
	ContainerID string     `json:"container_id"`
	ExecutorID  string     `json:"executor_id"`
	Statistics  statistics `json:"statistics"`
	Status      struct {
		ExecutorPID int `json:"executor_pid"`
	} `json:"status"`
}

// statistics are a part of ResourceStatistics.
type statistics struct {
	User   float64 `json:"cpus_user_time_secs"`
	System float64 `json:"cpus_system_time_secs"`
	Memory float64 `json:"mem_total_bytes"`
	Limit  float64 `json:"mem_limit_bytes"`
}

// known is what the agent says of the pod.
func (p *pod) known() agentContainer {
	p.Helper()
	var all []agentContainer
	require.NoError(p, ask(p.agentURL()+"/containers", &all))
	for _, one := range all {
		if one.ExecutorID == p.executor {
			return one
		}
	}
	require.FailNow(p, "the agent does not know the executor", "%s: %+v", p.executor, all)
	return agentContainer{}
}

// containers lists those of the pod by service, in any state.
func (p *pod) containers() map[string]container.Summary {
	p.Helper()
	return world.Services(p, labels.Container, p.run, labels.Service)
}

// cgroupsOf are the memory and freezer cgroups of the pod's containers.
func (p *pod) cgroupsOf() (out []string) {
	p.Helper()
	for _, c := range p.containers() {
		whole, err := world.Docker.ContainerInspect(context.Background(), c.ID)
		require.NoError(p, err)
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", whole.State.Pid))
		require.NoError(p, err)
		for line := range strings.Lines(string(text)) {
			for _, controller := range []string{":memory:", ":cpu:", ":freezer:"} {
				if _, path, found := strings.Cut(line, controller); found {
					out = append(out, strings.TrimSpace(path))
				}
			}
		}
	}
	return out
}

// killExecutor kills the executor with SIGKILL.
func (p *pod) killExecutor() time.Time {
	p.Helper()
	process, err := os.FindProcess(p.pid)
	require.NoError(p, err)
	require.NoError(p, process.Kill())
	return time.Now()
}
