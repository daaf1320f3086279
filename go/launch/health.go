package launch

import (
	"context"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/health"
	"github.com/dce-go/dce/go/pod"
)

// checked adds to the rules of a pod what its task asks to be checked.
func checked(rules pod.Rules, task *mesos.TaskInfo, checks []health.Check) pod.Rules {
	for _, c := range checks {
		if c.Health != nil {
			rules.HealthCheck = true
		} else {
			rules.Check = &pod.Check{Type: string(c.Type)}
		}
	}
	if grace := task.GetKillPolicy().GetGracePeriod(); grace != nil {
		rules.KillGrace = new(max(0, time.Duration(grace.Nanoseconds)))
	}
	return rules
}

// checking finds out how the checks can be made in the pod. It returns nil where there are none.
func checking(checks []health.Check, spec engine.PodSpec, service string, e health.Engine, log logrus.FieldLogger) (func(context.Context, func(pod.Event)), error) {
	if len(checks) == 0 {
		return nil, nil
	}
	checkers, err := health.New(checks, spec, service, e, log)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, post func(pod.Event)) { health.Run(ctx, checkers, post) }, nil
}

// maxCompletion is how long the task may take, 0 for as long as it wants.
func maxCompletion(task *mesos.TaskInfo) time.Duration {
	return max(0, time.Duration(task.GetMaxCompletionTime().GetNanoseconds()))
}
