package pod

import (
	"maps"
	"slices"
	"time"

	"github.com/dce-go/dce/go/engine"
)

// Phase is where a pod is in its life; next.go has the diagram.
type Phase string

// The phases of a pod.
const (
	PhaseReceived  Phase = "received"
	PhasePreparing Phase = "preparing"
	PhasePulling   Phase = "pulling"
	PhaseCreating  Phase = "creating"
	PhaseStarting  Phase = "starting"
	PhaseRunning   Phase = "running"
	PhaseStopping  Phase = "stopping"
	PhaseFinished  Phase = "finished"
	PhaseFailed    Phase = "failed"
	PhaseKilled    Phase = "killed"
)

// Ended says that the terminal update has been sent; what is left is removal.
func (p Phase) Ended() bool { return p == PhaseFinished || p == PhaseFailed || p == PhaseKilled }

// launching says that the pod has been asked for and is not up yet.
func (p Phase) launching() bool {
	return p == PhasePreparing || p == PhasePulling || p == PhaseCreating || p == PhaseStarting
}

// Rules are what the task and the configuration decide about a pod. They do not change while it lives.
type Rules struct {
	Kind            Kind
	ReportUnhealthy bool // monitor.unhealthy: report; else an unhealthy container fails the pod

	HealthCheck bool           // the task has a health check, which decides about Healthy beside those of the members
	Check       *Check         // the task has a check: its type, without a result; nil where it has none
	KillGrace   *time.Duration // of the task's kill policy, for a pod that its health check ends; nil leaves it to the pod
}

// State is all that next knows of a pod. It is a value: next never changes the one it was given.
type State struct {
	Rules   Rules
	Phase   Phase
	Up      bool              // bring-up is over
	Outcome Status            // what the terminal update will say, from PhaseStopping on
	Killed  bool              // the service that the outcome names, or infra, was ended by SIGKILL, and not by us
	Members map[string]Member // by container name; known once the pod is prepared
	Healthy *bool             // as last reported; nil where no member has a healthcheck
	Passes  *bool             // what the task's health check said last; nil where it has none, and before its first word
	Check   *Check            // what the task's check came to last; nil where it has none
}

// Member is one service container of the pod.
type Member struct {
	Service   string
	LogFile   string // in the sandbox, for sentences
	Essential bool
	Init      bool
	Checked   bool // its file has a healthcheck
	Seen      bool // it ran at least once
	Exited    bool
	ExitCode  int
	OOM       bool // the engine reported it out of memory: a hint
	Health    engine.Health

	Restart  engine.Restart
	Waiting  bool          // it has ended and is to be started again
	Behind   bool          // it has a healthcheck, was started again and is not healthy yet
	Restarts int           // how often it was started again
	Attempts int           // of these, those that count for the policy
	Pause    time.Duration // before the last restart
}

// Is says in a word what the member does: "pending", "running", "restarting" or "exited".
func (m Member) Is() string {
	switch {
	case m.Waiting:
		return "restarting"
	case m.Exited:
		return "exited"
	case m.Seen:
		return "running"
	}
	return "pending"
}

// allSeen says that every member was seen to run or to have ended, and to be healthy where its file has a healthcheck.
func (s State) allSeen() bool {
	for _, m := range s.Members {
		if !m.Seen || m.Checked && !m.Init && !m.Exited && m.Health != engine.HealthHealthy {
			return !s.Phase.launching() // what is stopping is not waited for
		}
	}
	return true
}

// New is the state of a pod that was just received.
func New(rules Rules) State { return State{Rules: rules, Phase: PhaseReceived, Check: rules.Check} }

// with returns s with one member replaced.
func (s State) with(name string, m Member) State {
	s.Members = maps.Clone(s.Members)
	s.Members[name] = m
	return s
}

// members returns the members of spec, infra left out: its end is judged apart.
func members(spec engine.PodSpec) map[string]Member {
	out := make(map[string]Member, len(spec.Services))
	for i := range spec.Services {
		c := &spec.Services[i]
		out[c.Name] = Member{
			Service: c.Service, LogFile: c.LogFile(), Essential: c.Essential, Init: c.Init, Checked: c.Health == engine.HealthFile,
			Restart: c.Restart,
		}
	}
	return out
}

// complete says that a job has done its work: every essential container exited, all with 0.
func (s State) complete() bool {
	done := false
	for _, m := range s.Members {
		if !m.Essential {
			continue
		}
		if !m.Exited || m.ExitCode != 0 {
			return false
		}
		done = true
	}
	return done
}

// health sums up the members and the task's health check: false where one of them is unhealthy, nil where none of them has a
// healthcheck or the task's has not said anything yet.
func (s State) health() *bool {
	var sum *bool
	for _, m := range s.Members {
		switch {
		case m.Behind:
			return new(false)
		case m.Exited || m.Health == engine.HealthUnknown || m.Health == engine.HealthStarting:
		case m.Health == engine.HealthUnhealthy:
			return new(false)
		default:
			sum = new(true)
		}
	}
	if s.Rules.HealthCheck {
		return s.Passes
	}
	return sum
}

// names returns the container names in order, so that nothing depends on the order of a map.
func (s State) names() []string { return slices.Sorted(maps.Keys(s.Members)) }
