package mesos

import (
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/stretchr/testify/require"
)

func small(id string, cpus, mem float64) mesos.TaskInfo {
	return mesos.TaskInfo{TaskID: mesos.TaskID{Value: id},
		Resources: []mesos.Resource{resources.NewCPUs(cpus).Resource, resources.NewMemory(mem).Resource},
		Executor:  &mesos.ExecutorInfo{Resources: []mesos.Resource{resources.NewCPUs(0.5).Resource, resources.NewMemory(32).Resource}}}
}

func offers(of ...mesos.Offer) *scheduler.Event {
	return &scheduler.Event{Type: scheduler.Event_OFFERS, Offers: &scheduler.Event_Offers{Offers: of}}
}

func offer(id string, cpus, mem float64) mesos.Offer {
	return mesos.Offer{ID: mesos.OfferID{Value: id}, AgentID: mesos.AgentID{Value: "agent of " + id},
		Resources: []mesos.Resource{resources.NewCPUs(cpus).Resource, resources.NewMemory(mem).Resource}}
}

func must(t *testing.T, d *decider, e *scheduler.Event) []*scheduler.Call {
	t.Helper()
	out, err := d.next(e)
	require.NoError(t, err)
	for _, call := range out {
		require.Equal(t, d.framework, call.FrameworkID.Value)
	}
	return out
}

func TestOffers(t *testing.T) {
	d := &decider{}
	require.Empty(t, d.launch(small("first", 1, 64)), "before the subscription there is nothing to revive")
	require.Empty(t, must(t, d, &scheduler.Event{Type: scheduler.Event_SUBSCRIBED,
		Subscribed: &scheduler.Event_Subscribed{FrameworkID: &mesos.FrameworkID{Value: "f"}}}))

	out := must(t, d, offers(offer("no cpus for the executor", 1.4, 1000), offer("no memory for it", 10, 95), offer("fits", 1.5, 96), offer("late", 10, 1000)))
	require.Len(t, out, 4)
	for _, i := range []int{0, 1, 3} {
		require.Equal(t, scheduler.Call_DECLINE, out[i].Type)
		require.InDelta(t, 3600, out[i].Decline.Filters.GetRefuseSeconds(), 0)
	}
	require.Equal(t, scheduler.Call_ACCEPT, out[2].Type)
	require.Equal(t, []mesos.OfferID{{Value: "fits"}}, out[2].Accept.OfferIDs)
	require.InDelta(t, 3600, out[2].Accept.Filters.GetRefuseSeconds(), 0)
	task := out[2].Accept.Operations[0].Launch.TaskInfos[0]
	require.Equal(t, "first", task.TaskID.Value)
	require.Equal(t, "agent of fits", task.AgentID.Value)

	d.launch(small("large", 8, 64))
	revive := d.launch(small("second", 1, 64))
	require.Len(t, revive, 1)
	require.Equal(t, scheduler.Call_REVIVE, revive[0].Type)
	require.Equal(t, "f", revive[0].FrameworkID.Value)
	out = must(t, d, offers(offer("o", 2, 200), offer("p", 9, 200)))
	require.Equal(t, "second", out[0].Accept.Operations[0].Launch.TaskInfos[0].TaskID.Value, "one that does not fit holds up nobody")
	require.Equal(t, "large", out[1].Accept.Operations[0].Launch.TaskInfos[0].TaskID.Value)
}

func TestUpdates(t *testing.T) {
	d := &decider{framework: "f"}
	status := func(task, uuid string, state mesos.TaskState) *scheduler.Event {
		return &scheduler.Event{Type: scheduler.Event_UPDATE, Update: &scheduler.Event_Update{Status: mesos.TaskStatus{
			TaskID: mesos.TaskID{Value: task}, AgentID: &mesos.AgentID{Value: "a"}, UUID: []byte(uuid), State: state.Enum()}}}
	}
	_, ok := d.last("t")
	require.False(t, ok)
	out := must(t, d, status("t", "u1", mesos.TASK_RUNNING))
	require.Len(t, out, 1)
	require.Equal(t, scheduler.Call_ACKNOWLEDGE, out[0].Type)
	require.Equal(t, "u1", string(out[0].Acknowledge.UUID))
	require.Equal(t, "a", out[0].Acknowledge.AgentID.Value)
	require.Len(t, must(t, d, status("t", "u1", mesos.TASK_RUNNING)), 1, "an agent that did not hear it asks again")
	require.Len(t, d.history, 1)
	require.Empty(t, must(t, d, status("t", "", mesos.TASK_LOST)), "the master's own word has no uuid")
	require.Len(t, must(t, d, status("other", "u2", mesos.TASK_FAILED)), 1)

	last, _ := d.last("t")
	require.Equal(t, mesos.TASK_LOST, last.GetState())
	last, _ = d.last("t", mesos.TASK_RUNNING)
	require.Equal(t, mesos.TASK_RUNNING, last.GetState())
	_, ok = d.last("t", mesos.TASK_FAILED)
	require.False(t, ok)
}

func TestOtherEvents(t *testing.T) {
	d := &decider{framework: "f"}
	for _, kind := range []scheduler.Event_Type{scheduler.Event_HEARTBEAT, scheduler.Event_RESCIND, scheduler.Event_FAILURE, scheduler.Event_MESSAGE} {
		require.Empty(t, must(t, d, &scheduler.Event{Type: kind}))
	}
	_, err := d.next(&scheduler.Event{Type: scheduler.Event_ERROR, Error: &scheduler.Event_Error{Message: "Framework has been removed"}})
	require.ErrorContains(t, err, "Framework has been removed")
	for state := range mesos.TaskState_name {
		running := mesos.TaskState(state) == mesos.TASK_STAGING || mesos.TaskState(state) == mesos.TASK_STARTING || mesos.TaskState(state) == mesos.TASK_RUNNING ||
			mesos.TaskState(state) == mesos.TASK_KILLING || mesos.TaskState(state) == mesos.TASK_UNREACHABLE || mesos.TaskState(state) == mesos.TASK_UNKNOWN
		require.Equal(t, !running, ended(mesos.TaskState(state)), mesos.TaskState(state))
	}
}
