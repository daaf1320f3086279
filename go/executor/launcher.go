package executor

import (
	"context"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"

	"github.com/dce-go/dce/go/pod"
)

// Launcher turns tasks into pods.
type Launcher interface {
	// Launch starts a task and returns once the task is known to make sense; the pod comes up behind it. An error means that
	// the task is invalid: it becomes TASK_FAILED with the reason of its Reason() string, or REASON_TASK_INVALID.
	// ctx lives as long as the executor does. report takes each status in order, from any goroutine, and never blocks;
	// what follows a terminal one is dropped. Launch runs beside others: it must be safe for concurrent use.
	Launch(ctx context.Context, task mesos.TaskInfo, session Session, report func(pod.Status)) (Task, error)
}

// Task is a pod that was launched. No method may wait for the pod.
type Task interface {
	// Kill ends the pod within grace, or within the pod's own where grace is nil. A later call may only shorten it.
	Kill(grace *time.Duration)
	// Shutdown ends the pod because the executor ends: every container must be stopped after grace.
	Shutdown(grace time.Duration)
	// Done is closed when everything of the pod is removed.
	Done() <-chan struct{}
}

// Session is what a task may know of the executor that it belongs to: what SUBSCRIBED said, and the environment.
type Session struct {
	Environment   Environment
	ExecutorInfo  mesos.ExecutorInfo
	FrameworkInfo mesos.FrameworkInfo
	AgentInfo     mesos.AgentInfo
	ContainerID   string // Mesos' id of the executor's container, never empty
}

// killing says whether the framework knows TASK_KILLING; without the capability it may not be sent.
func (s *Session) killing() bool {
	for _, c := range s.FrameworkInfo.Capabilities {
		if c.Type == mesos.FrameworkInfo_Capability_TASK_KILLING_STATE {
			return true
		}
	}
	return false
}
