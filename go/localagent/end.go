package localagent

import (
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// Kill asks for the end of a task. A grace, when given, overrides the kill policies that came before; zero is at once. A
// task that was not delivered yet is killed here, and with it its group.
// Follows src/slave/slave.cpp, killTask and kill.
func (a *Agent) Kill(taskID string, grace *time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	e, t := a.taskRun(taskID)
	if e == nil {
		a.report(nil, mesos.TaskID{Value: taskID}, termination{a.lost(mesos.TASK_DROPPED),
			mesos.REASON_EXECUTOR_TERMINATED, "Cannot find executor"})
		return nil
	}
	log := a.options.Log.WithField("task", taskID)
	switch {
	case a.state != serving:
		log.Warn("The kill is ignored, because the agent is down or recovering")
	case e.state >= terminating:
		log.Warn("The kill is ignored, because the executor is terminating")
	case t.phase == queued:
		a.killQueued(e, t)
	default:
		kill := &executor.Event_Kill{TaskID: t.info.TaskID}
		if grace != nil {
			kill.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: int64(*grace)}}
		}
		a.send(e, &executor.Event{Type: executor.Event_KILL, Kill: kill})
	}
	return nil
}

func (a *Agent) killQueued(e *run, t *task) {
	message := "Killed before delivery to the executor"
	together := []*task{t}
	for _, d := range e.queue {
		for _, member := range d.tasks {
			if member == t && len(d.tasks) > 1 {
				message = "A task within the task group was killed before delivery to the executor"
				together = d.tasks
			}
		}
	}
	for _, member := range together {
		a.report(e, member.info.TaskID, termination{mesos.TASK_KILLED, mesos.REASON_TASK_KILLED_DURING_LAUNCH, message})
	}
	if e.state == running && !e.everSentTask() && len(e.active(queued)) == 0 {
		a.shutdown(e)
	}
}

// Shutdown asks the executor to end with all its tasks, and kills it after the grace.
// Follows src/slave/slave.cpp, shutdownExecutor.
func (a *Agent) Shutdown(executorID string) error {
	return a.withRun(executorID, func(e *run) {
		if e.state < terminating && a.state == serving {
			a.shutdown(e)
		}
	})
}

// shutdown follows src/slave/slave.cpp, _shutdownExecutor and shutdownExecutorTimeout.
func (a *Agent) shutdown(e *run) {
	e.state = terminating
	a.send(e, &executor.Event{Type: executor.Event_SHUTDOWN})
	e.timers = append(e.timers, a.after(a.shutdownGrace(e.info), func() {
		if e.state == terminating {
			a.terminate(e.container, nil)
		}
	}))
}

// executorTerminated reports the tasks that the executor left unfinished; the lock is held. failed is why its container
// could not be destroyed. Follows src/slave/slave.cpp, executorTerminated and sendExecutorTerminatedStatusUpdate.
func (a *Agent) executorTerminated(e *run, failed error) {
	e.state = terminated
	if e.stream != nil {
		e.stream.end()
		e.stream = nil
	}
	why := termination{mesos.TASK_FAILED, mesos.REASON_EXECUTOR_TERMINATED, ""}
	var messages []string
	for _, t := range []*termination{e.pending, e.container.termination} { // the container's own counts more
		if t != nil {
			why.state, why.reason = t.state, t.reason
			messages = append(messages, t.message)
		}
	}
	if failed != nil {
		messages = append(messages, "Abnormal executor termination: "+failed.Error())
	}
	why.message = strings.Join(messages, "; ")
	if why.message == "" {
		why.message = "Executor terminated"
	}
	for _, t := range append(e.active(launched), e.active(queued)...) {
		a.report(e, t.info.TaskID, why)
	}
	if !e.incomplete() {
		a.remove(e)
	}
}

// remove forgets the executor. Follows src/slave/slave.cpp, removeExecutor; the sandbox is not collected here.
func (a *Agent) remove(e *run) {
	for _, t := range e.timers {
		t.Stop()
	}
	id := e.info.ExecutorID.Value
	if a.executors[id] != e {
		return
	}
	delete(a.executors, id)
	if m := a.options.Modules; m != nil {
		m.Removed(a.options.Framework.ID.Value, id)
	}
}
