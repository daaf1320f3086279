package executor

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/pod"
)

func withCheckpoint(_ *world, c *Config) { checkpointing(c) }

func TestTheAgentIsNotReadyYet(t *testing.T) {
	for _, checkpoint := range []bool{false, true} {
		inWorld(t, func(w *world, c *Config) {
			c.Checkpoint, c.RecoveryTimeout, c.BackoffMax = checkpoint, time.Minute, 300*time.Millisecond
			w.net.down()
			w.agent.refuseSubscribe(503, 503, 404, 503, 500, 429)
		}, func(w *world) {
			time.Sleep(5 * time.Second) // of fake time: nobody listens
			w.lives()
			w.net.up()
			s := w.session()
			asked := w.agent.asked(executor.Call_SUBSCRIBE)
			require.Len(t, asked, 7)
			for i := 1; i < len(asked); i++ {
				pause := asked[i].at.Sub(asked[i-1].at)
				require.LessOrEqual(t, pause, 300*time.Millisecond)
				require.GreaterOrEqual(t, pause, 150*time.Millisecond)
			}
			s.event(t, executor.Event_SHUTDOWN)
			require.NoError(t, w.ends())
		})
	}
}

func TestAnAgentThatNeverAnswers(t *testing.T) {
	inWorld(t, func(w *world, c *Config) { w.agent.refuseSubscribe(never, never) }, func(w *world) {
		time.Sleep(answerTimeout + time.Second)
		require.Len(t, w.agent.asked(executor.Call_SUBSCRIBE), 2)
		time.Sleep(answerTimeout)
		s := w.session()
		s.event(t, executor.Event_SHUTDOWN)
		require.NoError(t, w.ends())
	})
}

func TestWithoutCheckpointTheRegistrationIsBounded(t *testing.T) {
	inWorld(t, func(w *world, _ *Config) { w.net.down() }, func(w *world) {
		time.Sleep(registrationTimeout)
		err := w.ends()
		var timeout *RecoveryTimeoutError
		require.ErrorAs(t, err, &timeout)
		require.ErrorContains(t, err, "connection refused")
	})
}

func TestARefusalIsFinal(t *testing.T) {
	for _, code := range []int{400, 401, 403} {
		inWorld(t, func(w *world, c *Config) { checkpointing(c); w.agent.refuseSubscribe(code) }, func(w *world) {
			var refused *RefusedError
			err := w.ends()
			require.ErrorAs(t, err, &refused)
			require.ErrorContains(t, err, "a sentence of the agent")
		})
	}
}

func TestWithoutCheckpointALostAgentEndsEverything(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		_, p := w.launched()
		p.say(pod.Running)
		w.update("a", mesos.TASK_RUNNING)
		w.net.down()
		require.Equal(t, 4*time.Second, get(t, p.shutdowns, "a shutdown"))
		w.net.up()
		p.say(pod.Killed)
		w.lives()
		p.remove()
		var lost *AgentLostError
		require.ErrorAs(t, w.ends(), &lost)
		require.Len(t, w.agent.asked(executor.Call_SUBSCRIBE), 1, "an agent that comes back would not know it")
	})
}

func TestResubscribeCarriesWhatIsUnacknowledgedInOrder(t *testing.T) {
	inWorld(t, withCheckpoint, func(w *world) {
		s, a := w.launched()
		s.launch(t, taskInfo("b"))
		b := w.pod()
		s.launch(t, taskInfo("c"))
		c := w.pod()
		a.say(pod.Starting)
		w.ack(s, "a", mesos.TASK_STARTING)
		a.say(pod.Running)
		second := w.update("a", mesos.TASK_RUNNING)
		b.say(pod.Starting)
		third := w.update("b", mesos.TASK_STARTING)
		w.net.down()
		synctest.Wait()
		b.say(pod.Running) // while the agent is away
		w.lives()
		w.net.up()

		s = w.subscription()
		require.Equal(t, []string{"b", "c"}, taskIDs(s.call.UnacknowledgedTasks))
		held := s.call.UnacknowledgedUpdates
		require.Len(t, held, 3)
		require.Equal(t, second.UUID, held[0].Status.UUID)
		require.Equal(t, third.UUID, held[1].Status.UUID)
		require.Equal(t, mesos.TASK_RUNNING, held[2].Status.GetState())
		c.say(pod.Starting) // between SUBSCRIBE and SUBSCRIBED
		w.lives()
		s.subscribed(t)
		w.ack(s, "c", mesos.TASK_STARTING)
		w.lives() // what SUBSCRIBE carried is not sent again
		for _, u := range held {
			s.ack(t, u.Status)
		}
		synctest.Wait()

		close(s.end)
		s = w.session()
		require.Empty(t, s.call.UnacknowledgedTasks)
		require.Empty(t, s.call.UnacknowledgedUpdates)
		for _, p := range []*fakePod{a, b, c} {
			p.end(pod.Finished)
			w.ack(s, p.id, mesos.TASK_FINISHED)
		}
		require.NoError(t, w.ends())
	})
}

func taskIDs(tasks []mesos.TaskInfo) (ids []string) {
	for _, task := range tasks {
		ids = append(ids, task.TaskID.Value)
	}
	return ids
}

// The agent waits two seconds after its restart, whenever that is.
func TestTheExecutorIsBackWithinTwoSeconds(t *testing.T) {
	for _, away := range []time.Duration{0, time.Second, 10 * time.Minute} {
		inWorld(t, func(_ *world, c *Config) { checkpointing(c); c.BackoffMax = 15 * time.Second }, func(w *world) {
			_, p := w.launched()
			w.net.down()
			time.Sleep(away)
			w.lives()
			w.net.up()
			at := time.Now()
			s := w.session()
			require.Less(t, time.Since(at), time.Second)
			synctest.Wait()
			at = time.Now()
			close(s.end) // the next loss begins with a short pause again
			s = w.session()
			require.LessOrEqual(t, time.Since(at), firstPause)
			p.end(pod.Finished)
			w.ack(s, "a", mesos.TASK_FINISHED)
			require.NoError(t, w.ends())
		})
	}
}

func TestRecoveryTimesOut(t *testing.T) {
	inWorld(t, withCheckpoint, func(w *world) {
		_, p := w.launched()
		w.net.down()
		time.Sleep(15*time.Minute - time.Second)
		require.Empty(t, p.shutdowns)
		get(t, p.shutdowns, "a shutdown")
		p.end(pod.Killed)
		var timeout *RecoveryTimeoutError
		require.ErrorAs(t, w.ends(), &timeout)
	})
}

func TestRecoveryTimesOutWhileAnAttemptHangs(t *testing.T) {
	inWorld(t, func(_ *world, c *Config) { c.Checkpoint, c.RecoveryTimeout = true, 5*time.Second }, func(w *world) {
		s, p := w.launched()
		w.agent.refuseSubscribe(never)
		close(s.end)
		get(t, p.shutdowns, "a shutdown")
		time.Sleep(time.Minute) // of removing the pod
		p.end(pod.Killed)
		var timeout *RecoveryTimeoutError
		require.ErrorAs(t, w.ends(), &timeout)
		require.Len(t, w.agent.asked(executor.Call_SUBSCRIBE), 2, "given up is given up")
	})
}

func TestAnEndWhileTheAgentIsAwayIsDelivered(t *testing.T) {
	inWorld(t, withCheckpoint, func(w *world) {
		_, p := w.launched()
		w.net.down()
		synctest.Wait()
		p.end(pod.Finished)
		time.Sleep(10 * time.Minute)
		w.lives()
		w.net.up()
		s := w.session()
		held := s.call.UnacknowledgedUpdates
		require.Len(t, held, 1)
		require.Equal(t, []string{"a"}, taskIDs(s.call.UnacknowledgedTasks))
		time.Sleep(ackPatience - time.Second) // counts from the subscription on
		w.lives()
		s.ack(t, held[0].Status)
		require.NoError(t, w.ends())
	})
}

func TestAnAgentThatRecoversTakesUpdatesLater(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s, p := w.launched()
		w.agent.refuseUpdate(503, 503, never, 503)
		p.say(pod.Starting)
		p.say(pod.Running)
		p.end(pod.Finished)
		w.ack(s, "a", mesos.TASK_STARTING)
		w.ack(s, "a", mesos.TASK_RUNNING)
		w.ack(s, "a", mesos.TASK_FINISHED)
		require.NoError(t, w.ends())
		require.Len(t, w.agent.asked(executor.Call_SUBSCRIBE), 1)
		require.Len(t, w.agent.asked(executor.Call_UPDATE), 7)
	})
}

func TestAnAgentThatForgotTheSubscriptionGetsANewOne(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		first := w.session()
		first.launch(t, taskInfo("a"))
		p := w.pod()
		w.agent.refuseUpdate(403)
		p.end(pod.Finished)
		s := w.session()
		<-first.gone
		require.Len(t, s.call.UnacknowledgedUpdates, 1)
		s.ack(t, s.call.UnacknowledgedUpdates[0].Status)
		require.NoError(t, w.ends())
		require.Empty(t, p.shutdowns)
	})
}

func TestHeartbeats(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s, p := w.launched()
		time.Sleep(24 * time.Hour) // an old agent sends none
		w.lives()
		for range 5 {
			s.event(t, executor.Event_HEARTBEAT)
			get(t, w.agent.heartbeats, "a heartbeat in return")
			time.Sleep(30 * time.Minute)
		}
		time.Sleep(25 * time.Minute) // one was missed
		w.lives()
		require.Len(t, w.agent.asked(executor.Call_SUBSCRIBE), 1)
		at := time.Now()
		<-s.gone // and another
		require.Equal(t, 6*time.Minute, time.Since(at))
		s = w.session()
		w.lives()
		require.Empty(t, p.shutdowns)
		time.Sleep(24 * time.Hour) // none came over this subscription
		w.lives()
		p.end(pod.Finished)
		w.ack(s, "a", mesos.TASK_FINISHED)
		require.NoError(t, w.ends())
	})
}

func TestGarbageInTheStream(t *testing.T) {
	inWorld(t, withCheckpoint, func(w *world) {
		s := w.session()
		s.send(t, &executor.Event{Type: 99})
		s.send(t, &executor.Event{Type: executor.Event_LAUNCH}) // without a task
		w.lives()
		s.event(t, executor.Event_MESSAGE)
		s.send(t, &executor.Event{Type: executor.Event_MESSAGE, Message: &executor.Event_Message{Data: []byte("x")}})
		close(s.end)
		s = w.session()
		s.launch(t, mesos.TaskInfo{TaskID: mesos.TaskID{Value: "big"}, Data: make([]byte, 5<<20)})
		s = w.session() // too big to be read: the agent will drop it, as no SUBSCRIBE holds it
		require.Empty(t, s.call.UnacknowledgedTasks)
		require.Empty(t, w.launcher.pods)
		s.event(t, executor.Event_SHUTDOWN)
		require.NoError(t, w.ends())
	})
}

func TestRefuses(t *testing.T) {
	for code, want := range map[int]bool{307: true, 400: true, 401: true, 403: true, 404: false, 406: true, 429: false, 500: false, 503: false} {
		require.Equal(t, want, refuses(cause(&StatusError{Code: code})), code)
	}
	require.False(t, refuses(io.EOF))
	require.False(t, refuses(nil))
}
