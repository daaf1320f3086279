package localagent

import (
	"fmt"
	"slices"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// runState is where an executor is: src/slave/slave.hpp, Executor::State.
//
//	registering --SUBSCRIBE--> running --shutdown, timeout--> terminating --gone--> terminated
//	     ^                        |
//	     +---- agent restart -----+
type runState int

const (
	registering runState = iota
	running
	terminating
	terminated
)

// run is one run of an executor with its tasks: src/slave/slave.hpp, Executor. The agent's lock guards it.
type run struct {
	info      mesos.ExecutorInfo
	container *Container
	state     runState
	stream    *stream    // the subscription, nil when there is none
	queue     []delivery // what was not sent yet, in order
	tasks     map[string]*task
	order     []string // task ids as they were launched
	pending   *termination
	timers    []*time.Timer
}

// delivery is one LAUNCH or LAUNCH_GROUP.
type delivery struct {
	event *executor.Event
	tasks []*task
}

// phase is in which of an Executor's maps Mesos has the task.
type phase int

const (
	queued    phase = iota // queuedTasks: not sent to the executor
	launched               // launchedTasks
	ended                  // terminatedTasks: the last update is not acknowledged by the scheduler
	completed              // completedTasks
)

type task struct {
	info         mesos.TaskInfo
	phase        phase
	state        mesos.TaskState
	fromExecutor bool            // the executor has sent an update
	received     map[string]bool // uuids, src/slave/task_status_update_manager.hpp, TaskStatusUpdateStream
}

func newTask(info mesos.TaskInfo) *task {
	return &task{info: info, state: mesos.TASK_STAGING, received: map[string]bool{}}
}

// active returns the tasks that the agent still looks after, in the order of their launch: getExecutor(taskId) of
// src/slave/slave.cpp knows no others.
func (e *run) active(phases ...phase) []*task {
	var out []*task
	for _, id := range e.order {
		if t := e.tasks[id]; slices.Contains(phases, t.phase) {
			out = append(out, t)
		}
	}
	return out
}

// incomplete follows src/slave/slave.cpp, Executor::incompleteTasks.
func (e *run) incomplete() bool { return len(e.active(queued, launched, ended)) > 0 }

// everSentTask follows src/slave/slave.cpp, Executor::everSentTask.
func (e *run) everSentTask() bool {
	return len(e.active(launched)) > 0 ||
		slices.ContainsFunc(e.active(ended, completed), func(t *task) bool { return t.fromExecutor })
}

// send passes an event to the executor; without a subscription it is lost. Follows src/slave/slave.hpp, Executor::send.
func (a *Agent) send(e *run, event *executor.Event) {
	if e.stream == nil || !e.stream.send(event) {
		a.options.Log.WithFields(map[string]any{"event": event.Type.String(), "executor": e.info.ExecutorID.Value}).
			Debug("The event is lost, because the executor is not connected")
	}
}

// taskRun finds the run that has the task; the lock is held.
func (a *Agent) taskRun(id string) (*run, *task) {
	for _, e := range a.executors {
		if t, ok := e.tasks[id]; ok && t.phase != completed {
			return e, t
		}
	}
	return nil, nil
}

// withTask calls f for a task that the agent has, under the lock.
func (a *Agent) withTask(id string, f func(*run, *task)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, t := a.taskRun(id)
	if e == nil {
		return fmt.Errorf("the local agent has no task %q", id)
	}
	f(e, t)
	return nil
}

func (a *Agent) withRun(executorID string, f func(*run)) error {
	e, err := a.find(executorID)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	f(e)
	return nil
}
