package harness

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
)

// Task is what a test launches.
type Task struct {
	ID       string
	Executor string            // its id
	Program  string            // dce-executor
	Env      map[string]string // of the executor
	Labels   map[string]string
	Ports    []uint64 // offered
	CPUs     float64  // default 2
	Mem      float64  // MB, default 256
}

// Info is the task as a framework describes it.
func (t Task) Info() mesos.TaskInfo {
	info := mesos.TaskInfo{
		Name: t.ID, TaskID: mesos.TaskID{Value: t.ID}, Labels: &mesos.Labels{},
		Resources: []mesos.Resource{resources.NewCPUs(cmp.Or(t.CPUs, 2)).Resource, resources.NewMemory(cmp.Or(t.Mem, 256)).Resource},
		Executor: &mesos.ExecutorInfo{
			ExecutorID: mesos.ExecutorID{Value: t.Executor},
			Command: &mesos.CommandInfo{Value: new(t.Program), Shell: new(false), Arguments: []string{t.Program},
				Environment: &mesos.Environment{}},
		},
	}
	vars := info.Executor.Command.Environment
	for _, k := range slices.Sorted(maps.Keys(t.Env)) {
		vars.Variables = append(vars.Variables, mesos.Environment_Variable{Name: k, Value: new(t.Env[k])})
	}
	for _, k := range slices.Sorted(maps.Keys(t.Labels)) {
		info.Labels.Labels = append(info.Labels.Labels, mesos.Label{Key: k, Value: new(t.Labels[k])})
	}
	if len(t.Ports) > 0 {
		offer := &mesos.Value_Ranges{}
		for _, p := range t.Ports {
			offer.Range = append(offer.Range, mesos.Value_Range{Begin: p, End: p})
		}
		info.Resources = append(info.Resources, mesos.Resource{Name: "ports", Type: mesos.RANGES.Enum(), Ranges: offer})
	}
	return info
}

// Run is a task on its way.
type Run struct {
	*Agent
	Task      string // its id
	Container *localagent.Container
}

// Begin launches a task.
func (a *Agent) Begin(info mesos.TaskInfo) *Run {
	a.T.Helper()
	c, err := a.Launch(info)
	require.NoError(a.T, err)
	return &Run{a, info.TaskID.Value, c}
}

// Reach waits for a state; a terminal one that is not wanted fails the test at once.
func (r *Run) Reach(state mesos.TaskState) mesos.TaskStatus {
	r.T.Helper()
	ctx, cancel := Within()
	defer cancel()
	u, err := r.Await(ctx, func(u localagent.Update) bool {
		return u.Status.TaskID.Value == r.Task && (u.Status.GetState() == state || u.Terminal())
	})
	require.NoError(r.T, err, "waiting for %s", state)
	require.Equal(r.T, state.String(), u.Status.GetState().String(), "%s: %s", u.Status.GetReason(), u.Status.GetMessage())
	return u.Status
}

// Over waits until the agent has done with the executor, however that ended.
func (r *Run) Over() {
	r.T.Helper()
	ctx, cancel := Within()
	defer cancel()
	require.NoError(r.T, r.Container.Wait(ctx))
}

// Gone waits until the executor has ended by itself and well.
func (r *Run) Gone() {
	r.T.Helper()
	r.Over()
	require.Equal(r.T, "exit status 0", r.Container.ExitStatus())
	require.NotContains(r.T, r.Stderr.String(), "DATA RACE")
}

// States are those that Mesos was told of the task, in order, up to the last.
func (r *Run) States() []string {
	ctx, cancel := Within()
	defer cancel()
	var out []string
	for u := range r.Updates(ctx) {
		if u.Status.TaskID.Value != r.Task {
			continue
		}
		out = append(out, strings.TrimPrefix(u.Status.GetState().String(), "TASK_"))
		if u.Terminal() {
			break
		}
	}
	return out
}
