package executor

import (
	"fmt"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/pod"
)

// task is one task from its LAUNCH until everything of it is removed.
type task struct {
	id     string
	info   mesos.TaskInfo
	group  *group       // nil for a task of its own
	pod    Task         // nil until Launch returned
	orders []func(Task) // given before that
	killed bool         // the framework asked for its end
	ended  bool         // its terminal status was taken
	cause  *groupEnd    // why its group ended it, nil where it did not
}

// order passes o on to the pod, as soon as there is one.
func (t *task) order(o func(Task)) {
	if t.pod == nil {
		t.orders = append(t.orders, o)
		return
	}
	o(t.pod)
}

// launch starts a task. g is its group, nil for a task of its own.
func (l *loop) launch(info mesos.TaskInfo, g *group) {
	id := info.TaskID.Value
	log := l.log.WithField("task", id)
	if _, known := l.tasks[id]; known || l.updates.unacknowledged(id) {
		log.Warn("The agent launches a task that is known already; nothing changes.")
		return
	}
	log.Info("Launching a task.")
	delete(l.ended, id)
	t := &task{id: id, info: info, group: g}
	g.add(t)
	l.updates.launched(info)
	l.tasks[id] = t
	l.begun = true
	if l.closing {
		l.record(t, pod.Status{State: pod.Killed, Reason: pod.ReasonKilledInLaunch,
			Message: "The task was not started because its executor is shutting down."})
		l.removed(t)
		return
	}
	session := *l.session
	l.wg.Go(func() {
		p, err := l.launcher.Launch(l.ctx, info, session, func(s pod.Status) { l.inbox.put(reportIn{t, s}) })
		l.inbox.put(launchedIn{t, p, err})
		if err == nil {
			<-p.Done()
			l.inbox.put(removedIn{t})
		}
	})
}

func (l *loop) launched(in launchedIn) {
	if in.err != nil {
		l.record(in.task, invalid(in.err))
		l.removed(in.task)
		return
	}
	in.task.pod = in.pod
	for _, o := range in.task.orders {
		o(in.pod)
	}
	in.task.orders = nil
}

// record takes a status of a task: the one door to updates, through which exactly one terminal status passes, the last.
func (l *loop) record(t *task, s pod.Status) {
	if t.ended {
		l.log.WithFields(logrus.Fields{"task": t.id, "state": s.State}).Debug("A status after the end of a task is dropped.")
		return
	}
	if s.State == pod.Killing && !l.session.killing() {
		return
	}
	if s.State == pod.Killed && t.cause != nil && !t.killed {
		s = t.cause.explain(s)
	}
	l.tell(t.id, s)
	if s.State.Terminal() {
		t.ended = true
		l.endGroup(t, s)
	}
}

// removed forgets a task. One that never said how it ended has failed: the framework must hear of an end.
func (l *loop) removed(t *task) {
	l.record(t, pod.Status{State: pod.Failed, Reason: pod.ReasonExecutorEnded,
		Message: "The pod is gone without a last status; see the executor's log."})
	delete(l.tasks, t.id)
	l.ended[t.id] = struct{}{}
}

// kill ends a task on request of the framework.
func (l *loop) kill(id string, policy *mesos.KillPolicy) {
	log := l.log.WithField("task", id)
	t, known := l.tasks[id]
	if _, gone := l.ended[id]; gone || known && t.ended {
		log.Info("The agent kills a task that has ended already; nothing changes.")
		return
	}
	if !known {
		log.Warn("The agent kills a task that was never launched here; it is told that the task is gone.")
		l.ended[id] = struct{}{}
		l.tell(id, pod.Status{State: pod.Killed, Reason: "REASON_TASK_UNKNOWN",
			Message: fmt.Sprintf("The executor %s was never given this task.", l.cfg.Environment.ExecutorID)})
		return
	}
	grace := killGrace(policy, t.info.KillPolicy)
	log.WithField("grace", graceText(grace)).Info("Killing a task.")
	t.killed = true
	t.order(func(p Task) { p.Kill(grace) })
}

// killGrace is the first grace period that a policy of KILL or else the one of the task has; nil leaves it to the pod.
func killGrace(kill, task *mesos.KillPolicy) *time.Duration {
	for _, policy := range []*mesos.KillPolicy{kill, task} {
		if policy != nil && policy.GracePeriod != nil {
			return new(max(0, time.Duration(policy.GracePeriod.Nanoseconds)))
		}
	}
	return nil
}

func graceText(grace *time.Duration) string {
	if grace == nil {
		return "the pod's own"
	}
	return grace.String()
}
