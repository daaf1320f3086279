package fault

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/tests/faulty"
	"github.com/dce-go/dce/tests/harness"
)

// patience bounds every wait of a test; what is waited for comes far sooner.
const patience = harness.Patience

// soon is how long dockerd and the kernel may take to be done with what is gone.
const soon = 10 * time.Second

// node is an agent, and a proxy before an engine through which its executors see it.
type node struct {
	*harness.Agent
	t      *testing.T
	engine *engine
	proxy  *faulty.Proxy
}

func newNode(t *testing.T, e *engine, compose string, change ...func(*localagent.Options)) *node {
	t.Helper()
	n := &node{t: t, engine: e}
	var err error
	n.proxy, err = faulty.Start(e.box.Host())
	require.NoError(t, err)
	n.Agent = harness.NewAgent(t, e.Engine, "fault", append([]func(*localagent.Options){func(o *localagent.Options) {
		o.Prepare = func(sandbox string) error {
			if err := os.Mkdir(filepath.Join(sandbox, "flags"), 0o755); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(sandbox, "compose.yaml"), []byte(compose), 0o644)
		}
	}}, change...)...)
	t.Cleanup(n.close)
	return n
}

// close looks that nothing is left: no container, network or volume on the engine, no cgroup of ours.
func (n *node) close() {
	failed := n.t.Failed()
	_ = n.engine.box.Resume() // harmless where it was not stopped; fails where it is down
	ctx, cancel := harness.Within()
	defer cancel()
	require.NoError(n.t, n.engine.box.Up(ctx))
	n.Close()
	require.NoError(n.t, n.proxy.Close())
	if failed {
		for _, c := range n.containers() {
			_ = n.engine.docker.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
		}
	} else {
		harness.Settle(n.t, soon, nil, func() []string {
			left, err := n.engine.box.Left(ctx)
			require.NoError(n.t, err)
			return append(left, harness.Cgroups(n.Root)...)
		})
	}
	harness.RemoveRoot(n.Root)
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
	info := harness.Task{ID: id, Executor: "executor-" + id, Program: executor, Labels: map[string]string{}, Env: harness.ShortGrace()}
	info.Env["DOCKER_HOST"], info.Env["DCE_LOG_LEVEL"] = n.proxy.Host(), "debug"
	for _, s := range settings {
		k, v, _ := strings.Cut(s, "=")
		info.Labels["dce."+k] = v
	}
	r := n.Begin(info.Info())
	return &task{n, r.Task, r.Container}
}

// is what the harness has of it.
func (l *task) is() *harness.Run { return &harness.Run{Agent: l.Agent, Task: l.id, Container: l.run} }

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
	return l.is().Reach(state)
}

// gone waits until the executor has ended by itself.
func (l *task) gone() {
	l.t.Helper()
	l.is().Gone()
}

func (l *task) kill(grace time.Duration) mesos.TaskStatus {
	l.t.Helper()
	require.NoError(l.t, l.Kill(l.id, &grace))
	return l.await(mesos.TASK_KILLED)
}

// end kills the pod and waits until nothing of it is left.
func (l *task) end() {
	l.t.Helper()
	l.kill(10 * time.Second)
	l.gone()
}

// updates are the states that Mesos was told, in order, up to the last.
func (l *task) updates() []string { return l.is().States() }

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

// processes are those of the pod's containers, as the kernel knows them.
func (l *task) processes() []string {
	var out []string
	for _, dir := range harness.Cgroups(l.Root) {
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
