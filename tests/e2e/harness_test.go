package e2e

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/go/reaper"
)

const (
	patience  = 60 * time.Second
	pollEvery = 20 * time.Millisecond
)

// node is an agent of the test's own. When the test ends everything must be as it was before.
type node struct {
	t      *testing.T
	agent  *localagent.Agent
	root   string // --cgroups_root
	stdout *output
	stderr *output
	swept  bool // the executor dies in this test, so that what it leaves has to be swept
}

type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
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

func newNode(t *testing.T, change func(*localagent.Options)) *node {
	t.Helper()
	before := everything(t, "")
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	n := &node{t: t, root: "dce-e2e-" + uuid.NewString()[:8], stdout: &output{}, stderr: &output{}}
	log := logrus.New()
	log.SetOutput(t.Output())
	log.SetLevel(logrus.WarnLevel)
	o := localagent.Options{
		WorkDir: t.TempDir(), Cgroups: host, CgroupsRoot: n.root, EnableCFS: true, Log: log, Hostname: "here",
		Environment: map[string]string{}, Stdout: n.stdout, Stderr: n.stderr,
	}
	if change != nil {
		change(&o)
	}
	n.agent, err = localagent.New(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("stdout of the executor:\n%s", n.stdout)
			t.Logf("stderr of the executor:\n%s", n.stderr)
		}
		failed := t.Failed()
		require.NoError(t, n.agent.Close())
		now := everything(t, n.root)
		if failed || n.swept || !slices.Equal(before, now) {
			n.sweep(host, o.WorkDir)
		}
		if n.swept {
			now = everything(t, n.root)
		}
		if !failed {
			require.Empty(t, difference(before, now), "something is left (+), or something foreign is gone (-)")
		}
	})
	return n
}

// sweep removes what a killed executor left, as the agent module would. dockerd may take a moment to see who is dead.
func (n *node) sweep(host *cgroup.Host, scope string) {
	gw := connect(n.t)
	for range 20 {
		report, err := reaper.Sweep(context.Background(), gw, host, reaper.Match{Scope: scope, CgroupRoots: []string{"/" + n.root}})
		n.t.Logf("swept: %+v, error: %v", report, err)
		if err == nil && len(report.Left) == 0 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	removeRoots(n.root)
}

// removeRoots removes the empty roots that an agent could not because something was below them.
func removeRoots(root string) {
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/" + root)
	for _, r := range roots {
		_ = os.Remove(r)
	}
}

func connect(t *testing.T) *engine.Docker {
	t.Helper()
	gw, err := engine.Connect(context.Background(), engine.ConnectOptions{Host: world.box.Host()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = gw.Close() })
	return gw
}

func difference(before, now []string) []string {
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

// everything is a full listing: all containers, networks and volumes of the engine, and all cgroups below root.
func everything(t *testing.T, root string) []string {
	t.Helper()
	ctx := context.Background()
	var out []string
	cs, err := world.docker.ContainerList(ctx, container.ListOptions{All: true})
	require.NoError(t, err)
	for _, c := range cs {
		out = append(out, "container "+strings.Join(c.Names, ","))
	}
	ns, err := world.docker.NetworkList(ctx, network.ListOptions{})
	require.NoError(t, err)
	for _, n := range ns {
		out = append(out, "network "+n.Name)
	}
	vs, err := world.docker.VolumeList(ctx, volume.ListOptions{})
	require.NoError(t, err)
	for _, v := range vs.Volumes {
		out = append(out, "volume "+v.Name)
	}
	if root != "" {
		for _, dir := range cgroupsBelow(t, root) {
			out = append(out, "cgroup "+dir)
		}
	}
	slices.Sort(out)
	return out
}

// cgroupsBelow lists the directories of a cgroup tree in all hierarchies.
func cgroupsBelow(t *testing.T, root string) []string {
	t.Helper()
	roots, err := filepath.Glob("/sys/fs/cgroup/*/" + root)
	require.NoError(t, err)
	var out []string
	for _, r := range roots {
		err := filepath.WalkDir(r, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				out = append(out, path)
			}
			return nil // what vanishes meanwhile is not there
		})
		require.NoError(t, err)
	}
	return out
}

func (n *node) task(a app) mesos.TaskInfo {
	name := a.name
	if name == "" {
		name = n.t.Name()
	}
	mem := a.mem
	if mem == 0 {
		mem = 256
	}
	info := mesos.TaskInfo{
		Name: name, TaskID: mesos.TaskID{Value: strings.ReplaceAll(name, "/", "_")},
		Resources: []mesos.Resource{resources.NewCPUs(cmp.Or(a.cpus, 2)).Resource, resources.NewMemory(mem).Resource},
		Executor:  n.executor(a),
		Labels:    &mesos.Labels{},
	}
	if len(a.ports) > 0 {
		offer := &mesos.Value_Ranges{}
		for _, p := range a.ports {
			offer.Range = append(offer.Range, mesos.Value_Range{Begin: p, End: p})
		}
		info.Resources = append(info.Resources, mesos.Resource{Name: "ports", Type: mesos.RANGES.Enum(), Ranges: offer})
	}
	for k, v := range a.labels {
		info.Labels.Labels = append(info.Labels.Labels, mesos.Label{Key: k, Value: new(v)})
	}
	return info
}

func (n *node) executor(a app) *mesos.ExecutorInfo {
	env := map[string]string{"DOCKER_HOST": world.box.Host(), "DCE_LOG_LEVEL": "debug"}
	for k, v := range a.env {
		env[k] = v
	}
	vars := &mesos.Environment{}
	for k, v := range env {
		vars.Variables = append(vars.Variables, mesos.Environment_Variable{Name: k, Value: new(v)})
	}
	return &mesos.ExecutorInfo{
		ExecutorID: mesos.ExecutorID{Value: "executor-" + strings.ReplaceAll(n.t.Name(), "/", "_") + a.name},
		Command:    &mesos.CommandInfo{Value: new(world.executor), Shell: new(false), Arguments: []string{world.executor}, Environment: vars},
	}
}

// prepare puts an app's files into the sandbox, as Mesos' fetcher would.
func prepare(a app) func(*localagent.Options) {
	return func(o *localagent.Options) {
		o.Prepare = func(sandbox string) error {
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
	n := newNode(t, func(o *localagent.Options) {
		prepare(a)(o)
		for _, c := range change {
			c(o)
		}
	})
	return n.launch(a)
}

func (n *node) launch(a app) *launched {
	n.t.Helper()
	info := n.task(a)
	run, err := n.agent.Launch(info)
	require.NoError(n.t, err)
	return &launched{n, info.TaskID.Value, run}
}

// await waits for a state of the task; a terminal state that is not the wanted one fails the test at once.
func (l *launched) await(state mesos.TaskState) mesos.TaskStatus {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	u, err := l.agent.Await(ctx, func(u localagent.Update) bool {
		return u.Status.TaskID.Value == l.id && (u.Status.GetState() == state || u.Terminal())
	})
	require.NoError(l.t, err, "waiting for %s", state)
	require.Equal(l.t, state.String(), u.Status.GetState().String(), "%s: %s", u.Status.GetReason(), u.Status.GetMessage())
	return u.Status
}

// gone waits until the executor has ended by itself and its cgroup is gone.
func (l *launched) gone() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(l.t, l.run.Wait(ctx))
	require.Equal(l.t, "exit status 0", l.run.ExitStatus())
}

// kill kills the task and waits for the end of everything.
func (l *launched) kill() mesos.TaskStatus {
	l.t.Helper()
	require.NoError(l.t, l.agent.Kill(l.id, nil))
	status := l.await(mesos.TASK_KILLED)
	l.gone()
	return status
}

// containers lists the pod by service.
func (l *launched) containers() map[string]container.Summary {
	l.t.Helper()
	cs, err := world.docker.ContainerList(context.Background(), container.ListOptions{All: true})
	require.NoError(l.t, err)
	out := map[string]container.Summary{}
	for _, c := range cs {
		if c.Labels[labels.Task] == l.id {
			out[c.Labels[labels.Service]] = c
		}
	}
	return out
}

// states are those that Mesos was told, in order.
func (l *launched) states() []string {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var out []string
	updates := l.agent.Updates(ctx)
	for {
		select {
		case u := <-updates:
			if u.Status.TaskID.Value == l.id {
				out = append(out, strings.TrimPrefix(u.Status.GetState().String(), "TASK_"))
			}
			if u.Terminal() {
				return out
			}
		case <-time.After(5 * time.Second):
			return append(out, "…")
		}
	}
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
