package mesos

import (
	"fmt"
	"slices"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
)

// refusal is for how long what is declined is not offered again, unless a task asks for it.
const refusal = time.Hour

// decider is the scheduler without its connection: it says what to call, and calls nobody.
type decider struct {
	framework string // id, "" before the master has given one
	waiting   []mesos.TaskInfo
	history   []mesos.TaskStatus // in the order of their coming, without what comes again
	seen      map[string]bool    // uuids of history
}

// launch takes a task that is to be launched on the next offer which has enough for it and for its executor.
func (d *decider) launch(task mesos.TaskInfo) []*scheduler.Call {
	d.waiting = append(d.waiting, task)
	if d.framework == "" {
		return nil // offers come with the subscription
	}
	return d.addressed(calls.Revive())
}

// next are the calls that an event asks for. An error ends the framework.
func (d *decider) next(e *scheduler.Event) ([]*scheduler.Call, error) {
	switch e.Type {
	case scheduler.Event_SUBSCRIBED:
		d.framework = e.Subscribed.FrameworkID.Value
	case scheduler.Event_OFFERS:
		var out []*scheduler.Call
		for _, offer := range e.Offers.Offers {
			out = append(out, d.answer(offer))
		}
		return d.addressed(out...), nil
	case scheduler.Event_UPDATE:
		return d.addressed(d.update(e.Update.Status)...), nil
	case scheduler.Event_ERROR:
		return nil, fmt.Errorf("the master refuses the framework: %s", e.Error.Message)
	default: // heartbeats, rescinded offers, and lost agents, which the updates of their tasks tell
	}
	return nil, nil
}

// answer launches the first task for which an offer has enough, or declines.
func (d *decider) answer(offer mesos.Offer) *scheduler.Call {
	i := slices.IndexFunc(d.waiting, func(task mesos.TaskInfo) bool { return enough(offer.Resources, task) })
	if i < 0 {
		return calls.Decline(offer.ID).With(calls.RefuseSeconds(refusal))
	}
	task := d.waiting[i]
	d.waiting = slices.Delete(d.waiting, i, i+1)
	task.AgentID = offer.AgentID
	accept := calls.Accept(calls.OfferOperations{calls.OpLaunch(task)}.WithOffers(offer.ID))
	return accept.With(calls.RefuseSeconds(refusal))
}

func enough(offered []mesos.Resource, task mesos.TaskInfo) bool {
	wanted := slices.Clone(task.Resources)
	if task.Executor != nil {
		wanted = append(wanted, task.Executor.Resources...)
	}
	haveCPUs, _ := resources.CPUs(offered...)
	wantCPUs, _ := resources.CPUs(wanted...)
	haveMemory, _ := resources.Memory(offered...)
	wantMemory, _ := resources.Memory(wanted...)
	return haveCPUs >= wantCPUs && haveMemory >= wantMemory
}

// update acknowledges what has a uuid: what the master itself says has none, and is said once.
func (d *decider) update(status mesos.TaskStatus) []*scheduler.Call {
	if d.seen == nil {
		d.seen = map[string]bool{}
	}
	id := string(status.UUID)
	if id == "" || !d.seen[id] {
		d.history = append(d.history, status)
	}
	if id == "" {
		return nil
	}
	d.seen[id] = true
	return []*scheduler.Call{calls.Acknowledge(status.AgentID.GetValue(), status.TaskID.Value, status.UUID)}
}

// last is the latest status of a task in one of the states, or of any state where none is named.
func (d *decider) last(task string, states ...mesos.TaskState) (mesos.TaskStatus, bool) {
	for _, status := range slices.Backward(d.history) {
		if status.TaskID.Value == task && (len(states) == 0 || slices.Contains(states, status.GetState())) {
			return status, true
		}
	}
	return mesos.TaskStatus{}, false
}

func (d *decider) addressed(all ...*scheduler.Call) []*scheduler.Call {
	for _, call := range all {
		call.With(calls.Framework(d.framework))
	}
	return all
}

// ended says whether nothing more comes of a task in this state.
func ended(state mesos.TaskState) bool {
	switch state {
	case mesos.TASK_FINISHED, mesos.TASK_FAILED, mesos.TASK_KILLED, mesos.TASK_ERROR, mesos.TASK_LOST, mesos.TASK_DROPPED, mesos.TASK_GONE,
		mesos.TASK_GONE_BY_OPERATOR:
		return true
	default:
		return false
	}
}
