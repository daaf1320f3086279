package fault

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/tests/faulty"
	"github.com/dce-go/dce/tests/watch"
)

// patience bounds every wait of a test; what is waited for comes far sooner.
const patience = 60 * time.Second

// node is an agent, and a proxy before an engine through which its executors see it.
type node struct {
	t              *testing.T
	engine         *engine
	agent          *localagent.Agent
	proxy          *faulty.Proxy
	stdout, stderr watch.Output
	root           string // --cgroups_root
}

func newNode(t *testing.T, e *engine, compose string, change ...func(*localagent.Options)) *node {
	t.Helper()
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	n := &node{t: t, engine: e, root: "dce-fault-" + uuid.NewString()[:8]}
	n.proxy, err = faulty.Start(e.box.Host())
	require.NoError(t, err)
	log := logrus.New()
	log.SetOutput(t.Output())
	log.SetLevel(logrus.WarnLevel)
	o := localagent.Options{
		WorkDir: t.TempDir(), Cgroups: host, CgroupsRoot: n.root, EnableCFS: true, Log: log, Hostname: "here",
		Stdout: &n.stdout, Stderr: &n.stderr,
		Prepare: func(sandbox string) error {
			if err := os.Mkdir(filepath.Join(sandbox, "flags"), 0o755); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(sandbox, "compose.yaml"), []byte(compose), 0o644)
		},
	}
	for _, c := range change {
		c(&o)
	}
	n.agent, err = localagent.New(o)
	require.NoError(t, err)
	t.Cleanup(n.close)
	return n
}

// close looks that nothing is left: no container, network or volume on the engine, no cgroup of ours.
func (n *node) close() {
	failed := n.t.Failed()
	if failed {
		n.t.Logf("stdout of the executor:\n%s", &n.stdout)
		n.t.Logf("stderr of the executor:\n%s", &n.stderr)
	}
	_ = n.engine.box.Resume() // harmless where it was not stopped; fails where it is down
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(n.t, n.engine.box.Up(ctx))
	require.NoError(n.t, n.agent.Close())
	require.NoError(n.t, n.proxy.Close())
	left, err := n.engine.box.Left(ctx)
	require.NoError(n.t, err)
	if failed {
		for _, c := range n.containers() {
			_ = n.engine.docker.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
		}
		return
	}
	require.Empty(n.t, left)
	require.Empty(n.t, n.cgroups())
}

// task is a pod on its way.
type task struct {
	*node
	id  string
	run *localagent.Container
}

// launch launches the sandbox's compose file with settings such as "engine.lost_timeout=1s".
func (n *node) launch(settings ...string) *task {
	n.t.Helper()
	id := strings.ReplaceAll(n.t.Name(), "/", "_")
	env := map[string]string{"DOCKER_HOST": n.proxy.Host(), "DCE_LOG_LEVEL": "debug"}
	vars := &mesos.Environment{}
	for k, v := range env {
		vars.Variables = append(vars.Variables, mesos.Environment_Variable{Name: k, Value: &v})
	}
	info := mesos.TaskInfo{
		Name: id, TaskID: mesos.TaskID{Value: id}, Labels: &mesos.Labels{},
		Resources: []mesos.Resource{resources.NewCPUs(2).Resource, resources.NewMemory(256).Resource},
		Executor: &mesos.ExecutorInfo{
			ExecutorID: mesos.ExecutorID{Value: "executor-" + id},
			Command:    &mesos.CommandInfo{Value: &executor, Shell: new(false), Arguments: []string{executor}, Environment: vars},
		},
	}
	for _, s := range settings {
		k, v, _ := strings.Cut(s, "=")
		info.Labels.Labels = append(info.Labels.Labels, mesos.Label{Key: "dce." + k, Value: &v})
	}
	run, err := n.agent.Launch(info)
	require.NoError(n.t, err)
	return &task{n, id, run}
}

func (n *node) within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

// says waits for a line of the executor's log, or of a service's output.
func (n *node) says(pattern string) {
	n.t.Helper()
	ctx, cancel := n.within()
	defer cancel()
	require.NoError(n.t, n.stderr.Await(ctx, pattern))
}

func (n *node) prints(pattern string) {
	n.t.Helper()
	ctx, cancel := n.within()
	defer cancel()
	require.NoError(n.t, n.stdout.Await(ctx, pattern))
}

// reaches waits for something that a proxy or a registry tells.
func (n *node) reaches(c <-chan struct{}) {
	n.t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		require.Fail(n.t, "the awaited request has not come")
	}
}

// await waits for a state; a terminal one that is not wanted fails the test at once.
func (l *task) await(state mesos.TaskState) mesos.TaskStatus {
	l.t.Helper()
	ctx, cancel := l.within()
	defer cancel()
	u, err := l.agent.Await(ctx, func(u localagent.Update) bool { return u.Status.GetState() == state || u.Terminal() })
	require.NoError(l.t, err, "waiting for %s", state)
	require.Equal(l.t, state.String(), u.Status.GetState().String(), "%s: %s", u.Status.GetReason(), u.Status.GetMessage())
	return u.Status
}

// gone waits until the executor has ended by itself.
func (l *task) gone() {
	l.t.Helper()
	ctx, cancel := l.within()
	defer cancel()
	require.NoError(l.t, l.run.Wait(ctx))
	require.Equal(l.t, "exit status 0", l.run.ExitStatus())
	require.NotContains(l.t, l.stderr.String(), "DATA RACE")
}

// swept waits until the agent has ended the executor, and removes what it left, as the agent module would.
func (l *task) swept() {
	l.t.Helper()
	ctx, cancel := l.within()
	defer cancel()
	require.NoError(l.t, l.run.Wait(ctx))
	for _, c := range l.containers() {
		require.Equal(l.t, "exited", string(c.State))
		require.NoError(l.t, l.engine.docker.ContainerRemove(ctx, c.ID, container.RemoveOptions{RemoveVolumes: true}))
	}
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(l.t, err)
	require.NoError(l.t, host.Remove(ctx, l.root))
}

func (l *task) kill(grace time.Duration) mesos.TaskStatus {
	l.t.Helper()
	require.NoError(l.t, l.agent.Kill(l.id, &grace))
	return l.await(mesos.TASK_KILLED)
}

// end kills the pod and waits until nothing of it is left.
func (l *task) end() {
	l.t.Helper()
	l.kill(10 * time.Second)
	l.gone()
}

// updates are the states that Mesos was told, in order, up to the last.
func (l *task) updates() []string {
	ctx, cancel := l.within()
	defer cancel()
	var out []string
	for u := range l.agent.Updates(ctx) {
		out = append(out, strings.TrimPrefix(u.Status.GetState().String(), "TASK_"))
		if u.Terminal() {
			break
		}
	}
	return out
}

// containers lists the pods by service.
func (n *node) containers() map[string]container.Summary {
	n.t.Helper()
	cs, err := n.engine.docker.ContainerList(context.Background(), container.ListOptions{All: true})
	require.NoError(n.t, err)
	out := map[string]container.Summary{}
	for _, c := range cs {
		out[c.Labels[labels.Service]] = c
	}
	return out
}

// begun is when a service's container was started last: the same, if it lived on.
func (n *node) begun(service string) string {
	n.t.Helper()
	c, err := n.engine.docker.ContainerInspect(context.Background(), n.containers()[service].ID)
	require.NoError(n.t, err)
	return fmt.Sprintf("%s, pid %d", c.State.StartedAt, c.State.Pid)
}

// cgroups lists what is below the agent's root.
func (n *node) cgroups() []string {
	roots, err := filepath.Glob("/sys/fs/cgroup/*/" + n.root)
	require.NoError(n.t, err)
	var out []string
	for _, r := range roots {
		_ = filepath.WalkDir(r, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				out = append(out, path)
			}
			return nil // what vanishes meanwhile is not there
		})
	}
	return out
}

// processes are those of the pod's containers, as the kernel knows them.
func (l *task) processes() []string {
	var out []string
	for _, dir := range l.cgroups() {
		if filepath.Base(filepath.Dir(dir)) != l.run.ID { // only the containers' own
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err == nil {
			out = append(out, strings.Fields(string(b))...)
		}
	}
	return out
}
