package executor

import (
	"bytes"
	"slices"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// updates holds the tasks and the status updates that the agent has not acknowledged, in the order in which they came.
// Every SUBSCRIBE carries all of them, so none is lost while the agent is away.
//
// Subscriptions are numbered from 1. An update counts as sent for one subscription only: the next one sends it again.
type updates struct {
	tasks []mesos.TaskInfo
	held  []heldUpdate
}

type heldUpdate struct {
	status mesos.TaskStatus
	sent   int // subscription that it was sent with, 0 for none
	stray  bool
}

// launched holds a task until the agent acknowledges any of its updates: from then on the agent knows that it was launched
// (src/slave/slave.cpp, Slave::subscribe).
func (u *updates) launched(task mesos.TaskInfo) { u.tasks = append(u.tasks, task) }

// add holds an update. A stray one is of a task that was never launched here: the agent passes it on, but has nobody to
// acknowledge it to (src/slave/slave.cpp, Slave::statusUpdate), so that it is not waited for once it was sent.
func (u *updates) add(status mesos.TaskStatus, stray bool) {
	u.held = append(u.held, heldUpdate{status: status, stray: stray})
}

// acknowledge lets go of the update with that uuid, and of the task. It says whether there was such an update.
func (u *updates) acknowledge(task mesos.TaskID, uuid []byte) bool {
	u.tasks = slices.DeleteFunc(u.tasks, func(t mesos.TaskInfo) bool { return t.TaskID == task })
	before := len(u.held)
	u.held = slices.DeleteFunc(u.held, func(h heldUpdate) bool { return bytes.Equal(h.status.UUID, uuid) })
	return len(u.held) < before
}

// subscribe returns what the SUBSCRIBE of that number must carry, and takes it as sent with it.
func (u *updates) subscribe(subscription int) ([]mesos.TaskInfo, []executor.Call_Update) {
	calls := make([]executor.Call_Update, len(u.held))
	for i := range u.held {
		u.held[i].sent = subscription
		calls[i].Status = u.held[i].status
	}
	return slices.Clone(u.tasks), calls
}

// next returns the first update that was not yet sent with that subscription.
func (u *updates) next(subscription int) (mesos.TaskStatus, bool) {
	for _, h := range u.held {
		if h.sent != subscription {
			return h.status, true
		}
	}
	return mesos.TaskStatus{}, false
}

// sent takes the update with that uuid as sent with that subscription. It may have been acknowledged already.
func (u *updates) sent(uuid []byte, subscription int) {
	for i := range u.held {
		if bytes.Equal(u.held[i].status.UUID, uuid) {
			u.held[i].sent = subscription
		}
	}
}

// unacknowledged says whether an update of the task is held.
func (u *updates) unacknowledged(task string) bool {
	return slices.ContainsFunc(u.held, func(h heldUpdate) bool { return h.status.TaskID.Value == task })
}

// len is the number of updates that wait for their acknowledgement.
func (u *updates) len() int {
	n := 0
	for _, h := range u.held {
		if !h.stray || h.sent == 0 {
			n++
		}
	}
	return n
}
