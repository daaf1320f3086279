package executor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/pod"
)

// Whatever tells the executor to end, every task gets the same.
func TestShutdown(t *testing.T) {
	for name, end := range map[string]func(*world, *subscription){
		"SHUTDOWN": func(w *world, s *subscription) { s.event(w.t, executor.Event_SHUTDOWN) },
		"a signal": func(w *world, _ *subscription) { w.signal() },
		"ERROR": func(w *world, s *subscription) {
			s.send(w.t, &executor.Event{Type: executor.Event_ERROR, Error: &executor.Event_Error{Message: "bad call"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, nil, func(w *world) {
				s, a := w.launched()
				s.launch(t, taskInfo("b"))
				b := w.pod()
				end(w, s)
				require.Equal(t, 4*time.Second, get(t, a.shutdowns, "a shutdown"))
				require.Equal(t, 4*time.Second, get(t, b.shutdowns, "a shutdown"))
				s.event(t, executor.Event_SHUTDOWN) // again
				s.launch(t, taskInfo("late"))
				st := w.ack(s, "late", mesos.TASK_KILLED)
				require.Equal(t, mesos.REASON_TASK_KILLED_DURING_LAUNCH, st.GetReason())
				a.end(pod.Killed)
				w.ack(s, "a", mesos.TASK_KILLED)
				w.lives()
				require.Empty(t, a.shutdowns)
				b.end(pod.Killed)
				w.ack(s, "b", mesos.TASK_KILLED)
				err := w.ends()
				if name == "ERROR" {
					var reported *AgentError
					require.ErrorAs(t, err, &reported)
					require.Equal(t, "bad call", reported.Message)
				} else {
					require.NoError(t, err)
				}
			})
		})
	}
}

func TestShutdownWithoutTasks(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.session()
		w.lives() // until a first task came
		w.signal()
		require.NoError(t, w.ends())
	})
	inWorld(t, func(w *world, _ *Config) { w.net.down() }, func(w *world) {
		w.signal() // before there is an agent
		require.NoError(t, w.ends())
	})
}

// An agent that shuts an executor down may do so instead of SUBSCRIBED (src/slave/slave.cpp, Slave::subscribe).
func TestShutdownInsteadOfSubscribed(t *testing.T) {
	inWorld(t, withCheckpoint, func(w *world) {
		s := w.subscription()
		s.launch(t, taskInfo("a")) // makes no sense yet
		s.event(t, executor.Event_SHUTDOWN)
		require.NoError(t, w.ends())
		require.Empty(t, w.launcher.pods)
	})
}

func TestAfterShutdownAcknowledgementsHaveABound(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		_, p := w.launched()
		at := time.Now()
		w.signal()
		get(t, p.shutdowns, "a shutdown")
		p.end(pod.Killed)
		w.update("a", mesos.TASK_KILLED)
		require.NoError(t, w.ends())
		require.Equal(t, 5*time.Second, time.Since(at))
	})
}

func TestShutdownOfATaskThatIsBeingLaunched(t *testing.T) {
	inWorld(t, func(w *world, _ *Config) { w.launcher.release = make(chan struct{}) }, func(w *world) {
		s := w.session()
		s.launch(t, taskInfo("a"))
		synctest.Wait()
		w.signal()
		time.Sleep(time.Second)
		close(w.launcher.release)
		p := w.pod()
		require.Equal(t, 3*time.Second, get(t, p.shutdowns, "a shutdown"), "what is left of the grace period")
		p.end(pod.Killed)
		w.ack(s, "a", mesos.TASK_KILLED)
		require.NoError(t, w.ends())
	})
}

func TestTheAgentGoesDuringShutdown(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		s, p := w.launched()
		s.event(t, executor.Event_SHUTDOWN)
		get(t, p.shutdowns, "a shutdown")
		w.net.down()
		w.lives()
		p.end(pod.Killed)
		require.NoError(t, w.ends(), "it was told to end")
	})
}

func TestShutdownBudget(t *testing.T) {
	require.Equal(t, 4*time.Second, shutdownBudget(5*time.Second))
	require.Equal(t, 59*time.Second, shutdownBudget(time.Minute))
	require.Equal(t, 80*time.Millisecond, shutdownBudget(100*time.Millisecond))
	require.Equal(t, time.Duration(0), shutdownBudget(0))
}
