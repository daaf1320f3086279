package launch

import (
	"strings"

	"github.com/mesos/mesos-go/api/v1/lib"

	"github.com/dce-go/dce/go/labels"
)

// offeredPorts lists the host ports that a task was given, in the order of its resources.
func offeredPorts(task *mesos.TaskInfo) []uint16 {
	var out []uint16
	for _, r := range task.Resources {
		if r.Name != "ports" || r.Ranges == nil {
			continue
		}
		for _, span := range r.Ranges.Range {
			for p := span.Begin; p <= span.End && p <= 65535; p++ {
				out = append(out, uint16(p))
			}
		}
	}
	return out
}

// namedPorts lists the ports that have names: DiscoveryInfo's, where Marathon names those of an app, and those that Aurora
// assigned, whose DiscoveryInfo is optional.
func namedPorts(task *mesos.TaskInfo) map[string]uint16 {
	out := map[string]uint16{}
	if assigned := auroraTask(task); assigned != nil {
		out = assigned.Ports
	}
	if task.Discovery == nil || task.Discovery.Ports == nil {
		return out
	}
	for _, p := range task.Discovery.Ports.Ports {
		if name := p.GetName(); name != "" && p.Number <= 65535 {
			out[name] = uint16(p.Number)
		}
	}
	return out
}

// taskLabels flattens the task's labels; of several values of one key the last wins, as in Marathon.
func taskLabels(task *mesos.TaskInfo) map[string]string {
	out := map[string]string{}
	if task.Labels == nil {
		return out
	}
	for _, l := range task.Labels.Labels {
		out[l.Key] = l.GetValue()
	}
	return out
}

// scope is the agent's work_dir: what MESOS_DIRECTORY has before "/slaves/" (src/slave/paths.cpp, getExecutorRunPath). A
// directory of another shape is its own scope.
func scope(directory string) string {
	if workDir, _, ok := strings.Cut(directory, "/slaves/"); ok && workDir != "" {
		return workDir
	}
	return directory
}

func identity(task *mesos.TaskInfo, directory, agent, framework, executor, container string) labels.Identity {
	return labels.Identity{
		Scope: scope(directory), Agent: agent, Framework: framework, Executor: executor, Container: container,
		Task: task.TaskID.Value,
	}
}
