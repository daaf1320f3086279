package localagent

import (
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// subscribe takes an executor's (new) connection; the lock is held. Follows src/slave/slave.cpp, subscribe.
func (a *Agent) subscribe(e *run, s *stream, call executor.Call_Subscribe) {
	if e.state >= terminating {
		s.send(&executor.Event{Type: executor.Event_SHUTDOWN})
		s.end()
		return
	}
	if e.stream != nil {
		e.stream.end() // also that of a repeated call of the same executor
	}
	e.state, e.stream = running, s
	a.heartbeat(e, s)
	for _, u := range call.UnacknowledgedUpdates {
		a.update(e, u.Status, mesos.SOURCE_EXECUTOR)
	}
	known := map[string]bool{}
	for _, t := range call.UnacknowledgedTasks {
		known[t.TaskID.Value] = true
	}
	for _, t := range e.active(launched) {
		if t.state == mesos.TASK_STAGING && !known[t.info.TaskID.Value] {
			a.report(e, t.info.TaskID, termination{a.lost(mesos.TASK_DROPPED), mesos.REASON_AGENT_RESTARTED,
				"Task launched during agent restart"})
		}
	}
	if !e.everSentTask() && len(e.active(queued)) == 0 {
		a.shutdown(e) // all its tasks were killed before it came
		return
	}
	a.send(e, &executor.Event{Type: executor.Event_SUBSCRIBED, Subscribed: &executor.Event_Subscribed{
		ExecutorInfo:  e.info,
		FrameworkInfo: a.options.Framework,
		AgentInfo:     mesos.AgentInfo{Hostname: a.options.Hostname, ID: &mesos.AgentID{Value: a.options.AgentID}},
		ContainerID:   &mesos.ContainerID{Value: e.container.ID},
	}})
	a.deliver(e)
}

// heartbeat sends HEARTBEAT events as long as the subscription is the executor's current one.
// Follows src/common/heartbeater.hpp, ResponseHeartbeater.
func (a *Agent) heartbeat(e *run, s *stream) {
	e.timers = append(e.timers, a.after(a.options.HeartbeatInterval, func() {
		if e.stream == s && s.send(&executor.Event{Type: executor.Event_HEARTBEAT}) {
			a.heartbeat(e, s)
		}
	}))
}
