package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/go/reaper"
	"github.com/dce-go/dce/tests/harness"
)

const (
	patience  = harness.Patience
	soon      = 10 * time.Second // how long dockerd and the kernel may take to be done with what is gone
	pollEvery = 20 * time.Millisecond
)

// node is an agent of the test's own. When the test ends everything must be as it was before.
type node struct {
	*harness.Agent
	t     *testing.T
	swept bool // the executor dies in this test, so that what it leaves has to be swept
}

// app is a task to be launched.
type app struct {
	name   string // task id, default the test's name
	files  map[string]string
	labels map[string]string
	env    map[string]string // of the executor
	ports  []uint64          // offered, default none
	mem    float64           // MB, default 256
	cpus   float64           // default 2
}

func newNode(t *testing.T, change ...func(*localagent.Options)) *node {
	t.Helper()
	before := world.List(t)
	n := &node{Agent: harness.NewAgent(t, world.Engine, "e2e", change...), t: t}
	t.Cleanup(func() {
		failed := t.Failed()
		n.Close()
		if failed || n.swept {
			n.sweep()
		}
		defer harness.RemoveRoot(n.Root)
		if !failed {
			harness.Settle(t, soon, before, func() []string { return world.List(t, n.Root) })
		}
	})
	return n
}

// sweep removes what a killed executor left, as the agent module would. dockerd may take a moment to see who is dead.
func (n *node) sweep() {
	gw := connect(n.t)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		report, err := reaper.Sweep(context.Background(), gw, n.Cgroups, reaper.Match{Scope: n.WorkDir(), CgroupRoots: []string{"/" + n.Root}})
		n.t.Logf("swept: %+v, error: %v", report, err)
		if err == nil && len(report.Left) == 0 {
			break
		}
	}
}

// limit writes a file of the agent's root, which is above the task's cgroup.
func (n *node) limit(controller, file, value string) {
	n.t.Helper()
	require.NoError(n.t, n.Cgroups.Create("/"+n.Root, controller))
	require.NoError(n.t, n.Cgroups.Write(controller, "/"+n.Root, file, value))
}

func connect(t *testing.T) *engine.Docker {
	t.Helper()
	gw, err := engine.Connect(context.Background(), engine.ConnectOptions{Host: world.box.Host()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = gw.Close() })
	return gw
}

func (n *node) task(a app) mesos.TaskInfo {
	name := a.name
	if name == "" {
		name = n.t.Name()
	}
	env := map[string]string{"DOCKER_HOST": world.box.Host(), "DCE_LOG_LEVEL": "debug"}
	for k, v := range a.env {
		env[k] = v
	}
	info := harness.Task{
		ID:       strings.ReplaceAll(name, "/", "_"),
		Executor: "executor-" + strings.ReplaceAll(n.t.Name(), "/", "_") + a.name, Program: world.executor, Env: env,
		Labels: a.labels, Ports: a.ports, CPUs: a.cpus, Mem: a.mem,
	}.Info()
	info.Name = name
	return info
}

func (n *node) executor(a app) *mesos.ExecutorInfo { return n.task(a).Executor }

// prepare puts an app's files into the sandbox, as Mesos' fetcher would, and a folder for flags.
func prepare(a app) func(*localagent.Options) {
	return func(o *localagent.Options) {
		o.Prepare = func(sandbox string) error {
			if err := os.Mkdir(filepath.Join(sandbox, "flags"), 0o755); err != nil {
				return err
			}
			for name, content := range a.files {
				file := filepath.Join(sandbox, name)
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
					return err
				}
			}
			return nil
		}
	}
}

// launched is a task on its way.
type launched struct {
	*node
	id  string
	run *localagent.Container
}

// launch starts an agent, and the app on it.
func launch(t *testing.T, a app, change ...func(*localagent.Options)) *launched {
	t.Helper()
	return launchAs(t, a, func(*mesos.TaskInfo) {}, change...)
}

// launchAs starts an agent, and on it the app, whose task is changed first.
func launchAs(t *testing.T, a app, change func(*mesos.TaskInfo), options ...func(*localagent.Options)) *launched {
	t.Helper()
	n := newNode(t, append([]func(*localagent.Options){prepare(a)}, options...)...)
	info := n.task(a)
	change(&info)
	return n.begin(info)
}

func (n *node) launch(a app) *launched {
	n.t.Helper()
	return n.begin(n.task(a))
}

func (n *node) begin(info mesos.TaskInfo) *launched {
	n.t.Helper()
	r := n.Begin(info)
	return &launched{n, r.Task, r.Container}
}

// is what the harness has of it.
func (l *launched) is() *harness.Run {
	return &harness.Run{Agent: l.Agent, Task: l.id, Container: l.run}
}

// await waits for a state of the task; a terminal state that is not the wanted one fails the test at once.
func (l *launched) await(state mesos.TaskState) mesos.TaskStatus {
	l.t.Helper()
	return l.is().Reach(state)
}

// gone waits until the executor has ended by itself and its cgroup is gone.
func (l *launched) gone() {
	l.t.Helper()
	l.is().Gone()
}

// kill kills the task and waits for the end of everything.
func (l *launched) kill() mesos.TaskStatus {
	l.t.Helper()
	require.NoError(l.t, l.Kill(l.id, nil))
	status := l.await(mesos.TASK_KILLED)
	l.gone()
	return status
}

// containers lists the pod by service.
func (l *launched) containers() map[string]container.Summary {
	l.t.Helper()
	return world.Services(l.t, labels.Task, l.id, labels.Service)
}

// states are those that Mesos was told, in order.
func (l *launched) states() []string { return l.is().States() }

// told waits until pod.json says what is wanted.
func (l *launched) told(wanted func(told) bool) told {
	l.t.Helper()
	var last told
	require.Eventually(l.t, func() bool {
		content, err := os.ReadFile(filepath.Join(l.run.Sandbox, "pod.json"))
		last = told{}
		return err == nil && json.Unmarshal(content, &last) == nil && wanted(last)
	}, patience, pollEvery, "pod.json does not say so")
	return last
}

// writes waits for what a service writes.
func (l *launched) writes(service, text string) {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		content, _ := os.ReadFile(filepath.Join(l.run.Sandbox, "logs", service+".log"))
		return strings.Contains(string(content), text)
	}, patience, pollEvery, "waiting for %q of %s", text, service)
}

// page fetches what a service serves at a port of the host: a service runs before it listens.
func (l *launched) page(port uint64) string {
	l.t.Helper()
	var page []byte
	require.Eventually(l.t, func() bool {
		response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
		if err != nil {
			return false
		}
		defer response.Body.Close()
		page, err = io.ReadAll(response.Body)
		return err == nil && response.StatusCode == http.StatusOK
	}, patience, pollEvery, "nobody serves at port %d", port)
	return string(page)
}

// flags mounts a folder of the sandbox, in which flag makes files that a service waits for.
const flags = `volumes: ["./flags:/flags"]`

// awaits is the command of a shell that waits for a flag. It forks, so that signals have their way in between.
func awaits(flag string) string { return "until test -e /flags/" + flag + "; do usleep 20000; done" }

func (l *launched) flag(name string) {
	l.t.Helper()
	require.NoError(l.t, os.WriteFile(filepath.Join(l.run.Sandbox, "flags", name), nil, 0o644))
}

func (l *launched) file(name string) string {
	l.t.Helper()
	b, err := os.ReadFile(filepath.Join(l.run.Sandbox, name))
	require.NoError(l.t, err)
	return string(b)
}

// yaml is a compose file of one service made of lines.
func service(lines ...string) string {
	return fmt.Sprintf("services:\n  web:\n    image: dce-test/busybox\n    %s\n", strings.Join(lines, "\n    "))
}
