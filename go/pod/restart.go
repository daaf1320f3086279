package pod

import (
	"fmt"
	"time"

	"github.com/containerd/errdefs"

	"github.com/dce-go/dce/go/engine"
)

// The pause before a restart is the engine's own where the policy names none: 100 ms, doubling up to a minute, and the first
// again after a run of 10 s (moby, restartmanager/restartmanager.go, ShouldRestart).
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = time.Minute
	settled      = 10 * time.Second
)

// restarts says whether the policy of a member that has just ended brings it back, and notes that it does. An exit code of 0 is
// final for an init container and for what a job is about: they have done their work. It is pure.
func (m Member) restarts(kind Kind, e Exited) (Member, bool) {
	if m.Attempts > 0 && m.Restart.Window > 0 && e.Ran >= m.Restart.Window {
		m.Attempts-- // that restart has succeeded
	}
	done := e.ExitCode == 0 && (m.Init || m.Essential && kind == Job)
	if e.Gone || done || !m.Restart.After(e.ExitCode) || m.Restart.Attempts > 0 && m.Attempts >= m.Restart.Attempts {
		m.Behind = false
		return m, false
	}
	m.Attempts++
	m.Restarts++
	m.Waiting, m.Pause = true, m.pause(e.Ran)
	if m.Checked || m.Health != engine.HealthUnknown {
		m.Health, m.Behind = engine.HealthStarting, true
	}
	return m, true
}

// pause is how long to wait before a restart, after a run that lasted so long.
func (m Member) pause(ran time.Duration) time.Duration {
	switch {
	case m.Restart.Delay > 0:
		return m.Restart.Delay
	case m.Pause == 0 || ran >= settled:
		return firstBackoff
	}
	return min(2*m.Pause, lastBackoff)
}

// restart waits for a member that ended and is brought back. What has a healthcheck makes the pod unhealthy until it is healthy again.
func restart(s State, name string, m Member, e Exited) (State, []Action) {
	s = s.with(name, m)
	actions := []Action{DoRestart{Name: name, After: m.Pause}}
	if now := s.health(); s.Phase == PhaseRunning && now != nil && s.Healthy != nil && *s.Healthy != *now {
		s.Healthy = now
		actions = append(actions, DoReport{Status{State: Running, Reason: ReasonHealth, Healthy: now, Message: fmt.Sprintf(
			"Service %s %s and is started again in %v.", m.Service, ending(e.ExitCode), m.Pause)}})
	}
	return s, actions
}

// ran notes that a member runs: for the first time, or again.
func ran(s State, name string) (State, []Action) {
	m, ok := s.Members[name]
	if !ok || s.Phase.Ended() {
		return s, nil
	}
	m.Seen = true
	if m.Waiting {
		m.Waiting, m.Exited, m.ExitCode, m.OOM = false, false, 0, false
	}
	return rise(s.with(name, m))
}

// restartFailed asks again where the engine was out of reach; how long that may last is for EngineLost. Else the member has
// ended for good.
func restartFailed(s State, e RestartFailed) (State, []Action) {
	m, ok := s.Members[e.Name]
	if !ok || !m.Waiting || s.Phase == PhaseStopping || s.Phase.Ended() {
		return s, nil
	}
	if errdefs.IsUnavailable(e.Err) {
		m.Pause = m.pause(0)
		return s.with(e.Name, m), []Action{DoRestart{Name: e.Name, After: m.Pause}}
	}
	m.Waiting, m.Behind = false, false
	s = s.with(e.Name, m)
	if m.Essential || m.Init {
		return fail(s, Status{State: Failed, Reason: reasonOf(e.Err, ReasonLaunchFailed), Service: m.Service,
			Message: fmt.Sprintf("Service %s %s, and can't be started again: %s", m.Service, ending(m.ExitCode), sentence(e.Err.Error()))})
	}
	return rise(s)
}

// rise is the end of bring-up: everything is up, and nothing waits to be started again. A job that is done waits for nothing.
func rise(s State) (State, []Action) {
	if !s.Up || !s.Phase.launching() {
		return s, nil
	}
	done := s.Rules.Kind == Job && s.complete()
	for _, m := range s.Members {
		if !done && (m.Waiting || m.Behind) {
			return s, nil
		}
	}
	s.Phase, s.Healthy = PhaseRunning, s.health()
	actions := []Action{DoReport{running(s)}}
	if done { // the job was over before everything was up
		stopping, more := stop(s, finished(), nil)
		return stopping, append(actions, more...)
	}
	if s.Rules.HealthCheck || s.Rules.Check != nil {
		actions = append(actions, DoCheck{})
	}
	return s, actions
}
