package executor

import (
	"maps"
	"slices"
	"time"
)

const (
	// ackPatience is how long a subscribed agent may take for its last acknowledgement: it sends none where it does not know
	// the task any more (src/slave/slave.cpp, Slave::___statusUpdate). default_executor.cpp waits as long.
	ackPatience = time.Minute
	// leastAckPatience is what acknowledgements get at least when the executor closes.
	leastAckPatience = time.Second
)

// close ends every task and then the executor. The first reason counts.
func (l *loop) close(why string, err error) {
	if l.closing {
		return
	}
	l.closing, l.err = true, err
	now := time.Now()
	l.deadline = now.Add(l.cfg.ShutdownGrace)
	stopped := now.Add(shutdownBudget(l.cfg.ShutdownGrace))
	log := l.log.WithField("grace", time.Until(stopped).Round(time.Millisecond)).WithField("tasks", len(l.tasks))
	if err != nil {
		log = log.WithError(err)
	}
	log.Warn(why + " Every task is shut down.")
	for _, id := range slices.Sorted(maps.Keys(l.tasks)) {
		l.tasks[id].order(func(p Task) { p.Shutdown(max(0, time.Until(stopped))) })
	}
}

// shutdownBudget is what pods may use of the agent's grace period: the rest is for their removal and last updates.
func shutdownBudget(grace time.Duration) time.Duration {
	return grace - min(grace/5, time.Second)
}

// finished says whether the executor may end: it had a task or was told to end, no task is left, and every update is
// acknowledged, or won't be.
func (l *loop) finished() bool {
	if len(l.tasks) > 0 || !l.begun && !l.closing {
		l.idleSince = time.Time{}
		l.patience.Stop()
		return false
	}
	now := time.Now()
	if l.idleSince.IsZero() {
		l.idleSince = now
	}
	until, bounded := l.ackDeadline()
	switch {
	case l.updates.len() == 0:
		return true
	case l.link.state == linkGone, bounded && !now.Before(until):
		l.log.WithField("updates", l.updates.len()).Warn("The executor ends with updates that were not acknowledged.")
		return true
	case bounded:
		l.patience.Reset(until.Sub(now))
	default:
		l.patience.Stop()
	}
	return false
}

// ackDeadline is how long to wait for acknowledgements when no task is left. While there is no subscription the recovery
// timeout bounds it.
func (l *loop) ackDeadline() (time.Time, bool) {
	switch {
	case l.closing:
		return latest(l.deadline, l.idleSince.Add(leastAckPatience)), true
	case l.link.state == linkUp:
		return latest(l.idleSince, l.link.upSince).Add(ackPatience), true
	}
	return time.Time{}, false
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
