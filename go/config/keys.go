package config

import (
	"slices"
	"strings"

	"github.com/dce-go/dce/go/qos"
)

// QoSAuto is the value of qos that has the class derived.
const QoSAuto = "auto"

// Type is what a value looks like.
type Type string

// The types of values. A duration has a unit, Go's (10s, 1m30s) or Mesos' (10secs, 15mins); a number is whole and not negative;
// a list is separated by commas, or a sequence in a file.
const (
	String   Type = "string"
	Bool     Type = "true or false"
	Choice   Type = "one of"
	Duration Type = "duration"
	Number   Type = "number"
	List     Type = "list"
)

// Key is one row of the table.
type Key struct {
	Name    string   // "pod.kind": so in files; DCE_POD_KIND in the environment; dce.pod.kind as a label
	Type    Type     // what a value looks like
	Default string   // as a user would write it; empty for none
	Choices []string // for Choice, and for the entries of a List that has them
	Doc     string   // a sentence or two, without line ends

	field func(*Config) any    // pointer to where the value goes: *string, *bool, *time.Duration, *uint64 or *[]string
	check func(v string) error // of a single value or entry, may be nil
}

// Env is the environment variable of the key.
func (k Key) Env() string { return envPrefix + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_")) }

// Label is the task label of the key.
func (k Key) Label() string { return labelPrefix + k.Name }

// Keys returns the table, in the order of the documentation.
func Keys() []Key { return slices.Clone(keys) }

var keys = []Key{
	{
		Name: "compose.files", Type: List,
		Doc: "Compose files, relative to the sandbox; later ones are merged over earlier ones. " +
			"Without it: compose's own default names. The label `fileName` means the same.",
		field: func(c *Config) any { return &c.Compose.Files },
	}, {
		Name: "compose.profiles", Type: List,
		Doc:   "Profiles of the compose file that are active.",
		field: func(c *Config) any { return &c.Compose.Profiles },
	}, {
		Name: "compose.visible", Type: Bool, Default: "false",
		Doc:   "Makes `docker compose -p <pod> ps` and `logs` see the pod; `docker compose down` can then destroy it, too.",
		field: func(c *Config) any { return &c.Compose.Visible },
	}, {
		Name: "pod.kind", Type: Choice, Choices: []string{"service", "job"}, Default: "service",
		Doc:   "A service fails when an essential container exits; a job finishes when all of them have exited with 0.",
		field: func(c *Config) any { return &c.Pod.Kind },
	}, {
		Name: "pod.share", Type: List, Choices: []string{"net", "ipc", "pid"}, Default: "net",
		Doc:   "Namespaces that the containers of a pod share.",
		field: func(c *Config) any { return &c.Pod.Share },
	}, {
		Name: "restart.policy", Type: Choice, Choices: []string{"honour", "ignore"}, Default: "honour",
		Doc: "Whether the restart policies of the compose file (`restart`, `deploy.restart_policy`) are honoured: dce starts the service again, " +
			"with backoff; with `ignore` every exit is final, and bringing things back is left to the framework.",
		field: func(c *Config) any { return &c.Restart.Policy },
	}, {
		Name: "network.mode", Type: String, Default: "pod",
		Doc: "`pod`: one network namespace for all, names are 127.0.0.1; `compose`: the file's own networks; `host`; `none`; " +
			"or the name of a Docker network that exists.",
		field: func(c *Config) any { return &c.Network.Mode }, check: networkName,
	}, {
		Name: "network.routable", Type: Bool, Default: "false",
		Doc: "The existing Docker network that `network.mode` names can be reached from other hosts (macvlan, a routed bridge): " +
			"Mesos is told the pod's address on it. Else it is told the agent's.",
		field: func(c *Config) any { return &c.Network.Routable },
	}, {
		Name: "ports.allow_static", Type: Bool, Default: "false",
		Doc:   "Lets a pod publish the fixed host ports of its file where Mesos offered none.",
		field: func(c *Config) any { return &c.Ports.AllowStatic },
	}, {
		Name: "limits.check", Type: Choice, Choices: []string{"fail", "warn"}, Default: "fail",
		Doc: "What happens to a pod whose services' memory limits add up to more than the task has: it is refused before anything is created, " +
			"or launched with a warning, and the kernel ends a service once the pod reaches the task's limit.",
		field: func(c *Config) any { return &c.Limits.Check },
	}, {
		Name: "limits.unbound", Type: Choice, Choices: []string{"warn", "fail"}, Default: "warn",
		Doc: "What happens to a pod that a limit of its task can't bind as a whole, because neither the agent nor its module sees to it and the executor " +
			"may not: it is launched and TASK_RUNNING says so, or it is refused before anything is created.",
		field: func(c *Config) any { return &c.Limits.Unbound },
	}, {
		Name: "qos", Type: Choice, Choices: append([]string{QoSAuto}, qos.Classes()...), Default: QoSAuto,
		Doc: "Quality of service of the pod, with Kubernetes' classes: how its containers share CPUs where these are short, and in which order the kernel " +
			"kills them where memory is. `auto` derives it from the limits and reservations of the file and of the task. " +
			"A class that they contradict is refused.",
		field: func(c *Config) any { return &c.QoS },
	}, {
		Name: "cpu.cfs_quota", Type: Bool, Default: "false",
		Doc: "Binds the pod to the task's CPUs even where others are idle (a CFS quota), as the agent's `--cgroups_enable_cfs` does for all tasks. " +
			"Without it: the agent's own quota, if there is one, and the task's `limits`.",
		field: func(c *Config) any { return &c.CPU.CFSQuota },
	}, {
		Name: "pids.limit", Type: Number, Default: "0",
		Doc:   "How many processes and threads the containers of the pod may have together, at least 16; 0 for no limit.",
		field: func(c *Config) any { return &c.Pids.Limit }, check: pidsLimit,
	}, {
		Name: "cgroup.use_hierarchy", Type: Choice, Choices: []string{"enforce", "require", "warn", "off"}, Default: "enforce",
		Doc: "On cgroup v1 with a kernel before 5.11, where memory.use_hierarchy may be 0, so that the task's memory limit would not bind its containers: " +
			"`enforce` sets it before the first container, and refuses the launch where that is too late; `require` only checks; `warn` launches all the same.",
		field: func(c *Config) any { return &c.Cgroup.UseHierarchy },
	}, {
		Name: "image.pull", Type: Choice, Choices: []string{"missing", "always", "never"}, Default: "missing",
		Doc:   "When images are pulled, for services whose `pull_policy` the file does not give.",
		field: func(c *Config) any { return &c.Image.Pull },
	}, {
		Name: "launch.timeout", Type: Duration, Default: "15m",
		Doc:   "How long a pod may take from LAUNCH to TASK_RUNNING; 0 for as long as it wants.",
		field: func(c *Config) any { return &c.Launch.Timeout },
	}, {
		Name: "stop.grace", Type: Duration, Default: "10s",
		Doc:   "How long services get between their stop signal and SIGKILL, where neither a kill policy nor the file's `stop_grace_period` says.",
		field: func(c *Config) any { return &c.Stop.Grace },
	}, {
		Name: "monitor.unhealthy", Type: Choice, Choices: []string{"fail", "report"}, Default: "fail",
		Doc:   "What an unhealthy service means once the pod runs: the pod fails, or Mesos is told that it is not healthy.",
		field: func(c *Config) any { return &c.Monitor.Unhealthy },
	}, {
		Name: "health.service", Type: String,
		Doc: "The service that the task's health check and check are about. Without it: the only essential one, or the only one of " +
			"them that no other depends on.",
		field: func(c *Config) any { return &c.Health.Service },
	}, {
		Name: "engine.host", Type: String,
		Doc:   "Address of the Docker engine (unix:///run/docker.sock, tcp://host:2376). Without it: DOCKER_HOST, then the docker context.",
		field: func(c *Config) any { return &c.Engine.Host },
	}, {
		Name: "engine.lost_timeout", Type: Duration, Default: "2m",
		Doc:   "How long the engine may be unreachable before the pod is given up.",
		field: func(c *Config) any { return &c.Engine.LostTimeout },
	}, {
		Name: "log.level", Type: Choice, Choices: []string{"error", "warn", "info", "debug", "trace"}, Default: "info",
		Doc:   "What the executor logs to its stderr.",
		field: func(c *Config) any { return &c.Log.Level },
	}, {
		Name: "log.format", Type: Choice, Choices: []string{"text", "json"}, Default: "text",
		Doc:   "How the executor logs.",
		field: func(c *Config) any { return &c.Log.Format },
	},
}

func find(name string) (Key, bool) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.Name == name })
	if i < 0 {
		return Key{}, false
	}
	return keys[i], true
}
