package localagent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus"
)

// CgroupsRoot is the default of Options.CgroupsRoot. It is not Mesos' own ("mesos"), because an agent kills every cgroup
// below its root that it does not know.
const CgroupsRoot = "dce-local"

// Options are the flags of the agent (src/slave/flags.cpp) with Mesos' own defaults (src/slave/constants.hpp) unless
// said otherwise. Only WorkDir, Cgroups and Log are required.
type Options struct {
	WorkDir     string       // --work_dir: absolute; sandboxes are made below it and it is the scope of what executors create
	Cgroups     *cgroup.Host // where the task's cgroup is made
	CgroupsRoot string       // --cgroups_root; default CgroupsRoot
	EnableCFS   bool         // --cgroups_enable_cfs: cpus is a hard limit too
	LimitSwap   bool         // --cgroups_limit_swap: the memory limit holds for memory and swap together
	Slices      bool         // executors make the cgroups of their pods themselves, also on cgroup v2: slices of systemd

	AgentID   string              // default: a new one
	Hostname  string              // --hostname; default the machine's name
	Address   string              // --ip and --port; default "127.0.0.1:0", a free port
	Framework mesos.FrameworkInfo // the only framework; an empty ID gets one, an empty Name is "dce"

	DomainSocket string            // --domain_socket_location: also serve on this unix socket and tell executors so
	Token        string            // --authenticate_http_executors: executors must send it as bearer token; default none
	Environment  map[string]string // --executor_environment_variables

	RegistrationTimeout   time.Duration // --executor_registration_timeout, 1 min
	ReregistrationTimeout time.Duration // --executor_reregistration_timeout, 2 s
	ShutdownGrace         time.Duration // --executor_shutdown_grace_period, 5 s
	RecoveryTimeout       time.Duration // --recovery_timeout, 15 min
	HeartbeatInterval     time.Duration // DEFAULT_EXECUTOR_HEARTBEAT_INTERVAL, 30 min
	DestroyTimeout        time.Duration // --cgroups_destroy_timeout, 1 min

	// Prepare puts files into a new sandbox, as Mesos' fetcher does, before the executor starts. May be nil.
	Prepare func(sandbox string) error
	// Modules are told of containers and executors. May be nil.
	Modules Modules
	// Stdout and Stderr get what executors write, beside the files in the sandbox. May be nil.
	Stdout, Stderr io.Writer

	Log logrus.FieldLogger
}

// Modules stands for an agent's isolator and hook modules. Its methods are called in the agent's order, and some while the agent
// waits: they must not call it.
type Modules interface {
	// Prepare is called when a container's cgroup is there and nothing in it. It returns variables for the executor; its error
	// fails the launch. Isolator::prepare, called by src/slave/containerizer/mesos/containerizer.cpp, prepare.
	Prepare(c *Container, executor mesos.ExecutorInfo) (environment map[string]string, err error)
	// Cleanup is called when everything in the container's cgroup was killed and its freezer cgroup is gone. Its other cgroups
	// go after it returns. Isolator::cleanup, called by containerizer.cpp, cleanupIsolators.
	Cleanup(c *Container)
	// Removed is called when the agent forgets an executor. Hook::slaveRemoveExecutorHook, called by src/slave/slave.cpp,
	// removeExecutor.
	Removed(framework, executor string)
}

func (o *Options) complete() error {
	switch {
	case !filepath.IsAbs(o.WorkDir):
		return fmt.Errorf("the work directory %q of the local agent is not an absolute path", o.WorkDir)
	case o.Cgroups == nil:
		return errors.New("the local agent needs the cgroups of this host; open them with cgroup.Open")
	case o.Log == nil:
		return errors.New("the local agent needs a logger")
	}
	o.WorkDir = filepath.Clean(o.WorkDir)
	if o.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("the name of this machine can't be read: %w", err)
		}
		o.Hostname = name
	}
	def(&o.CgroupsRoot, CgroupsRoot)
	def(&o.AgentID, uuid.NewString()+"-S0")
	def(&o.Address, "127.0.0.1:0")
	def(&o.Framework.Name, "dce")
	def(&o.Framework.User, "root")
	if o.Framework.ID == nil {
		o.Framework.ID = &mesos.FrameworkID{Value: uuid.NewString() + "-0000"}
	}
	def(&o.RegistrationTimeout, time.Minute)
	def(&o.ReregistrationTimeout, 2*time.Second)
	def(&o.ShutdownGrace, 5*time.Second)
	def(&o.RecoveryTimeout, 15*time.Minute)
	def(&o.HeartbeatInterval, 30*time.Minute)
	def(&o.DestroyTimeout, time.Minute)
	for what, id := range map[string]string{"agent": o.AgentID, "framework": o.Framework.ID.Value} {
		if err := checkID(what, id); err != nil {
			return err
		}
	}
	return nil
}

func def[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}
