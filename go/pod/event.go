package pod

import (
	"time"

	"github.com/dce-go/dce/go/engine"
)

// Event is something that happened to a pod.
type Event interface{ event() }

// The events of a pod.
type (
	// Launch asks for the pod.
	Launch struct{}
	// Prepared says that the compose files are loaded and checked.
	Prepared struct{ Spec engine.PodSpec }
	// StageBegan says that the engine began to pull, create or start.
	StageBegan struct{ Stage engine.Stage }
	// Up says that every service runs, and is healthy where it has a healthcheck.
	Up struct{}
	// LaunchFailed says that the pod can't be prepared or brought up.
	LaunchFailed struct{ Err error }
	// LaunchTimeout says that the pod was not up in time.
	LaunchTimeout struct{ After time.Duration }
	// Ran says that a member was seen running.
	Ran struct{ Name string }
	// RanOut says that the engine reported a member, or a cgroup above it, out of memory.
	RanOut struct{ Name string }
	// Exited says that a member ended, after how long, or that its container is gone (Gone, no exit code then).
	Exited struct {
		Name     string
		ExitCode int
		Gone     bool
		Ran      time.Duration
	}
	// RestartFailed says that a member that is to run again can't be started.
	RestartFailed struct {
		Name string
		Err  error
	}
	// InfraExited says that the container that holds the pod's network namespace ended.
	InfraExited struct{ ExitCode int }
	// HealthChanged says what a member's healthcheck came to.
	HealthChanged struct {
		Name   string
		Health engine.Health
	}
	// TaskHealth says what the task's health check came to, where Mesos wants to hear of it; Fatal that it has failed too often.
	TaskHealth struct {
		Healthy bool
		Fatal   bool
		Message string // one sentence
	}
	// CheckUpdated says that the task's check came to something else than before.
	CheckUpdated struct {
		Check   Check
		Message string // one sentence
	}
	// CompletionTimeout says that the task has not ended in the time that it was given.
	CompletionTimeout struct{ After time.Duration }
	// EngineLost says that the engine did not answer for too long.
	EngineLost struct {
		For time.Duration
		Err error
	}
	// Kill asks for the end of the pod. Grace is nil where Mesos names none.
	Kill struct{ Grace *time.Duration }
	// Shutdown asks for the end of the pod because the executor ends.
	Shutdown struct{ Grace time.Duration }
	// Stopped says that no container of the pod runs any more, or what can't be stopped. Tail is the last output of
	// the service that ended the pod, OutOfMemory a clause with the evidence that the kernel killed it for want of memory.
	Stopped struct {
		Report      engine.StopReport
		Tail        []string
		OutOfMemory string
	}
	// Removed says that everything of the pod is removed, or what is left.
	Removed struct{ Err error }
)

func (Launch) event()        {}
func (Prepared) event()      {}
func (StageBegan) event()    {}
func (Up) event()            {}
func (LaunchFailed) event()  {}
func (LaunchTimeout) event() {}
func (Ran) event()           {}
func (RanOut) event()        {}
func (Exited) event()        {}
func (RestartFailed) event() {}
func (InfraExited) event()   {}
func (HealthChanged) event() {}
func (TaskHealth) event()    {}
func (CheckUpdated) event()  {}
func (EngineLost) event()    {}
func (Kill) event()          {}
func (Shutdown) event()      {}
func (Stopped) event()       {}
func (Removed) event()       {}

func (CompletionTimeout) event() {}

// Action is something that the runner must do.
type Action interface{ action() }

// The actions of a pod.
type (
	// DoPrepare loads and checks the compose files.
	DoPrepare struct{}
	// DoUp brings the prepared pod up and begins to watch it.
	DoUp struct{}
	// DoCheck begins the checks of the task; DoStop ends them.
	DoCheck struct{}
	// DoStop ends preparation or bring-up and stops every container. Grace is nil for as long as the services ask for.
	DoStop struct{ Grace *time.Duration }
	// DoRestart starts a member that ended, after a pause. DoStop takes it back.
	DoRestart struct {
		Name  string
		After time.Duration
	}
	// DoShorten brings the end of a stop nearer.
	DoShorten struct{ Grace time.Duration }
	// DoReport sends an update.
	DoReport struct{ Status Status }
	// DoRemove removes everything of the pod.
	DoRemove struct{}
	// DoEnd ends the runner: nothing can happen any more.
	DoEnd struct{}
)

func (DoPrepare) action() {}
func (DoUp) action()      {}
func (DoCheck) action()   {}
func (DoStop) action()    {}
func (DoRestart) action() {}
func (DoShorten) action() {}
func (DoReport) action()  {}
func (DoRemove) action()  {}
func (DoEnd) action()     {}
