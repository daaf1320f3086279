package executor

import (
	"errors"
	"testing"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/pod"
)

// groupOf launches a group and returns its pods by task id.
func (w *world) groupOf(s *subscription, tasks ...mesos.TaskInfo) map[string]*fakePod {
	s.launchGroup(w.t, tasks...)
	pods := map[string]*fakePod{}
	for range tasks {
		p := w.pod()
		pods[p.id] = p
	}
	return pods
}

func TestAMemberThatFailsEndsItsGroup(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s := w.session()
		b := taskInfo("b")
		b.KillPolicy = grace(time.Minute)
		pods := w.groupOf(s, taskInfo("a"), b, taskInfo("c"), taskInfo("d"))
		s.launch(t, taskInfo("alone"))
		alone := w.pod()

		pods["d"].end(pod.Finished) // ends nothing
		w.ack(s, "d", mesos.TASK_FINISHED)
		w.lives()
		require.Empty(t, pods["a"].kills)

		s.kill(t, "c", grace(time.Second)) // asked for before the group ends
		get(t, pods["c"].kills, "a kill")
		pods["a"].report(pod.Status{State: pod.Failed, Reason: pod.ReasonMemory, Message: "Out of memory."})
		w.ack(s, "a", mesos.TASK_FAILED)
		require.Equal(t, time.Minute, *get(t, pods["b"].kills, "a kill"))
		require.Nil(t, get(t, pods["c"].kills, "a kill"))
		pods["a"].remove()

		pods["b"].end(pod.Killed)
		st := w.ack(s, "b", mesos.TASK_KILLED)
		require.Equal(t, "Killed with its group, because the task a ended as TASK_FAILED: Out of memory.", st.GetMessage())
		require.Nil(t, st.Reason)
		pods["c"].end(pod.Killed)
		st = w.ack(s, "c", mesos.TASK_KILLED)
		require.Equal(t, "As the test says.", st.GetMessage(), "the framework killed this one")

		w.lives()
		require.Empty(t, alone.kills)
		alone.end(pod.Finished)
		w.ack(s, "alone", mesos.TASK_FINISHED)
		require.NoError(t, w.ends())
	})
}

func TestAnInvalidMemberEndsItsGroup(t *testing.T) {
	inWorld(t, func(w *world, _ *Config) { w.launcher.refuse["b"] = errors.New("no compose file") }, func(w *world) {
		s := w.session()
		s.launchGroup(t, taskInfo("a"), taskInfo("b"))
		w.ack(s, "b", mesos.TASK_FAILED)
		a := w.pod()
		get(t, a.kills, "a kill")
		a.end(pod.Killed)
		st := w.ack(s, "a", mesos.TASK_KILLED)
		require.Equal(t, mesos.REASON_TASK_GROUP_INVALID, st.GetReason())
		require.Contains(t, st.GetMessage(), "no compose file")
		require.NoError(t, w.ends())
	})
}

func TestTheFrameworkKillsAMember(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s := w.session()
		pods := w.groupOf(s, taskInfo("a"), taskInfo("b"))
		s.kill(t, "a", nil)
		get(t, pods["a"].kills, "a kill")
		pods["a"].end(pod.Killed)
		w.ack(s, "a", mesos.TASK_KILLED)
		get(t, pods["b"].kills, "a kill")
		pods["b"].end(pod.Failed) // a member that fails on its way out says so
		w.ack(s, "b", mesos.TASK_FAILED)
		require.NoError(t, w.ends())
	})
}
