package reap

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/tests/harness"
)

const (
	soon      = 5 * time.Second // in which everything has to be gone once the engine is able
	pollEvery = 20 * time.Millisecond
)

// host is a machine with one agent's work_dir, runtime_dir and cgroups_root, of the test's own. At its end everything is as it
// was before. To the embedded agent it is the modules: it passes what they are told on to the agent's process, if there is one.
type host struct {
	testing.TB
	before  []string
	lives   []string
	root    string // --cgroups_root
	workDir string
	runtime string // --runtime_dir
	agentID string
	core    string // libdcecore.so
	engine  string // where the module finds the engine
	cgroups *cgroup.Host
	process atomic.Pointer[process]
	unknown atomic.Pointer[string] // a run of which this agent knows nothing
	between atomic.Pointer[func()] // what happens after the launcher's kill and before the isolator's cleanup
	since   atomic.Pointer[moment] // when the executor died, or the engine came back
}

func newHost(t testing.TB) *host {
	t.Helper()
	cgroups, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	h := &host{TB: t, root: harness.NewRoot("reap"), workDir: filepath.Join(t.TempDir(), "work"), runtime: t.TempDir(), agentID: "agent-1",
		core: world.core, engine: world.box.Host(), cgroups: cgroups}
	h.back()
	// Somebody else's container below the same root, with something of its own in it.
	require.NoError(t, cgroups.Create("/"+h.root+"/another-run/below"))
	h.before, h.lives = h.everything(), lives(t)
	t.Cleanup(func() { // the last of all
		_ = world.box.Resume() // harmless where it was not stopped; fails where it is down
		require.NoError(t, world.box.Up(context.Background()))
		if t.Failed() {
			h.wipe()
		}
		assert.Empty(t, h.difference(), "something is left (+), or something foreign is gone (-)")
		assert.Equal(t, h.lives, lives(t), "containers of somebody else are as they were")
		harness.RemoveRoot(h.root)
	})
	return h
}

// back says that from now on everything of the pod could be gone.
func (h *host) back() { h.since.Store(now()) }

func (h *host) elapsed() time.Duration { return h.since.Load().elapsed() }

// wipe removes what a failed test left, so that the next one is not told.
func (h *host) wipe() {
	for _, one := range harness.Difference(h.before, h.everything()) {
		fields := strings.Fields(one) // +, kind, name, state, id
		if fields[0] != "+" {
			continue
		}
		ctx := context.Background()
		switch fields[1] {
		case "container":
			_ = world.docker.ContainerRemove(ctx, fields[len(fields)-1], container.RemoveOptions{Force: true, RemoveVolumes: true})
		case "network":
			_ = world.docker.NetworkRemove(ctx, fields[len(fields)-1])
		case "volume":
			_ = world.docker.VolumeRemove(ctx, fields[2], true)
		}
	}
	for _, one := range harness.Cgroups(h.root) {
		if !strings.Contains(one, "another-run") {
			defer func() { _ = os.Remove(one) }()
		}
	}
}

// everything is a full listing: all containers, networks and volumes of the engine, and all cgroups below the agent's root,
// below one beside it and below the engine's own.
func (h *host) everything() []string {
	h.Helper()
	return world.List(h, h.root, h.root+"-elsewhere", world.box.Cgroup())
}

func (h *host) difference() []string {
	h.Helper()
	return harness.Difference(h.before, h.everything())
}

// clean waits until everything is as before the test, but for what is listed.
func (h *host) clean(but ...string) {
	h.Helper()
	h.cleanWithin(soon, but...)
}

func (h *host) cleanWithin(limit time.Duration, but ...string) {
	h.Helper()
	want := slices.Concat(h.before, but)
	for begun := now(); ; time.Sleep(pollEvery) {
		left := harness.Difference(want, h.everything())
		if len(left) == 0 {
			break
		}
		require.Less(h, begun.elapsed(), limit, "something is left (+), or something foreign is gone (-): %q", left)
	}
	h.Logf("everything of the pod is gone %v after the executor's death or the engine's return", h.elapsed().Round(time.Millisecond))
}

// stays looks for a while that all is as before the test, but for what is listed.
func (h *host) stays(d time.Duration, but ...string) {
	h.Helper()
	time.Sleep(d)
	require.Empty(h, harness.Difference(slices.Concat(h.before, but), h.everything()))
}

// settings are the module's parameters.
func (h *host) settings(set ...string) map[string]string {
	out := map[string]string{"core": h.core, "docker_host": h.engine, "cgroups_root": h.root, "runtime_dir": h.runtime, "grace": "0secs", "log_level": "debug"}
	for i := 0; i+1 < len(set); i += 2 {
		out[set[i]] = set[i+1]
	}
	return out
}

// load starts the agent's process with some of the modules. An agent with an isolator recovers next.
func (h *host) load(modules []string, set ...string) *process {
	h.Helper()
	p, ready := spawn(h, h.workDir, modules, h.settings(set...))
	require.True(h, ready, "the modules do not load: %s", &p.said)
	h.process.Store(p)
	return p
}

// start starts an agent's process with hook and isolator, which has nothing to recover.
func (h *host) start(set ...string) *process {
	h.Helper()
	return h.recover(h.load([]string{hook, isolator}, set...), nil, nil)
}

// recover has an agent's process recover these, and know those as orphans that it is about to destroy.
func (h *host) recover(p *process, known, orphans []*pod) *process {
	h.Helper()
	states, doomed := []any{}, []any{}
	for _, one := range known {
		states = append(states, []any{one.Container.ID, one.Container.Sandbox, one.FrameworkID(), one.executor, one.Container.Pid()})
	}
	for _, one := range orphans {
		doomed = append(doomed, one.Container.ID)
	}
	require.Empty(h, p.ask("recover", states, doomed).Failure)
	return p
}

// kill ends the agent's process as a crash does.
func (h *host) kill() {
	h.process.Swap(nil).kill()
}

// with is the agent's process, if it has the module.
func (h *host) with(module string) *process {
	if p := h.process.Load(); p != nil && slices.Contains(p.modules, module) {
		return p
	}
	return nil
}

// modules are those of the embedded agent: they pass what they are told on to the agent's process, if there is one.
type modules struct{ *host }

// Prepare is Isolator::prepare.
func (h modules) Prepare(c *localagent.Container, executor mesos.ExecutorInfo) (map[string]string, error) {
	p := h.with(isolator)
	if p == nil {
		return nil, nil
	}
	a := p.ask("prepare", c.ID, c.Sandbox, executor.FrameworkID.Value, executor.ExecutorID.Value, executor.Command.GetValue(), 2, 256)
	if a.Failure != "" {
		return nil, fmt.Errorf("%s", a.Failure)
	}
	return a.Environment, nil
}

// Cleanup is Isolator::cleanup, which never fails, and leaves the agent what it is to remove itself.
func (h modules) Cleanup(c *localagent.Container) {
	if f := h.between.Swap(nil); f != nil {
		(*f)()
	}
	p, unknown := h.with(isolator), h.unknown.Load()
	if p == nil || unknown != nil && *unknown == c.ID {
		return
	}
	if a := p.ask("cleanup", c.ID); a.Failure != agentGone {
		assert.Empty(h, a.Failure)
		for _, controller := range []string{"cpu", "cpuacct", "memory"} {
			hi, err := h.cgroups.Hierarchy(controller)
			assert.NoError(h, err)
			assert.DirExists(h, filepath.Join(hi.Dir, c.Cgroup), "an agent fails where a cgroup that it made is gone")
		}
	}
}

// Removed is Hook::slaveRemoveExecutorHook, which waits for nobody. How long it takes hook_bench measures; one that waits for
// something takes longer than any machine that is merely busy.
func (h modules) Removed(framework, executor string) {
	p := h.with(hook)
	if p == nil {
		return
	}
	a := p.ask("hook", framework, executor)
	if a.Failure != agentGone {
		assert.Empty(h, a.Failure)
		assert.Less(h, a.US, 1e6, "the hook holds the agent up")
	}
}

// agent is the embedded agent with one framework.
type agent struct {
	*host
	*harness.Agent
}

func (h *host) agent(change ...func(*localagent.Options)) *agent {
	h.Helper()
	a := harness.NewAgent(h, world.Engine, "reap", append([]func(*localagent.Options){func(o *localagent.Options) {
		o.WorkDir, o.CgroupsRoot, o.AgentID, o.Modules, o.ShutdownGrace = h.workDir, h.root, h.agentID, modules{h}, 100*time.Millisecond
		o.Log.(*logrus.Logger).SetLevel(logrus.ErrorLevel)
	}}, change...)...)
	h.Cleanup(a.Close)
	return &agent{h, a}
}

// pod is a task of one pod on its way.
type pod struct {
	*host
	*harness.Run
	executor string
}

const longLived = `
services:
  web: {image: dce-test/busybox, command: [sh, -c, "trap '' TERM; echo up; while :; do sleep 1; done"], volumes: ["data:/data", "/anonymous"], networks: [back]}
  side: {image: dce-test/busybox, command: [sleep, "1000"], depends_on: [web]}
volumes: {data: {}}
networks: {back: {}}
`

// small is a pod of one container and infra.
const small = `services: {web: {image: dce-test/busybox, command: [sleep, "1000"], volumes: ["/anonymous"]}}`

// tasks numbers the tasks, because no two of an agent may have the same id.
var tasks atomic.Int64

// launch launches a pod with settings such as "dce.network.mode", "host".
func (a *agent) launch(executor, compose string, set ...string) *pod {
	a.Helper()
	n := tasks.Add(1)
	file := filepath.Join(a.runtime, fmt.Sprintf("compose-%d.yaml", n))
	require.NoError(a, os.WriteFile(file, []byte(compose), 0o644))
	task := harness.Task{ID: fmt.Sprintf("%.190s, task %d", executor, n), Executor: executor, Program: world.executor,
		Env:    map[string]string{"DOCKER_HOST": world.box.Host(), "PATH": os.Getenv("PATH")},
		Labels: map[string]string{"dce.compose.files": file, "dce.network.mode": "compose"}}
	for i := 0; i+1 < len(set); i += 2 {
		if env, is := strings.CutPrefix(set[i], "env:"); is {
			task.Env[env] = set[i+1]
		} else {
			task.Labels[set[i]] = set[i+1]
		}
	}
	return &pod{a.host, a.Begin(task.Info()), executor}
}

// running launches a pod and waits until it runs.
func (a *agent) running(executor, compose string, set ...string) *pod {
	a.Helper()
	p := a.launch(executor, compose, set...)
	p.Reach(mesos.TASK_RUNNING)
	return p
}

// slay kills the executor with SIGKILL.
func (p *pod) slay() {
	p.Helper()
	proc, err := os.FindProcess(p.Container.Pid())
	require.NoError(p, err)
	require.NoError(p, proc.Kill())
	<-p.Container.Exited()
	p.back()
}

// die kills the executor with SIGKILL and waits until the agent has done with it: the launcher has killed what is in its cgroup,
// the isolator has cleaned up, and the hook was called.
func (p *pod) die() {
	p.Helper()
	p.slay()
	p.Over()
}

// containers lists those of the run by service, in any state.
func (p *pod) containers() map[string]container.Summary {
	p.Helper()
	return world.Services(p, labels.Container, p.Container.ID, labels.Service)
}

// list is what everything has of the run.
func (p *pod) list() []string {
	p.Helper()
	names := []string{p.Container.ID} // of its cgroups
	for _, c := range p.containers() {
		names = append(names, c.Labels[labels.Pod])
		whole, err := world.docker.ContainerInspect(context.Background(), c.ID)
		require.NoError(p, err)
		for _, m := range whole.Mounts {
			if m.Type == "volume" {
				names = append(names, m.Name)
			}
		}
	}
	return p.lines(names...)
}

// each calls f with every container of the pod, by service.
func (p *pod) each(f func(service string, c container.Summary)) {
	p.Helper()
	all := p.containers()
	for _, service := range slices.Sorted(maps.Keys(all)) {
		f(service, all[service])
	}
}

// settled waits until the engine has seen that all processes of the pod are dead.
func (p *pod) settled() {
	p.Helper()
	require.Eventually(p, func() bool {
		return !slices.ContainsFunc(slices.Collect(maps.Values(p.containers())), func(c container.Summary) bool { return c.State == container.StateRunning })
	}, soon, pollEvery)
}
