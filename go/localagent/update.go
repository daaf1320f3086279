package localagent

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// update handles one status update, of an executor or of the agent itself; the lock is held.
// Follows src/slave/slave.cpp, statusUpdate, _statusUpdate and ___statusUpdate.
func (a *Agent) update(by *run, status mesos.TaskStatus, source mesos.TaskStatus_Source) {
	status.AgentID = &mesos.AgentID{Value: a.options.AgentID}
	status.Source = &source
	if by != nil {
		status.ExecutorID = &by.info.ExecutorID
	}
	e, t := a.taskRun(status.TaskID.Value)
	log := a.options.Log.WithFields(map[string]any{"task": status.TaskID.Value, "state": status.GetState().String()})
	if e == nil {
		// Forwarded, but never acknowledged to the executor: the agent does not know any more whose it is.
		log.Warn("An update came for a task that no executor has (any more)")
		a.forward(nil, status)
		return
	}
	if source == mesos.SOURCE_EXECUTOR {
		a.fillContainerStatus(e.container, &status)
	}
	if err := t.apply(status); err != nil {
		log.WithError(err).Warn("The update is dropped")
	} else if !t.received[string(status.UUID)] {
		t.received[string(status.UUID)] = true
		a.forward(t, status)
	} // else a duplicate, which src/slave/task_status_update_manager.cpp, TaskStatusUpdateStream::update, ignores
	if source == mesos.SOURCE_EXECUTOR {
		a.acknowledge(e, status)
	}
}

// apply follows src/slave/slave.cpp, Executor::updateTaskState.
func (t *task) apply(status mesos.TaskStatus) error {
	last := terminal(status.GetState())
	switch {
	case t.phase == queued && !last:
		return fmt.Errorf("the task is queued and can only end")
	case t.phase == ended:
		return fmt.Errorf("the task has ended with %s already", t.state)
	}
	t.state = status.GetState()
	t.fromExecutor = t.fromExecutor || status.GetSource() == mesos.SOURCE_EXECUTOR
	if last {
		t.phase = ended
	}
	return nil
}

// fillContainerStatus adds what the containerizer knows, unless the executor speaks of another container. The agent adds
// its own address where the executor names none. Follows src/slave/slave.cpp, statusUpdate and _statusUpdate.
func (a *Agent) fillContainerStatus(c *Container, status *mesos.TaskStatus) {
	if id := status.GetContainerStatus().GetContainerID(); id != nil && id.Value != c.ID {
		return
	}
	filled := mesos.ContainerStatus{}
	if status.ContainerStatus != nil {
		filled = *status.ContainerStatus
	}
	pid := uint32(c.Pid())
	filled.ContainerID, filled.ExecutorPID = &mesos.ContainerID{Value: c.ID}, &pid
	if len(filled.NetworkInfos) == 0 {
		address := a.host
		filled.NetworkInfos = []mesos.NetworkInfo{{IPAddresses: []mesos.NetworkInfo_IPAddress{{IPAddress: &address}}}}
	}
	status.ContainerStatus = &filled
}

// forward passes an update on to those who watch. As master and scheduler in one, the agent acknowledges it at once; then
// a task that has ended is complete. Follows src/slave/slave.cpp, forward and _statusUpdateAcknowledgement.
func (a *Agent) forward(t *task, status mesos.TaskStatus) {
	if a.over {
		return
	}
	a.updates = append(a.updates, Update{Status: status, At: time.Now()})
	close(a.changed)
	a.changed = make(chan struct{})
	if t != nil && t.phase == ended && !a.held {
		a.complete(t)
	}
}

func (a *Agent) complete(t *task) {
	t.phase = completed
	for _, e := range a.executors {
		if e.tasks[t.info.TaskID.Value] == t && e.state == terminated && !e.incomplete() {
			a.remove(e)
		}
	}
}

// acknowledge tells the executor that its update was taken, duplicates too.
func (a *Agent) acknowledge(e *run, status mesos.TaskStatus) {
	a.acks.pass(func() {
		a.send(e, &executor.Event{Type: executor.Event_ACKNOWLEDGED,
			Acknowledged: &executor.Event_Acknowledged{TaskID: status.TaskID, UUID: status.UUID}})
	})
}

// report makes an update of the agent's own. Follows src/common/protobuf_utils.cpp, createStatusUpdate.
func (a *Agent) report(e *run, id mesos.TaskID, why termination) {
	random := uuid.New()
	now := float64(time.Now().UnixNano()) / 1e9
	status := mesos.TaskStatus{TaskID: id, State: &why.state, Reason: &why.reason, Message: &why.message,
		UUID: random[:], Timestamp: &now}
	if e != nil && e.container != nil && why.reason == mesos.REASON_CONTAINER_LIMITATION_MEMORY {
		status.Labels = a.oomLabels(e.container)
	}
	a.update(e, status, mesos.SOURCE_AGENT)
}

// terminal follows src/common/protobuf_utils.cpp, isTerminalState.
func terminal(s mesos.TaskState) bool {
	switch s {
	case mesos.TASK_FINISHED, mesos.TASK_FAILED, mesos.TASK_KILLED, mesos.TASK_LOST, mesos.TASK_ERROR,
		mesos.TASK_DROPPED, mesos.TASK_GONE, mesos.TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}

// lost is the state of a task that is gone: newState where the framework knows partitions, else TASK_LOST.
// Follows src/common/protobuf_utils.cpp, frameworkHasCapability.
func (a *Agent) lost(newState mesos.TaskState) mesos.TaskState {
	for _, c := range a.options.Framework.Capabilities {
		if c.Type == mesos.FrameworkInfo_Capability_PARTITION_AWARE {
			return newState
		}
	}
	return mesos.TASK_LOST
}
