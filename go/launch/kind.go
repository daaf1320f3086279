package launch

import (
	"fmt"

	"github.com/mesos/mesos-go/api/v1/lib"

	"github.com/dce-go/dce/go/aurora"
	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/pod"
)

// marathonApp is the variable by which Marathon names the app to its executor (Marathon's EnvironmentHelper.scala).
const marathonApp = "MARATHON_APP_ID"

// podKind says what kind of pod a task is, and why, as a clause: what is configured (pod.kind, in whatever place) comes first,
// then what the framework says of its job, then the default. Aurora says it of each job; all that Marathon runs is a service.
func podKind(cfg *config.Config, fromAurora *aurora.Task, vars map[string]string) (kind pod.Kind, why string) {
	source := cfg.Source("pod.kind")
	switch {
	case source.Layer != config.LayerDefault:
		return pod.Kind(cfg.Pod.Kind), fmt.Sprintf("pod.kind is set (%s)", source)
	case fromAurora != nil && fromAurora.Service != nil && *fromAurora.Service:
		return pod.Service, "its job in Aurora is a service"
	case fromAurora != nil && fromAurora.Service != nil:
		return pod.Job, "its job in Aurora is no service"
	case vars[marathonApp] != "":
		return pod.Service, "it is an app of Marathon"
	}
	return pod.Kind(cfg.Pod.Kind), "that is the default"
}

// auroraTask reads the task's data where Aurora wrote it: an AssignedTask that bears the task's own id. Other frameworks may put
// there what they like.
func auroraTask(task *mesos.TaskInfo) *aurora.Task {
	if len(task.Data) == 0 {
		return nil
	}
	assigned, err := aurora.Decode(task.Data)
	if err != nil || assigned.ID != task.TaskID.Value {
		return nil
	}
	return assigned
}
