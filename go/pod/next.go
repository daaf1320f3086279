package pod

import (
	"errors"
	"time"

	"github.com/dce-go/dce/go/engine"
)

// next decides what an event does to a pod. It is pure: the same state and event always give the same answer.
//
//	received ─Launch─► preparing ─Prepared─► pulling ─Stage─► creating ─Stage─► starting ─Up─► running
//	    │                  │                    │                │                 │              │
//	    └──────────────────┴────────────────────┴───────┬────────┴─────────────────┴──────────────┘
//	         Kill, Shutdown, LaunchFailed, LaunchTimeout, EngineLost, InfraExited,
//	         Exited or RestartFailed of an essential container, HealthChanged to unhealthy, a fatal TaskHealth, CompletionTimeout
//	                                                    ▼
//	                                                stopping ─Stopped─► finished | failed | killed ─Removed─► end
//
// TASK_STARTING is reported on leaving received, TASK_RUNNING on entering running, TASK_KILLING (which the executor passes on
// to the frameworks that know it) on a kill, the terminal state on leaving stopping, when no container of the pod runs any
// more. An end after which a restart policy brings the container back is none of the above: it leads to DoRestart, and starting
// lasts until nothing waits for that any more. Once stopping, the outcome is settled: nothing is started again, a later event
// can make the stop shorter and nothing else. Events that are late for the phase change nothing.
func next(s State, e Event) (State, []Action) {
	switch e := e.(type) {
	case Launch:
		if s.Phase != PhaseReceived {
			return s, nil
		}
		s.Phase = PhasePreparing
		return s, []Action{DoReport{Status{State: Starting, Message: "The pod is being prepared."}}, DoPrepare{}}
	case Prepared:
		if s.Phase != PhasePreparing {
			return s, nil
		}
		s.Phase, s.Members = PhasePulling, members(e.Spec)
		return s, []Action{DoUp{}}
	case StageBegan:
		return stageBegan(s, e.Stage), nil
	case Up:
		return up(s)
	case Ran:
		return ran(s, e.Name)
	case RanOut:
		if m, ok := s.Members[e.Name]; ok && !s.Phase.Ended() {
			m.OOM = true
			return s.with(e.Name, m), nil
		}
		return s, nil
	case Exited:
		return exited(s, e)
	case RestartFailed:
		return restartFailed(s, e)
	case HealthChanged:
		return healthChanged(s, e)
	case TaskHealth:
		return taskHealth(s, e)
	case CheckUpdated:
		return checkUpdated(s, e)
	case CompletionTimeout:
		return completionTimeout(s, e)
	case InfraExited:
		return failInfra(s, e)
	case LaunchFailed:
		return failLaunch(s, e)
	case LaunchTimeout:
		if !s.Phase.launching() {
			return s, nil
		}
		return fail(s, launchTimeout(s, e))
	case EngineLost:
		return fail(s, engineLost(e))
	case Kill:
		return kill(s, e.Grace, killed(s))
	case Shutdown:
		return kill(s, &e.Grace, shutDown())
	case Stopped:
		return stopped(s, e)
	case Removed:
		if !s.Phase.Ended() {
			return s, nil
		}
		return s, []Action{DoEnd{}}
	}
	return s, nil
}

func stageBegan(s State, stage engine.Stage) State {
	order := map[Phase]int{PhasePulling: 1, PhaseCreating: 2, PhaseStarting: 3}
	to := map[engine.Stage]Phase{
		engine.StagePull: PhasePulling, engine.StageCreate: PhaseCreating, engine.StageStart: PhaseStarting,
	}[stage]
	if order[s.Phase] > 0 && order[to] > order[s.Phase] { // stages overlap: never back
		s.Phase = to
	}
	return s
}

func up(s State) (State, []Action) {
	if !s.Phase.launching() || s.Phase == PhasePreparing {
		return s, nil
	}
	s.Up = true
	for name, m := range s.Members { // which is known before the runner is shown it
		if !m.Init && !m.Exited && !m.Behind && (m.Checked && m.Health == engine.HealthUnknown || m.Health == engine.HealthStarting) {
			m.Health = engine.HealthHealthy
			s = s.with(name, m)
		}
	}
	return rise(s)
}

func exited(s State, e Exited) (State, []Action) {
	m, ok := s.Members[e.Name]
	if !ok || s.Phase.Ended() || m.Exited {
		return s, nil
	}
	m.Seen, m.Exited, m.ExitCode = true, true, e.ExitCode
	if s.Phase == PhaseStopping {
		return s.with(e.Name, m), nil
	}
	m, again := m.restarts(s.Rules.Kind, e)
	if again {
		return restart(s, e.Name, m, e)
	}
	s = s.with(e.Name, m)
	bad := e.ExitCode != 0 || e.Gone
	switch {
	case m.Init && bad, m.Essential && bad, m.Essential && s.Rules.Kind == Service:
		return fail(s, exitedStatus(s, m, e))
	case s.Phase == PhaseRunning && s.Rules.Kind == Job && s.complete():
		return stop(s, finished(), nil)
	}
	return rise(s)
}

func healthChanged(s State, e HealthChanged) (State, []Action) {
	m, ok := s.Members[e.Name]
	if !ok || m.Health == e.Health || s.Phase == PhaseStopping || s.Phase.Ended() {
		return s, nil
	}
	m.Health, m.Behind = e.Health, m.Behind && e.Health != engine.HealthHealthy
	s = s.with(e.Name, m)
	if e.Health == engine.HealthUnhealthy && !s.Rules.ReportUnhealthy {
		return fail(s, unhealthy(m))
	}
	if now := s.health(); s.Phase == PhaseRunning && now != nil && (s.Healthy == nil || *s.Healthy != *now) {
		s.Healthy = now
		return s, []Action{DoReport{healthReport(s, m)}}
	}
	return rise(s)
}

// fail stops a pod that is not stopping yet.
func fail(s State, outcome Status) (State, []Action) {
	if s.Phase == PhaseStopping || s.Phase.Ended() {
		return s, nil
	}
	return stop(s, outcome, nil)
}

// failInfra takes note of a SIGKILL: with memory.oom.group the kernel kills the whole pod, and infra may be seen first.
func failInfra(s State, e InfraExited) (State, []Action) {
	s, actions := fail(s, infraExited(e))
	s.Killed = s.Killed || len(actions) > 0 && e.ExitCode == killedCode
	return s, actions
}

// failLaunch may know of the end of a service before that itself was seen.
func failLaunch(s State, e LaunchFailed) (State, []Action) {
	s, actions := fail(s, launchFailed(e))
	if op, ok := errors.AsType[*engine.OpError](e.Err); ok && len(actions) > 0 {
		s.Killed = s.Killed || op.Killed
	}
	return s, actions
}

// kill stops a pod, or shortens the stop that is under way.
func kill(s State, grace *time.Duration, outcome Status) (State, []Action) {
	switch {
	case s.Phase.Ended():
		return s, nil
	case s.Phase == PhaseStopping:
		if grace == nil {
			return s, nil
		}
		return s, []Action{DoShorten{*grace}}
	}
	report := DoReport{Status{State: Killing, Message: outcome.Message, Healthy: s.Healthy}}
	s, actions := stop(s, outcome, grace)
	return s, append([]Action{report}, actions...)
}

func stop(s State, outcome Status, grace *time.Duration) (State, []Action) {
	s.Phase, s.Outcome = PhaseStopping, outcome
	for _, m := range s.Members {
		s.Killed = s.Killed || m.Service == outcome.Service && m.Exited && m.ExitCode == killedCode
	}
	return s, []Action{DoStop{grace}}
}

func stopped(s State, e Stopped) (State, []Action) {
	if s.Phase != PhaseStopping {
		return s, nil
	}
	s.Outcome = atTheEnd(s, e)
	s.Phase = map[TaskState]Phase{Finished: PhaseFinished, Failed: PhaseFailed, Killed: PhaseKilled}[s.Outcome.State]
	return s, []Action{DoReport{s.Outcome}, DoRemove{}}
}
