package engine

import "time"

// Stage is a part of bringing a pod up, for those who report progress.
type Stage string

// The stages of Up, in order. A stage begins when its first operation does; they overlap.
const (
	StagePull   Stage = "pulling"
	StageCreate Stage = "creating"
	StageStart  Stage = "starting"
)

// Finished is an operation of Up that is done.
type Finished struct {
	Kind      OpKind
	Container string    // its name, empty where the operation is about no container
	Image     string    // for pulls and loads
	Condition Condition // for waits
	Began     time.Time
	Ended     time.Time
}

// Observation is what Watch saw. Exactly one of Lost and Containers means something.
type Observation struct {
	// Lost is set when the engine can't be reached or the stream broke: nothing is known until the next full picture.
	Lost error
	// Full says that Containers is the whole pod: what is missing from it does not exist (any more).
	Full       bool
	Containers []ContainerState
}

// ContainerState is one container of the pod as last seen.
type ContainerState struct {
	ID       string
	Name     string
	Service  string
	Role     string // labels.RoleInfra or labels.RoleService
	Status   Status
	Health   Health
	ExitCode int       // where Status is exited or dead
	OOM      bool      // the engine sent an oom event for it: a hint, no proof
	Runs     int       // how often Pod.Restart started it: an end with another number is another end
	At       time.Time // of the event, or of the list
}

// StopReport says how a stop went.
type StopReport struct {
	Overran []string // services that had to be killed after their grace, sorted
	Alone   []string // services that were ended without the engine, which did not do it in time, sorted
	Err     error    // what could not be stopped, nil when nothing of the pod runs any more
}
