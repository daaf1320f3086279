package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
)

// order is what a task is made of.
type order struct {
	id, name string
	cpus     float64
	memory   int64 // bytes
	ports    []mesos.Value_Range
	labels   map[string]string
	env      map[string]string // of the executor
	executor string            // absolute path
}

// task is the TaskInfo that a scheduler would send. All resources are the task's, as with Marathon.
func (o order) task() mesos.TaskInfo {
	no := false
	command := &mesos.CommandInfo{Shell: &no, Value: &o.executor, Arguments: []string{filepath.Base(o.executor)},
		Environment: &mesos.Environment{}}
	for _, name := range sorted(o.env) {
		value := o.env[name]
		command.Environment.Variables = append(command.Environment.Variables, mesos.Environment_Variable{Name: name, Value: &value})
	}
	info := mesos.TaskInfo{
		Name: o.name, TaskID: mesos.TaskID{Value: o.id},
		Resources: []mesos.Resource{
			resources.NewCPUs(o.cpus).Resource,
			resources.NewMemory(float64(o.memory) / (1 << 20)).Resource,
			{Name: "ports", Type: mesos.RANGES.Enum(), Ranges: &mesos.Value_Ranges{Range: o.ports}},
		},
		Executor: &mesos.ExecutorInfo{ExecutorID: mesos.ExecutorID{Value: "dce-" + o.id}, Command: command},
		Labels:   &mesos.Labels{},
	}
	for _, key := range sorted(o.labels) {
		value := o.labels[key]
		info.Labels.Labels = append(info.Labels.Labels, mesos.Label{Key: key, Value: &value})
	}
	return info
}

func sorted(m map[string]string) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// taskLabels adds what the flags mean to the labels that the user gives.
func taskLabels(f runFlags, p project) (map[string]string, error) {
	out := map[string]string{}
	if len(p.files) > 0 {
		out["fileName"] = strings.Join(p.files, ",")
	}
	if f.job {
		out["dce.pod.kind"] = "job"
	}
	for _, text := range f.labels {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, badInput("--label %q has no key and value; write it like key=value", text)
		}
		if old, twice := out[key]; twice && old != value {
			return nil, badInput("the label %s is given twice, as %q and as %q", key, old, value)
		}
		out[key] = value
	}
	// --cpus is a hard limit, also where the embedded agent does not make the pod's cgroup: in a slice of systemd.
	if _, said := out[quotaLabel]; !said {
		out[quotaLabel] = "true"
	}
	return out, nil
}

// quotaLabel binds the pod to the task's CPUs.
const quotaLabel = "dce.cpu.cfs_quota"

// executorEnv is the environment of the executor's command: what leads to the Docker engine and its registries, dce's own
// settings, and what the user names. Mesos' variables are the agent's to give, and the cgroup's the agent module's.
func executorEnv(environ, given []string, dockerHost string) (map[string]string, error) {
	out := map[string]string{}
	here := map[string]string{}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		here[name] = value
		switch {
		case name == "DCE_CGROUP_PARENT", strings.HasPrefix(name, "DCE_TEST_"):
		case name == "PATH", name == "HOME", strings.HasPrefix(name, "DOCKER_"), strings.HasPrefix(name, "DCE_"):
			out[name] = value
		}
	}
	for _, name := range []string{"DOCKER_CONFIG", "DOCKER_CERT_PATH"} { // the executor runs in the sandbox
		if out[name] != "" {
			path, err := filepath.Abs(out[name])
			if err != nil {
				return nil, err
			}
			out[name] = path
		}
	}
	if strings.HasPrefix(dockerHost, "unix:") { // what a docker context leads to needs no TLS, and no context any more
		out["DOCKER_HOST"] = dockerHost
	}
	for _, text := range given {
		name, value, ok := strings.Cut(text, "=")
		switch {
		case name == "":
			return nil, badInput("--env %q has no name; write it like name=value", text)
		case strings.HasPrefix(name, "MESOS_") && name != "MESOS_TASK_ID", strings.HasPrefix(name, "LIBPROCESS_"):
			return nil, badInput("--env %s is for the agent to set", name)
		case name == "DOCKER_HOST", name == "DOCKER_CONTEXT":
			return nil, badInput("--env %s would lead the executor to another engine than dce; set it in the environment of dce, or name the engine with --label dce.engine.host=", name)
		case !ok:
			if value, ok = here[name]; !ok {
				return nil, badInput("--env %s has no value, neither here nor in the environment; write %s=value", name, name)
			}
		}
		out[name] = value
	}
	return out, nil
}

// taskName makes a name fit for an id: Mesos takes no slashes and no control characters.
func taskName(given, dir string) (string, error) {
	if given == "" {
		given = filepath.Base(dir)
		if given == "/" || given == "." {
			given = "task"
		}
		return strings.Map(printable, given), nil
	}
	if strings.Map(printable, given) != given || len(given) > 200 {
		return "", badInput("--name %q holds a slash or a control character, or is longer than 200 bytes; Mesos takes no such id", given)
	}
	return given, nil
}

func printable(r rune) rune {
	if r == '/' || r == '\\' || !strconv.IsPrint(r) {
		return '-'
	}
	return r
}

// findExecutor takes the program that the user names, the one beside this program, or the one in PATH.
func findExecutor(given, self string, lookPath func(string) (string, error)) (string, error) {
	const name = "dce-executor"
	if given != "" {
		path, err := filepath.Abs(given)
		if err != nil {
			return "", badInput("--executor %s: %v", given, err)
		}
		if err := isProgram(path); err != nil {
			return "", badInput("--executor %s can't be used: %v", given, err)
		}
		return path, nil
	}
	if beside := filepath.Join(filepath.Dir(self), name); isProgram(beside) == nil {
		return beside, nil
	}
	if path, err := lookPath(name); err == nil {
		return filepath.Abs(path)
	}
	return "", fmt.Errorf("%s is neither beside %s nor in PATH; build it with `make build`, or name it with --executor", name, self)
}

func isProgram(path string) error {
	if err := isFile(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err == nil && info.Mode()&0o111 == 0 {
		err = errors.New("it may not be executed; chmod 755 it, or name another")
	}
	return err
}
