package pod

import (
	"fmt"
	"time"
)

// Check is what a check of the task (TaskInfo.check) came to, as CheckStatusInfo has it.
type Check struct {
	Type   string // "COMMAND", "HTTP" or "TCP", as CheckInfo.Type has it
	Result *int   // exit code, HTTP status code, or 1 for a TCP connection and 0 for none; nil where there is no result
}

// taskHealth follows src/launcher/executor.cpp, taskHealthUpdated: each failure that counts is reported, not only the first, and
// the task that fails too often is killed. Its last state is TASK_KILLED with healthy=false, as all executors of Mesos have it.
func taskHealth(s State, e TaskHealth) (State, []Action) {
	if s.Phase != PhaseRunning {
		return s, nil
	}
	before := s.Healthy
	s.Passes = new(e.Healthy)
	s.Healthy = s.health()
	if e.Healthy && before != nil && s.Healthy != nil && *before == *s.Healthy { // a service is unhealthy all the same
		return s, nil
	}
	report := DoReport{Status{State: Running, Reason: ReasonHealth, Healthy: s.Healthy, Message: e.Message}}
	if !e.Fatal {
		return s, []Action{report}
	}
	s, actions := kill(s, s.Rules.KillGrace, Status{State: Killed, Reason: ReasonHealth, Healthy: new(false), Message: e.Message})
	return s, append([]Action{report}, actions...)
}

func checkUpdated(s State, e CheckUpdated) (State, []Action) {
	if s.Phase != PhaseRunning {
		return s, nil
	}
	s.Check = &e.Check
	return s, []Action{DoReport{Status{State: Running, Reason: ReasonCheck, Healthy: s.Healthy, Message: e.Message}}}
}

// completionTimeout ends the pod without a grace period and without TASK_KILLING (src/docker/executor.cpp, taskCompletionTimeout).
func completionTimeout(s State, e CompletionTimeout) (State, []Action) {
	if s.Phase == PhaseStopping || s.Phase.Ended() {
		return s, nil
	}
	return stop(s, Status{State: Failed, Reason: ReasonMaxCompletion, Message: fmt.Sprintf(
		"The pod has not ended within %v, the max_completion_time of its task.", e.After)}, new(time.Duration(0)))
}
