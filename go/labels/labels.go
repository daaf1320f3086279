// Package labels holds the labels that dce puts on everything it creates, and the identity they are made of.
// Executor and agent module share it: what one writes, the other proves ownership by.
// It never talks to an engine.
package labels

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strings"
)

// Keys of our own labels. Docker filters on them; users type them.
const (
	Scope     = "io.dce.scope"     // the agent's work_dir: tells the agents of one host apart, survives a new agent id
	Agent     = "io.dce.agent"     // the agent id, as information only
	Framework = "io.dce.framework" // framework id
	Executor  = "io.dce.executor"  // executor id
	Container = "io.dce.container" // Mesos container id, not Docker's
	Task      = "io.dce.task"      // task id
	Pod       = "io.dce.pod"       // pod id, see Identity.PodID
	Service   = "io.dce.service"   // compose service
	Role      = "io.dce.role"      // RoleInfra or RoleService
	Version   = "io.dce.version"   // version of dce that created it

	// Essential is read, not written: a service labelled "true" is essential, and then the others are sidecars.
	Essential = "io.dce.essential"

	// Unbound is of updates, not of containers: which limits of the task do not bind the pod, and why.
	Unbound = "io.dce.unbound"

	ClassicTask     = "taskId"     // what the predecessors of dce wrote
	ClassicExecutor = "executorId" // likewise

	ComposeProject    = "com.docker.compose.project"
	ComposeService    = "com.docker.compose.service"
	ComposeNumber     = "com.docker.compose.container-number"
	ComposeOneoff     = "com.docker.compose.oneoff"
	ComposeConfigHash = "com.docker.compose.config-hash"
	ComposeNetwork    = "com.docker.compose.network"
	ComposeVolume     = "com.docker.compose.volume"
)

// Values of the label Role.
const (
	RoleInfra   = "infra"
	RoleService = "service"
)

// Identity says whose a pod is. Every field is a Mesos id and may hold any character but control characters and "/"
// (Scope is a path); nothing of it may reach a shell.
type Identity struct {
	Scope     string // the agent's work_dir
	Agent     string
	Framework string
	Executor  string
	Container string
	Task      string
}

// podPrefix is how much of the task id a pod id shows.
const podPrefix = 24

// PodID is a name for the pod that is safe as a container name, a compose project name and a directory name:
// "dce-<readable part of the task id>-<hash of the whole identity>". It never begins with "mesos-", the prefix under
// which the agent's Docker containerizer removes what it does not know.
func (id Identity) PodID() string {
	sum := sha256.New()
	for _, part := range []string{id.Agent, id.Framework, id.Executor, id.Container, id.Task} {
		sum.Write([]byte(part))
		sum.Write([]byte{0}) // no control characters in ids, so the parts can't run into each other
	}
	hash := hex.EncodeToString(sum.Sum(nil))[:10]
	if readable := sanitize(id.Task); readable != "" {
		return "dce-" + readable + "-" + hash
	}
	return "dce-" + hash
}

func sanitize(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= podPrefix {
			break
		}
	}
	return strings.Trim(b.String(), "-")
}

// Labels returns what every object of the pod bears. The map is the caller's own.
func (id Identity) Labels(version string) map[string]string {
	pod := id.PodID()
	return map[string]string{
		Scope: id.Scope, Agent: id.Agent, Framework: id.Framework, Executor: id.Executor,
		Container: id.Container, Task: id.Task, Pod: pod, Version: version,
		ClassicTask: id.Task, ClassicExecutor: id.Executor,
		ComposeProject: pod,
	}
}

// ForService returns base plus the labels of one container of a service.
func ForService(base map[string]string, service, role, number string) map[string]string {
	out := maps.Clone(base)
	out[Service], out[Role] = service, role
	out[ComposeService], out[ComposeNumber], out[ComposeOneoff] = service, number, "False"
	return out
}

// Parse reads the identity and the pod id back. ok is false where the labels are not ours or not whole.
func Parse(l map[string]string) (id Identity, pod string, ok bool) {
	id = Identity{
		Scope: l[Scope], Agent: l[Agent], Framework: l[Framework], Executor: l[Executor],
		Container: l[Container], Task: l[Task],
	}
	pod = l[Pod]
	ok = pod != "" && id.Scope != "" && id.Framework != "" && id.Executor != "" && id.Container != "" && id.Task != ""
	return id, pod, ok
}
