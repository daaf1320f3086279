package engine

import (
	"cmp"
	"path"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
)

// PodSpec is what a pod is to become on an engine: every name is final, every value is Docker's own type.
// compose.Convert makes it; NewPlan turns it into operations. It is never changed after it was made.
type PodSpec struct {
	ID       string            // labels.Identity.PodID
	Labels   map[string]string // on networks and volumes, and on containers beside their own
	Infra    *ContainerSpec    // owns the shared network namespace; nil in modes that have none
	Services []ContainerSpec   // sorted by service name, then number
	Networks []NetworkSpec     // sorted by name; only those that the pod owns
	Volumes  []VolumeSpec      // sorted by name; only those that the pod creates
}

// ContainerSpec is one container to create.
type ContainerSpec struct {
	Service   string // compose service; "infra" for the infra container
	Name      string // container name, unique on the host: <pod>-<service>-<n>
	Image     string // as the file names it
	Platform  string // "os/arch[/variant]", empty for the engine's own
	Pull      PullPolicy
	Config    *container.Config
	Host      *container.HostConfig
	Networks  map[string]*network.EndpointSettings // at most one for engines below API 1.44; the rest is connected after create
	Needs     []Dependency                         // sorted by service
	Files     []File                               // copied in before the start
	Publishes map[string]string                    // the service that wants a published port, by "80/tcp"; for sentences
	Signal    string                               // stop signal, empty for the image's own
	Grace     time.Duration                        // between stop signal and SIGKILL; 0 is at once, negative the default
	Health    HealthSource
	Essential bool // its exit decides about the pod; false for sidecars and init containers
	Init      bool // one-shot: some service waits for its service_completed_successfully
	Restart   Restart
	Reserved  float64 // CPUs that the service is to be sure of, 0 for none; memory is Host.MemoryReservation. Docker has no field for it
	Logs      string  // the folder of the sandbox that its output goes to, for sentences; empty is "logs"
}

// LogFile is where in the sandbox the output of the service is.
func (c *ContainerSpec) LogFile() string { return path.Join(cmp.Or(c.Logs, "logs"), c.Service+".log") }

// PullPolicy says when an image is pulled.
type PullPolicy string

// The pull policies of compose that we act on.
const (
	PullMissing PullPolicy = "missing"
	PullAlways  PullPolicy = "always"
	PullNever   PullPolicy = "never"
)

// HealthSource says where a container's healthcheck comes from.
type HealthSource int

// Values of HealthSource. With HealthImage only the image knows whether there is one.
const (
	HealthImage HealthSource = iota // the file says nothing, the image decides
	HealthFile                      // the file has a test
	HealthNone                      // the file disables it
)

// Condition is what a dependent waits for, in compose's own words.
type Condition string

// The three conditions of depends_on.
const (
	Started   Condition = "service_started"
	Healthy   Condition = "service_healthy"
	Completed Condition = "service_completed_successfully"
)

// Dependency is one entry of depends_on.
type Dependency struct {
	Service   string
	Condition Condition
	Required  bool // false: a failure of that service is only logged
}

// File is a file to be copied into a container before it starts (secrets and configs with content).
type File struct {
	Path     string // absolute, inside the container
	Content  []byte
	Mode     int64 // permission bits
	UID, GID int
}

// NetworkSpec is a network that belongs to the pod and goes with it.
type NetworkSpec struct {
	Name    string
	Options network.CreateOptions
}

// VolumeSpec is a volume to create. A volume with Keep was named by the user and stays after the pod.
type VolumeSpec struct {
	Options volume.CreateOptions
	Keep    bool
}
