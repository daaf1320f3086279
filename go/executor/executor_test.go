package executor

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/pod"
)

func TestLifeOfOneTask(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s := w.session()
		require.Empty(t, s.call.UnacknowledgedTasks)
		require.Empty(t, s.call.UnacknowledgedUpdates)
		s.launch(t, taskInfo("a"))
		p := w.pod()
		require.Equal(t, "C", p.session.ContainerID)
		require.Equal(t, "host", p.session.AgentInfo.Hostname)
		require.Equal(t, "/sandbox", p.session.Environment.Sandbox)

		p.say(pod.Starting)
		w.ack(s, "a", mesos.TASK_STARTING)
		p.report(pod.Status{State: pod.Running, Healthy: new(true), Message: "Up.", Labels: map[string]string{"k": "v"}, Data: []byte("{}")})
		st := w.ack(s, "a", mesos.TASK_RUNNING)
		require.Equal(t, mesos.SOURCE_EXECUTOR, st.GetSource())
		require.Equal(t, "E", st.ExecutorID.Value)
		require.Len(t, st.UUID, 16)
		require.True(t, st.GetHealthy())
		require.Equal(t, "Up.", st.GetMessage())
		require.Equal(t, []byte("{}"), st.Data)
		require.Equal(t, "v", st.Labels.Labels[0].GetValue())
		require.EqualValues(t, os.Getpid(), st.ContainerStatus.GetExecutorPID())
		require.Nil(t, st.ContainerStatus.ContainerID)
		require.Empty(t, st.ContainerStatus.NetworkInfos)
		require.InDelta(t, float64(time.Now().Unix()), st.GetTimestamp(), 1)

		s.kill(t, "a", nil)
		require.Nil(t, get(t, p.kills, "a kill"))
		p.say(pod.Killed)
		last := w.update("a", mesos.TASK_KILLED)
		p.remove()
		w.lives() // the end is not acknowledged yet
		s.ack(t, last)
		require.NoError(t, w.ends())

		for _, r := range append(w.agent.asked(executor.Call_SUBSCRIBE), w.agent.asked(executor.Call_UPDATE)...) {
			require.Equal(t, "F", r.call.FrameworkID.Value)
			require.Equal(t, "E", r.call.ExecutorID.Value)
			require.Equal(t, "/slave(1)/api/v1/executor", r.path)
			require.Equal(t, "application/x-protobuf", r.header.Get("Accept"))
			require.Empty(t, r.header.Get("Authorization"))
		}
	})
}

func TestTheExecutorWaitsForTheRemovalOfItsLastTask(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s, p := w.launched()
		p.say(pod.Finished)
		w.ack(s, "a", mesos.TASK_FINISHED)
		w.lives()
		p.remove()
		require.NoError(t, w.ends())
	})
}

func TestTheLastAcknowledgementMayNeverCome(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s := w.session()
		s.launch(t, taskInfo("a"))
		w.pod().end(pod.Finished)
		w.update("a", mesos.TASK_FINISHED)
		at := time.Now()
		select {
		case err := <-w.result:
			require.NoError(t, err)
		case <-time.After(time.Hour):
			require.Fail(t, "The executor waits for ever.")
		}
		require.Equal(t, ackPatience, time.Since(at).Round(time.Second))
	})
}

func TestSeveralTasks(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s, a := w.launched()
		s.launch(t, taskInfo("b"))
		b := w.pod()
		a.end(pod.Failed)
		w.ack(s, "a", mesos.TASK_FAILED)
		w.lives()
		require.Empty(t, b.kills, "tasks that were launched apart are no group")
		b.end(pod.Finished)
		w.ack(s, "b", mesos.TASK_FINISHED)
		require.NoError(t, w.ends())
	})
}

func TestADuplicateLaunchChangesNothing(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s, p := w.launched()
		s.launch(t, taskInfo("a"))
		w.lives()
		p.say(pod.Finished)
		s.launch(t, taskInfo("a")) // while it ends
		p.remove()
		last := w.update("a", mesos.TASK_FINISHED)
		s.launch(t, taskInfo("a")) // while its end is unacknowledged
		w.lives()
		require.Empty(t, w.launcher.pods)
		s.ack(t, last)
		require.NoError(t, w.ends())
	})
}

func TestKillOfATaskThatIsNotThere(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s := w.session()
		s.kill(t, "x", nil)
		st := w.ack(s, "x", mesos.TASK_KILLED)
		require.Equal(t, mesos.REASON_TASK_UNKNOWN, st.GetReason())
		s.kill(t, "x", nil) // one end is enough
		s.launch(t, taskInfo("a"))
		a := w.pod()
		s.launch(t, taskInfo("b"))
		b := w.pod()
		a.end(pod.Finished)
		w.ack(s, "a", mesos.TASK_FINISHED)
		s.kill(t, "a", nil) // crossed the end of the task
		w.lives()
		b.end(pod.Finished)
		w.ack(s, "b", mesos.TASK_FINISHED)
		require.NoError(t, w.ends())
	})
}

func TestATaskIDMayBeUsedAgain(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s := w.session()
		s.launch(t, taskInfo("other"))
		other := w.pod()
		for range 2 {
			s.launch(t, taskInfo("a"))
			a := w.pod()
			s.kill(t, "a", nil)
			get(t, a.kills, "a kill")
			a.end(pod.Killed)
			w.ack(s, "a", mesos.TASK_KILLED)
			w.lives()
		}
		other.end(pod.Finished)
		w.ack(s, "other", mesos.TASK_FINISHED)
		require.NoError(t, w.ends())
	})
}

func TestKillGrace(t *testing.T) {
	second, minute := grace(time.Second), grace(time.Minute)
	require.Nil(t, killGrace(nil, nil))
	require.Nil(t, killGrace(&mesos.KillPolicy{}, nil))
	require.Equal(t, time.Second, *killGrace(second, minute))
	require.Equal(t, time.Minute, *killGrace(nil, minute))
	require.Equal(t, time.Minute, *killGrace(&mesos.KillPolicy{}, minute))
	require.Equal(t, time.Duration(0), *killGrace(grace(0), minute))
	require.Equal(t, time.Duration(0), *killGrace(grace(-time.Second), minute))
}

func TestKillPolicies(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s := w.session(mesos.FrameworkInfo_Capability_TASK_KILLING_STATE)
		task := taskInfo("a")
		task.KillPolicy = grace(time.Minute)
		s.launch(t, task)
		p := w.pod()
		s.kill(t, "a", nil)
		require.Equal(t, time.Minute, *get(t, p.kills, "a kill"))
		p.say(pod.Killing)
		w.ack(s, "a", mesos.TASK_KILLING)
		s.kill(t, "a", grace(time.Second))
		require.Equal(t, time.Second, *get(t, p.kills, "a second kill"))
		p.end(pod.Killed)
		w.ack(s, "a", mesos.TASK_KILLED)
		require.NoError(t, w.ends())
	})
}

func TestTaskKillingOnlyForFrameworksThatKnowIt(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s, p := w.launched()
		p.say(pod.Killing)
		p.end(pod.Killed)
		w.ack(s, "a", mesos.TASK_KILLED)
		require.NoError(t, w.ends())
	})
}

func TestAKillDuringLaunchIsKept(t *testing.T) {
	inWorld(t, func(w *world, _ *Config) { w.launcher.release = make(chan struct{}) }, func(w *world) {
		s := w.session()
		s.launch(t, taskInfo("a"))
		s.kill(t, "a", grace(time.Minute))
		s.kill(t, "a", grace(time.Second))
		w.lives()
		close(w.launcher.release)
		p := w.pod()
		require.Equal(t, time.Minute, *get(t, p.kills, "a kill"))
		require.Equal(t, time.Second, *get(t, p.kills, "a second kill"))
		p.end(pod.Killed)
		w.ack(s, "a", mesos.TASK_KILLED)
		require.NoError(t, w.ends())
	})
}

type reasonError struct{ error }

func (reasonError) Reason() string { return string(pod.ReasonLaunchFailed) }

func TestAnInvalidTaskFails(t *testing.T) {
	inWorld(t, func(w *world, _ *Config) {
		w.launcher.refuse["a"] = errors.New("no compose file")
		w.launcher.refuse["b"] = reasonError{errors.New("no engine")}
	}, func(w *world) {
		s := w.session()
		s.launch(t, taskInfo("a"))
		a := w.update("a", mesos.TASK_FAILED)
		require.Equal(t, mesos.REASON_TASK_INVALID, a.GetReason())
		require.Equal(t, "no compose file", a.GetMessage())
		s.launch(t, taskInfo("b"))
		b := w.update("b", mesos.TASK_FAILED)
		require.Equal(t, mesos.REASON_CONTAINER_LAUNCH_FAILED, b.GetReason())
		s.ack(t, a)
		s.ack(t, b)
		require.NoError(t, w.ends())
	})
}

func TestOneLastStatusAndNoneAfterIt(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s, a := w.launched()
		s.launch(t, taskInfo("b"))
		b := w.pod()
		a.say(pod.Failed)
		a.say(pod.Running)
		a.say(pod.Finished)
		w.ack(s, "a", mesos.TASK_FAILED)
		w.lives()
		a.remove()
		b.remove() // never said how it ended
		st := w.ack(s, "b", mesos.TASK_FAILED)
		require.Equal(t, mesos.REASON_EXECUTOR_TERMINATED, st.GetReason())
		require.NoError(t, w.ends())
	})
}
