// Package pod is the life of one pod: a pure next(state, event) that decides, and a runner that acts on it.
// It never talks to Docker or Mesos itself: the engine and the reporter are given to it.
package pod

import (
	"context"

	"github.com/dce-go/dce/go/engine"
)

// TaskState is what Mesos is told of a pod, in Mesos' own words without the prefix TASK_.
type TaskState string

// The states that a pod reports.
const (
	Starting TaskState = "STARTING"
	Running  TaskState = "RUNNING"
	Killing  TaskState = "KILLING"
	Finished TaskState = "FINISHED"
	Failed   TaskState = "FAILED"
	Killed   TaskState = "KILLED"
)

// Terminal says whether the state is the last one.
func (s TaskState) Terminal() bool { return s == Finished || s == Failed || s == Killed }

// Reason is a reason of Mesos' TaskStatus (mesos.proto, TaskStatus.Reason), by name.
type Reason string

// The reasons that pods report. Errors of other packages carry theirs through the interface{ Reason() string }.
const (
	ReasonNone           Reason = ""
	ReasonLaunchFailed   Reason = "REASON_CONTAINER_LAUNCH_FAILED"
	ReasonInvalid        Reason = "REASON_TASK_INVALID"
	ReasonMemory         Reason = "REASON_CONTAINER_LIMITATION_MEMORY"
	ReasonHealth         Reason = "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"
	ReasonCheck          Reason = "REASON_TASK_CHECK_STATUS_UPDATED"
	ReasonMaxCompletion  Reason = "REASON_MAX_COMPLETION_TIME_REACHED"
	ReasonExecutorEnded  Reason = "REASON_EXECUTOR_TERMINATED"
	ReasonKilledInLaunch Reason = "REASON_TASK_KILLED_DURING_LAUNCH"
	ReasonCommandFailed  Reason = "REASON_COMMAND_EXECUTOR_FAILED"
)

// Status is one update for Mesos.
type Status struct {
	State   TaskState
	Reason  Reason
	Message string // one sentence
	Healthy *bool  // set where the pod has a healthcheck
	Service string // the service that ended the pod, empty where none did
	Check   *Check // set where the task has a check: what it came to last

	Networks []Network // where the pod can be reached from other hosts at addresses of its own; empty for the agent's address

	Labels map[string]string // of the update, light-weight: master and agent keep them in memory
	Data   []byte            // of the update, for the framework
}

// Network is a network with the pod's addresses on it.
type Network struct {
	Name      string
	Addresses []string // IPv4 or IPv6
}

// Kind says when a pod ends.
type Kind string

// The kinds of pods.
const (
	Service Kind = "service" // fails when any essential container exits
	Job     Kind = "job"     // finishes when all essential containers have exited 0, fails at the first that did not
)

// Engine is what the runner needs of engine.Pod.
type Engine interface {
	// Up creates and starts everything, honouring depends_on, and returns when every service runs and is healthy
	// where it has a healthcheck. Progress is called as stages begin. It returns early when ctx ends.
	Up(ctx context.Context, spec engine.PodSpec, progress func(engine.Stage)) error
	// Watch follows the pod's containers until ctx ends: a full picture after every (re)subscribe, single changes between.
	Watch(ctx context.Context, pod string) <-chan engine.Observation
	// Stop stops in reverse order of depends_on, each container with its own signal and grace, all before the deadline,
	// which may come nearer while Stop waits; then SIGKILL.
	Stop(ctx context.Context, spec engine.PodSpec, deadline *engine.Deadline) engine.StopReport
	// Restart starts a container of the pod that has ended. Watch shows its new run as another one. An engine that is out of
	// reach is IsUnavailable.
	Restart(ctx context.Context, spec engine.PodSpec, name string) error
	// Remove removes everything that was created for the pod.
	Remove(ctx context.Context, spec engine.PodSpec) error
}
