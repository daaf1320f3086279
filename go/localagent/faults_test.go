package localagent

import (
	"context"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/stretchr/testify/require"
)

const (
	pollFor   = time.Minute
	pollEvery = 5 * time.Millisecond
)

func TestKillTellsTheExecutorHowLongItHas(t *testing.T) {
	a := newAgent(t, nil)
	s, sub, _ := startScript(t, a, "t")
	require.NoError(t, a.Kill("t", nil))
	require.Nil(t, sub.next(executor.Event_KILL).Kill.KillPolicy)
	none := time.Duration(0)
	require.NoError(t, a.Kill("t", &none))
	kill := sub.next(executor.Event_KILL).Kill
	require.Equal(t, "t", kill.TaskID.Value)
	require.Zero(t, kill.KillPolicy.GracePeriod.Nanoseconds)
	s.say("t", mesos.TASK_KILLED)
	await(t, a, "t", mesos.TASK_KILLED)
	require.NoError(t, a.Kill("t", nil))
	u := await(t, a, "t", mesos.TASK_LOST)
	require.Equal(t, "Cannot find executor", u.Status.GetMessage())
}

func TestATaskIsKilledBeforeItsDelivery(t *testing.T) {
	a := newAgent(t, func(o *Options) { o.ShutdownGrace = 50 * time.Millisecond })
	c, err := a.Launch(asTask("t", "exec sleep 1000"))
	require.NoError(t, err)
	require.NoError(t, a.Kill("t", nil))
	u := await(t, a, "t", mesos.TASK_KILLED)
	require.Equal(t, mesos.REASON_TASK_KILLED_DURING_LAUNCH, u.Status.GetReason())
	sub := newScript(t, a, "executor of t").subscribe(nil)
	sub.next(executor.Event_SHUTDOWN) // instead of SUBSCRIBED: it has nothing to do
	gone(t, c)
	require.Equal(t, "signal: killed", c.ExitStatus())
	require.Len(t, a.updates, 1)
}

func TestAGroupIsDeliveredAndKilledAsOne(t *testing.T) {
	a := newAgent(t, nil)
	group := mesos.TaskGroupInfo{Tasks: []mesos.TaskInfo{asTask("g1", ""), asTask("g2", "")}}
	c, err := a.LaunchGroup(*asExecutor("first", "exec sleep 1000"), group)
	require.NoError(t, err)
	sub := newScript(t, a, "first").subscribe(nil)
	sub.next(executor.Event_SUBSCRIBED)
	got := sub.next(executor.Event_LAUNCH_GROUP).LaunchGroup.TaskGroup.Tasks
	require.Len(t, got, 2)
	require.Equal(t, "g2", got[1].TaskID.Value)
	limit, err := a.options.Cgroups.ReadUint("memory", c.Cgroup, "memory.limit_in_bytes")
	require.NoError(t, err)
	require.EqualValues(t, 128<<20, limit, "what both are given")

	group = mesos.TaskGroupInfo{Tasks: []mesos.TaskInfo{asTask("h1", ""), asTask("h2", "")}}
	_, err = a.LaunchGroup(*asExecutor("second", "exec sleep 1000"), group)
	require.NoError(t, err)
	require.NoError(t, a.Kill("h1", nil))
	u := await(t, a, "h2", mesos.TASK_KILLED)
	require.Equal(t, "A task within the task group was killed before delivery to the executor", u.Status.GetMessage())
	await(t, a, "h1", mesos.TASK_KILLED)
}

func TestShutdownKillsAfterTheGrace(t *testing.T) {
	a := newAgent(t, func(o *Options) { o.ShutdownGrace = time.Hour })
	info := asTask("t", "exec sleep 1000")
	info.Executor.ShutdownGracePeriod = &mesos.DurationInfo{Nanoseconds: int64(100 * time.Millisecond)} // its own counts
	c, err := a.Launch(info)
	require.NoError(t, err)
	s := newScript(t, a, "executor of t")
	sub := s.subscribe(nil)
	sub.next(executor.Event_SUBSCRIBED)
	sub.next(executor.Event_LAUNCH)
	begin := time.Now()
	require.NoError(t, a.Shutdown("executor of t"))
	sub.next(executor.Event_SHUTDOWN)
	u := await(t, a, "t", mesos.TASK_FAILED)
	require.Equal(t, mesos.REASON_EXECUTOR_TERMINATED, u.Status.GetReason())
	require.GreaterOrEqual(t, time.Since(begin), 100*time.Millisecond)
	gone(t, c)
}

func TestAnAgentThatComesBack(t *testing.T) {
	a := newAgent(t, func(o *Options) { checkpointing(o); partitionAware(o); o.ReregistrationTimeout = time.Hour })
	require.Error(t, a.EndRecovery(), "it serves")
	s, sub, c := startScript(t, a, "t")
	_, err := a.Launch(func() mesos.TaskInfo {
		info := asTask("lost", "")
		info.Executor.ExecutorID.Value = "executor of t"
		return info
	}())
	require.NoError(t, err)
	sub.next(executor.Event_LAUNCH) // as if it had been lost on the way
	a.DropAcks(1)
	running := s.say("t", mesos.TASK_RUNNING)

	require.NoError(t, a.Down())
	require.Error(t, sub.broken())
	require.NotErrorIs(t, sub.broken(), io.EOF, "a dead process ends no stream in good order")
	s.http.CloseIdleConnections()
	_, err = s.post(s.call(executor.Call{Type: executor.Call_HEARTBEAT}))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.Error(t, a.Down())
	_, err = a.Launch(asTask("early", ""))
	require.Error(t, err)

	endpoint := a.Endpoint()
	require.NoError(t, a.Up(time.Hour))
	require.Equal(t, endpoint, a.Endpoint())
	require.Error(t, a.EndRecovery(), "no executor may come back yet")
	subscribe := s.call(executor.Call{Type: executor.Call_SUBSCRIBE, Subscribe: &executor.Call_Subscribe{}})
	code, text := s.answer(subscribe)
	require.Equal(t, http.StatusServiceUnavailable, code)
	require.Equal(t, "Agent has not finished recovery", text)
	a.mu.Lock()
	a.recovery[0].Reset(0) // the hour is over
	a.mu.Unlock()
	require.Eventually(t, func() bool { a.mu.Lock(); defer a.mu.Unlock(); return a.state == reconnect }, pollFor, pollEvery)

	again := s.subscribe([]mesos.TaskInfo{asTask("t", "")}, running)
	require.Equal(t, running.UUID, again.next(executor.Event_ACKNOWLEDGED).Acknowledged.UUID, "what was not acknowledged comes again")
	again.next(executor.Event_SUBSCRIBED)
	u := await(t, a, "lost", mesos.TASK_DROPPED)
	require.Equal(t, mesos.REASON_AGENT_RESTARTED, u.Status.GetReason())
	code, _ = s.update(s.status("t", mesos.TASK_FINISHED))
	require.Equal(t, http.StatusServiceUnavailable, code, "updates have to wait for the end of the recovery")
	require.NoError(t, a.EndRecovery())
	s.say("t", mesos.TASK_FINISHED)
	await(t, a, "t", mesos.TASK_FINISHED)
	require.Len(t, a.updates, 3, "none lost, none doubled: %v", a.updates)
	select {
	case <-c.Exited():
		require.Fail(t, "the executor lives on")
	default:
	}
}

func TestAnExecutorThatDoesNotComeBackIsKilled(t *testing.T) {
	a := newAgent(t, func(o *Options) { checkpointing(o); partitionAware(o) })
	_, _, c := startScript(t, a, "t")
	require.NoError(t, a.Restart(0))
	u := await(t, a, "t", mesos.TASK_GONE)
	require.Equal(t, mesos.REASON_EXECUTOR_REREGISTRATION_TIMEOUT, u.Status.GetReason())
	require.Equal(t, "Executor did not reregister within 300ms", u.Status.GetMessage())
	gone(t, c)
}

func TestWithoutCheckpointingARestartLosesTheExecutor(t *testing.T) {
	a := newAgent(t, nil)
	_, _, c := startScript(t, a, "t")
	require.NoError(t, a.Down())
	u := await(t, a, "t", mesos.TASK_LOST)
	require.Equal(t, mesos.REASON_AGENT_DISCONNECTED, u.Status.GetReason())
	select {
	case <-c.Exited():
		require.Fail(t, "a dead agent kills nobody")
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, a.Up(0))
	gone(t, c) // as an orphan
	require.Len(t, a.updates, 1)
}

func TestADeadAgentLearnsOfAnExecutorsEndWhenItIsBack(t *testing.T) {
	a := newAgent(t, checkpointing)
	_, _, c := startScript(t, a, "t")
	require.NoError(t, a.Down())
	require.NoError(t, syscall.Kill(c.Pid(), syscall.SIGKILL))
	<-c.Exited()
	require.Empty(t, a.updates)
	require.NoError(t, a.Up(0))
	u := await(t, a, "t", mesos.TASK_FAILED)
	require.Equal(t, mesos.REASON_EXECUTOR_TERMINATED, u.Status.GetReason())
	gone(t, c)
}

func TestAcknowledgementsCanBeHeldAndLost(t *testing.T) {
	a := newAgent(t, nil)
	s, sub, _ := startScript(t, a, "t")
	release := a.HoldAcks()
	first := s.say("t", mesos.TASK_STARTING)
	second := s.say("t", mesos.TASK_RUNNING)
	await(t, a, "t", mesos.TASK_RUNNING)
	require.NoError(t, a.Heartbeat("executor of t"))
	sub.next(executor.Event_HEARTBEAT)
	release()
	require.Equal(t, first.UUID, sub.next(executor.Event_ACKNOWLEDGED).Acknowledged.UUID)
	require.Equal(t, second.UUID, sub.next(executor.Event_ACKNOWLEDGED).Acknowledged.UUID)
	a.DropAcks(1)
	s.say("t", mesos.TASK_RUNNING)
	third := s.say("t", mesos.TASK_RUNNING)
	require.Equal(t, third.UUID, sub.next(executor.Event_ACKNOWLEDGED).Acknowledged.UUID)
}

func TestEventsThatATestCanSend(t *testing.T) {
	a := newAgent(t, func(o *Options) { o.HeartbeatInterval = time.Hour })
	_, sub, _ := startScript(t, a, "t")
	const id = "executor of t"
	require.NoError(t, a.Redeliver("t"))
	require.Equal(t, "t", sub.next(executor.Event_LAUNCH).Launch.Task.TaskID.Value)
	require.NoError(t, a.SendKill(id, "never launched"))
	require.Equal(t, "never launched", sub.next(executor.Event_KILL).Kill.TaskID.Value)
	require.NoError(t, a.Message(id, []byte("hello")))
	require.Equal(t, "hello", string(sub.next(executor.Event_MESSAGE).Message.Data))
	require.NoError(t, a.Error(id, "go away"))
	require.Equal(t, "go away", sub.next(executor.Event_ERROR).Error.Message)
	a.Disconnect()
	require.NotErrorIs(t, sub.broken(), io.EOF)
	require.EqualError(t, a.Redeliver("x"), `the local agent has no task "x"`)
	require.EqualError(t, a.Heartbeat("x"), `the local agent runs no executor "x"`)
}

func TestHeartbeatsComeByThemselves(t *testing.T) {
	a := newAgent(t, func(o *Options) { o.HeartbeatInterval = 10 * time.Millisecond })
	_, sub, _ := startScript(t, a, "t")
	for range 3 {
		sub.next(executor.Event_HEARTBEAT)
	}
}

func TestWhatAClosedAgentAnswers(t *testing.T) {
	a := newAgent(t, nil)
	_, _, c := startScript(t, a, "t")
	updates := a.Updates(context.Background())
	require.NoError(t, a.Close())
	gone(t, c)
	var last Update
	for u := range updates {
		last = u
	}
	require.Equal(t, mesos.TASK_FAILED, last.Status.GetState(), "Close kills")
	_, err := a.Launch(asTask("t", ""))
	require.ErrorIs(t, err, errClosed)
	_, err = a.Await(context.Background(), func(Update) bool { return false })
	require.ErrorIs(t, err, errClosed)
	ended, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	_, err = a.Await(ended, func(Update) bool { return false })
	require.True(t, errors.Is(err, errClosed) || errors.Is(err, context.DeadlineExceeded))
	require.NoError(t, a.Kill("t", nil), "a late kill does no harm")
	require.NoError(t, a.Close())
}
