package engine

import (
	"context"
	"io"
	"net"
	"time"

	"github.com/docker/docker/api/types/container"
)

// Gateway is everything that dce asks of a Docker engine. Docker is the real one, Fake the one for faults that a real
// engine can't be made to show; contract_test.go runs against both. Decorators (timeouts, retries) wrap it.
//
// Every error is classified by errdefs (github.com/containerd/errdefs): IsNotFound, IsConflict, IsUnavailable for an
// engine that can't be reached, IsInvalidArgument, IsInternal. Consumers declare the few methods that they use.
type Gateway interface {
	// Info says what engine this is: API version, cgroup driver and version. One request.
	Info(ctx context.Context) (Info, error)
	// Image reads one local image; IsNotFound when it is missing.
	Image(ctx context.Context, ref string) (Image, error)
	// Pull fetches an image with the user's registry credentials. It fails when nothing arrives for a while, not after
	// a total time.
	Pull(ctx context.Context, ref, platform string) error
	// Load imports a rootfs tar as an image named ref.
	Load(ctx context.Context, ref string, rootfs io.Reader, config container.Config) error
	// List returns the containers that bear all of labels ("key" or "key=value"), in any state, with exit code and
	// health of each.
	List(ctx context.Context, labels ...string) ([]Container, error)
	// Create makes a container from spec and returns its id. Volumes and networks must exist.
	Create(ctx context.Context, spec *ContainerSpec) (string, error)
	// Copy puts files into a created container.
	Copy(ctx context.Context, id string, files []File) error
	Start(ctx context.Context, id string) error
	// Signal sends a signal ("SIGTERM", "15"); IsConflict or IsNotFound when the container does not run.
	Signal(ctx context.Context, id, signal string) error
	// Inspect says what List does not; one request. For whole lists of containers it is too dear.
	Inspect(ctx context.Context, id string) (Details, error)
	// DisableRestart takes a container's restart policy away, so that the engine does not bring it back behind our back.
	DisableRestart(ctx context.Context, id string) error
	// RemindHealthcheck has the engine go on with the healthcheck of a running container that it has forgotten. The container
	// stands still for an instant; one that stands still because a call of this method broke off goes on.
	RemindHealthcheck(ctx context.Context, id string) error
	// Stop sends the container's own stop signal, waits for its end, and kills after grace (whole seconds, rounded up). One
	// that does not run is no error.
	Stop(ctx context.Context, id string, grace time.Duration) error
	// Logs follows the output of a container until it ends (nil) or ctx does: all of it for a zero since, else the
	// entries of since and later. Each entry is given to sink as it comes; an error of sink ends the call and is returned.
	Logs(ctx context.Context, id string, since time.Time, sink func(LogEntry) error) error
	// Exec runs a command in a running container and returns as soon as the engine was told; what can't be started then ends
	// with 126 or 127, as in a shell. ctx bounds the call, not the command. IsConflict when the container does not run.
	Exec(ctx context.Context, id string, spec ExecSpec) (Execution, error)
	// Events streams container events that bear all of labels, from now on. The channel is closed when the stream
	// breaks; the error is then in the last call of err.
	Events(ctx context.Context, labels ...string) (events <-chan Event, err func() error)
	// CreateNetwork and CreateVolume make what is missing; an existing one of the same name is adopted.
	CreateNetwork(ctx context.Context, spec NetworkSpec) (id string, err error)
	CreateVolume(ctx context.Context, spec VolumeSpec) error
	// Objects lists networks or volumes by label.
	Objects(ctx context.Context, kind Kind, labels ...string) ([]Object, error)
	// Remove removes one object by force (containers with their anonymous volumes); what is already gone is no error.
	Remove(ctx context.Context, kind Kind, id string) error
}

// ExecSpec is a command to run in a container, as the container's own user and in its working directory.
type ExecSpec struct {
	Command []string // the program and its arguments, no shell
	Env     []string // "KEY=value", beside the container's own; needs API 1.25
	Stdin   bool     // whether it is given one; else its stdin is at its end from the start
}

// Execution is a command that runs in a container. As a net.Conn it is the command's streams: Read gives its stdout until
// io.EOF, Write its stdin. Close lets go of the streams and does not end the command, whose stdin then is at its end.
type Execution interface {
	net.Conn
	CloseWrite() error // the end of stdin
	Stderr() string    // the last 4 KiB of what Read has met of its stderr
	// Wait returns the exit code, after Read has returned io.EOF.
	Wait(ctx context.Context) (int, error)
	// Kill ends the command and the processes that it has started. The engine's API has no call for that: it takes the
	// engine's host and the right to signal them, and is IsPermissionDenied elsewhere; IsUnavailable before the command has begun.
	Kill(ctx context.Context) error
}

// LogEntry is one piece of a container's output as the engine's log driver stored it: a line with its end, or a part of
// at most 16 KiB of a longer one (such parts bear the same Time).
type LogEntry struct {
	Time   time.Time // the engine's, in ns: what Logs takes as since; zero for a container with a TTY, whose stream has no frames
	Stderr bool      // false for stdout and for all output of a TTY
	Data   []byte    // valid only during the call of sink
}

// Kind is a kind of object on an engine.
type Kind string

// The kinds that dce creates and removes.
const (
	KindContainer Kind = "container"
	KindNetwork   Kind = "network"
	KindVolume    Kind = "volume"
)

// Object is a network or a volume. For volumes ID is the name.
type Object struct {
	Kind    Kind
	ID      string
	Name    string
	Created time.Time // zero where the engine does not say
	Labels  map[string]string
}

// Info is what we need to know of an engine before a pod is created.
type Info struct {
	Version       string // of the engine
	APIVersion    string // negotiated
	CgroupDriver  string // "cgroupfs" or "systemd"
	CgroupVersion string // "1" or "2"
	RootDir       string
	LiveRestore   bool
	Rootless      bool              // it does not run as root
	Storage       string            // the storage driver, such as "overlay2"
	StorageStatus map[string]string // what the driver says of itself, such as "Supports d_type": "true"
	SwapLimit     bool              // it can limit a container's swap
	Kernel        string            // release of its host's kernel
	Time          time.Time         // of its clock when it answered; zero where it does not say
}

// Image is a local image.
type Image struct {
	ID      string
	Digests []string // repo digests, empty for images that were never pushed
	Health  bool     // the image has a healthcheck of its own
	Volumes []string // paths of anonymous volumes
	Stop    string   // its stop signal, empty for SIGTERM
}

// Status is where a container is, as the engine says.
type Status string

// The states of a container.
const (
	StatusCreated    Status = "created"
	StatusRunning    Status = "running"
	StatusPaused     Status = "paused"
	StatusRestarting Status = "restarting"
	StatusRemoving   Status = "removing"
	StatusExited     Status = "exited"
	StatusDead       Status = "dead"
)

// Health of a container that has a healthcheck.
type Health string

// Values of Health.
const (
	HealthUnknown   Health = "" // no healthcheck
	HealthStarting  Health = "starting"
	HealthHealthy   Health = "healthy"
	HealthUnhealthy Health = "unhealthy"
)

// Container is one entry of List.
type Container struct {
	ID       string
	Name     string // without the leading slash
	Image    string
	ImageID  string
	Labels   map[string]string
	Created  time.Time
	Status   Status
	Health   Health
	ExitCode int // only where Status is exited or dead
	Ports    []Port
}

// Details of one container that its entry in a list lacks.
type Details struct {
	CgroupParent string              // as it was asked for at the creation: a path, a slice, or "" for the engine's own
	Created      time.Time           // to the nanosecond; lists give whole seconds
	Restart      string              // restart policy: "no", "always", "on-failure", "unless-stopped"
	Pid          int                 // of its main process on the engine's host; 0 where it does not run
	Addresses    map[string][]string // its own IP addresses, by name of the network; empty where it has none
}

// Port is one published port.
type Port struct {
	HostIP    string
	Host      uint16
	Container uint16
	Protocol  string // "tcp", "udp", "sctp"
}

// Event is one container event: Action is Docker's word ("start", "die", "oom", "health_status", "destroy", …) without what
// follows a colon; Health is set for health_status.
type Event struct {
	Action   string
	ID       string
	Name     string            // of the container, without the leading slash
	Labels   map[string]string // of the container
	ExitCode int               // for "die"
	Health   Health
	Time     time.Time
}
