package reap

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/core"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/localagent"
)

const (
	patience  = 60 * time.Second
	soon      = 5 * time.Second // in which everything has to be gone once the engine is able
	pollEvery = 20 * time.Millisecond
)

// host is a machine with one agent's work_dir and cgroups_root, of the test's own. At its end everything is as before.
type host struct {
	*testing.T
	before  []string
	root    string // --cgroups_root
	workDir string
	runtime string // --runtime_dir
	cgroups *cgroup.Host
}

func newHost(t *testing.T) *host {
	t.Helper()
	cgroups, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	h := &host{T: t, root: "dce-reap-" + uuid.NewString()[:8], workDir: filepath.Join(t.TempDir(), "work"), runtime: t.TempDir(), cgroups: cgroups}
	h.before = h.everything()
	t.Cleanup(func() { // the last of all
		h.emptyRoots()
		require.NoError(t, world.box.Up(context.Background()))
		if !t.Failed() {
			require.Empty(t, h.difference(), "something is left (+), or something foreign is gone (-)")
		}
	})
	return h
}

// emptyRoots removes the agent's own root, which an agent leaves.
func (h *host) emptyRoots() {
	for _, root := range []string{h.root, "dce"} {
		roots, _ := filepath.Glob("/sys/fs/cgroup/*/" + root)
		for _, r := range roots {
			_ = os.Remove(r)
		}
	}
}

// everything is a full listing: all containers, networks and volumes of the engine, and all cgroups below the agent's root and
// ours.
func (h *host) everything() []string {
	h.Helper()
	ctx := context.Background()
	var out []string
	cs, err := world.docker.ContainerList(ctx, container.ListOptions{All: true})
	require.NoError(h, err)
	for _, c := range cs {
		out = append(out, "container "+strings.Join(c.Names, ","))
	}
	ns, err := world.docker.NetworkList(ctx, network.ListOptions{})
	require.NoError(h, err)
	for _, n := range ns {
		out = append(out, "network "+n.Name)
	}
	vs, err := world.docker.VolumeList(ctx, volume.ListOptions{})
	require.NoError(h, err)
	for _, v := range vs.Volumes {
		out = append(out, "volume "+v.Name)
	}
	for _, root := range []string{h.root, "dce"} {
		roots, err := filepath.Glob("/sys/fs/cgroup/*/" + root)
		require.NoError(h, err)
		for _, r := range roots {
			_ = filepath.WalkDir(r, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.IsDir() && path != r {
					out = append(out, "cgroup "+path)
				}
				return nil // what vanishes meanwhile is not there
			})
		}
	}
	slices.Sort(out)
	return out
}

func (h *host) difference() []string {
	h.Helper()
	return diff(h.before, h.everything())
}

func diff(before, now []string) []string {
	var out []string
	for _, s := range now {
		if !slices.Contains(before, s) {
			out = append(out, "+ "+s)
		}
	}
	for _, s := range before {
		if !slices.Contains(now, s) {
			out = append(out, "- "+s)
		}
	}
	return out
}

// clean waits until everything is as before the test, but for what is listed.
func (h *host) clean(but ...string) {
	h.Helper()
	want := slices.Sorted(slices.Values(append(slices.Clone(h.before), but...)))
	deadline := time.Now().Add(soon)
	for {
		left := diff(want, h.everything())
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			require.Empty(h, left, "after %v something is left (+), or something foreign is gone (-)", soon)
		}
		time.Sleep(pollEvery)
	}
}

// agent is the embedded agent with one framework.
type agent struct {
	*host
	*localagent.Agent
}

func (h *host) agent() *agent {
	h.Helper()
	log := logrus.New()
	log.SetOutput(h.Output())
	log.SetLevel(logrus.ErrorLevel)
	a, err := localagent.New(localagent.Options{WorkDir: h.workDir, Cgroups: h.cgroups, CgroupsRoot: h.root, Log: log, Hostname: "here",
		ShutdownGrace: 100 * time.Millisecond})
	require.NoError(h, err)
	h.Cleanup(func() {
		if err := a.Close(); err != nil {
			h.Log(err) // its cgroups may be in use by what the test shows
		}
	})
	return &agent{h, a}
}

// pod is a task of one pod on its way.
type pod struct {
	*agent
	task, executor string
	run            *localagent.Container
}

const longLived = `
services:
  web: {image: dce-test/busybox, command: [sh, -c, "trap '' TERM; while :; do sleep 1; done"], volumes: ["data:/data", "/anonymous"], networks: [back]}
  side: {image: dce-test/busybox, command: [sleep, "1000"], depends_on: [web]}
volumes: {data: {}}
networks: {back: {}}
`

// tasks numbers the tasks, because no two of an agent may have the same id.
var tasks atomic.Int64

func (a *agent) launch(executor, compose string, set ...string) *pod {
	a.Helper()
	p := &pod{agent: a, task: fmt.Sprintf("%.190s, task %d", executor, tasks.Add(1)), executor: executor}
	file := filepath.Join(a.runtime, "compose.yaml")
	require.NoError(a, os.WriteFile(file, []byte(compose), 0o644))
	vars := &mesos.Environment{Variables: []mesos.Environment_Variable{
		{Name: "DOCKER_HOST", Value: new(world.box.Host())}, {Name: "PATH", Value: new(os.Getenv("PATH"))},
	}}
	info := mesos.TaskInfo{
		Name: "app", TaskID: mesos.TaskID{Value: p.task},
		Resources: []mesos.Resource{resources.NewCPUs(2).Resource, resources.NewMemory(256).Resource},
		Labels:    &mesos.Labels{Labels: []mesos.Label{{Key: "dce.compose.files", Value: new(file)}, {Key: "dce.network.mode", Value: new("compose")}}},
		Executor: &mesos.ExecutorInfo{ExecutorID: mesos.ExecutorID{Value: executor},
			Command: &mesos.CommandInfo{Value: new(world.executor), Shell: new(false), Arguments: []string{world.executor}, Environment: vars}},
	}
	for i := 0; i+1 < len(set); i += 2 {
		info.Labels.Labels = append(info.Labels.Labels, mesos.Label{Key: set[i], Value: new(set[i+1])})
	}
	var err error
	p.run, err = a.Launch(info)
	require.NoError(a, err)
	a.Cleanup(func() {
		if a.Failed() {
			text, _ := os.ReadFile(filepath.Join(p.run.Sandbox, "stderr"))
			a.Logf("stderr of executor %s:\n%s", executor, text)
		}
	})
	return p
}

// running launches a pod and waits until it runs.
func (a *agent) running(executor, compose string) *pod {
	a.Helper()
	p := a.launch(executor, compose)
	p.await(mesos.TASK_RUNNING)
	return p
}

func (p *pod) await(state mesos.TaskState) {
	p.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	u, err := p.Await(ctx, func(u localagent.Update) bool {
		return u.Status.TaskID.Value == p.task && (u.Status.GetState() == state || u.Terminal())
	})
	require.NoError(p, err)
	require.Equal(p, state.String(), u.Status.GetState().String(), u.Status.GetMessage())
}

// die kills the executor with SIGKILL and waits until the agent's launcher has killed what is in its cgroup.
func (p *pod) die() {
	p.Helper()
	proc, err := os.FindProcess(p.run.Pid())
	require.NoError(p, err)
	require.NoError(p, proc.Kill())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(p, p.run.Wait(ctx))
}

// containers lists those of the run by service, in any state.
func (p *pod) containers() map[string]container.Summary {
	p.Helper()
	cs, err := world.docker.ContainerList(context.Background(), container.ListOptions{All: true})
	require.NoError(p, err)
	out := map[string]container.Summary{}
	for _, c := range cs {
		if c.Labels[labels.Container] == p.run.ID {
			out[c.Labels[labels.Service]] = c
		}
	}
	return out
}

// list is what containers, networks and volumes of the run are called, as everything has them.
func (p *pod) list() []string {
	p.Helper()
	var own []string
	pod := ""
	for _, c := range p.containers() {
		pod = c.Labels[labels.Pod]
		whole, err := world.docker.ContainerInspect(context.Background(), c.ID)
		require.NoError(p, err)
		for _, m := range whole.Mounts {
			if m.Type == "volume" {
				own = append(own, "volume "+m.Name)
			}
		}
	}
	for _, one := range p.everything() {
		if strings.Contains(one, pod) || strings.Contains(one, p.run.ID) {
			own = append(own, one)
		}
	}
	slices.Sort(own)
	return slices.Compact(own)
}

// module is the core as the agent module has it.
type module struct {
	*host
	*core.Core
}

// config is the module's parameters.
func (h *host) config(set ...string) string {
	p := map[string]string{"docker_host": world.box.Host(), "cgroups_root": h.root, "runtime_dir": h.runtime, "grace": "0secs", "log_level": "debug"}
	for i := 0; i+1 < len(set); i += 2 {
		p[set[i]] = set[i+1]
	}
	text, err := json.Marshal(p)
	require.NoError(h, err)
	return string(text)
}

func (h *host) module(set ...string) *module {
	h.Helper()
	c, err := core.Open([]byte(h.config(set...)), core.Options{Log: h.Output()})
	require.NoError(h, err)
	h.Cleanup(func() { c.Close() })
	return &module{h, c}
}

// both opens the core with hook and isolator attached, after a recovery that found nothing.
func (h *host) both(set ...string) *module {
	h.Helper()
	m := h.module(append([]string{"work_dir", h.workDir}, set...)...)
	m.ok("attach", map[string]any{"module": "hook"})
	m.ok("attach", map[string]any{"module": "isolator"})
	m.ok("recover", map[string]any{})
	return m
}

// end is the end of an operation.
type end struct {
	status core.Status
	text   string
}

// do starts an operation; its end comes through the channel.
func (m *module) do(op string, input any, timeout time.Duration) <-chan end {
	m.Helper()
	text, err := json.Marshal(input)
	require.NoError(m, err)
	out := make(chan end, 1)
	begun := time.Now()
	require.Equal(m, core.OK, m.Submit(op, text, timeout, func(s core.Status, b []byte) { out <- end{s, string(b)} }))
	require.Less(m, time.Since(begun), 200*time.Millisecond, "submit does not wait")
	return out
}

func (m *module) ok(op string, input any) string {
	m.Helper()
	e := <-m.do(op, input, 0)
	require.Equal(m, core.OK, e.status, "%s: %s", op, e.text)
	return e.text
}

func (m *module) metrics() core.Metrics {
	m.Helper()
	var out core.Metrics
	require.NoError(m, json.Unmarshal([]byte(m.ok("metrics", struct{}{})), &out))
	return out
}

// prepared tells the module of a run that the agent begins, as it does before the executor starts.
func (m *module) prepared(p *pod) {
	m.Helper()
	said := m.ok("prepare", map[string]any{"container": p.run.ID, "sandbox": p.run.Sandbox, "framework": p.FrameworkID(), "executor": p.executor,
		"command": map[string]any{"value": world.executor}})
	require.Contains(m, said, fmt.Sprintf(`"value":"/%s/%s"`, m.root, p.run.ID))
}

// ended tells the module of a run that has ended, in the agent's order: the isolator's cleanup, then the hook.
func (m *module) ended(p *pod) {
	m.Helper()
	m.ok("cleanup", map[string]any{"container": p.run.ID})
	m.ok("hook.removed", removal(p, time.Now()))
}

func removal(p *pod, at time.Time) map[string]any {
	return map[string]any{"framework": p.FrameworkID(), "executor": p.executor, "at_ns": at.UnixNano()}
}
