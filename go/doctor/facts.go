package doctor

import (
	"debug/elf"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
)

// Seen is what a gatherer saw, or why it did not.
type Seen[T any] struct {
	Value T
	Err   error
}

// Facts is what the decisions go by.
type Facts struct {
	Asked     Options // completed by what the agent that runs here was given
	User      int     // effective user id
	Agents    Seen[[]Agent]
	Settings  Seen[Settings]
	Engine    Seen[Engine]
	Leftovers Seen[Leftovers]
	Cgroups   Seen[Cgroups]
	Systemd   Seen[string] // its version, where it answers
	Kernel    Seen[Kernel]
	Clock     Seen[Clock]
	WorkDir   Seen[Disk]
	DockerDir Seen[Disk] // only where the engine is on this host
	Limits    Seen[Limits]
	Executor  Seen[Program]
	Modules   Seen[Modules]
}

// Agent is a Mesos agent that runs on this host.
type Agent struct {
	PID      int
	Flags    map[string]string // without dashes, from its MESOS_… environment and over that its command line
	Partly   bool              // its environment could not be read
	Programs []GoProgram       // shared libraries in it that have a Go runtime
	MapsErr  error             // why Programs is not known
}

// GoProgram is a shared library that Go built.
type GoProgram struct {
	Path    string
	Version string // of Go
	Main    string // its main package
}

// Settings are those of dce.yaml and the environment that executors of this host begin with.
type Settings struct {
	EngineHost   string // "": where Docker's own clients look
	EngineFrom   string // who said so, for people
	UseHierarchy string
}

// Engine is one that answered.
type Engine struct {
	engine.Info
	Host   string // its address
	Source string // who named it
	Local  bool   // it is on this host
	Asked  time.Time
	Took   time.Duration
}

// Leftovers are what belongs to no executor that lives.
type Leftovers struct {
	Scopes  []string            // work_dirs of the agents that it is of
	Counts  map[engine.Kind]int // what `dce reap` would remove
	Foreign map[engine.Kind]int // what it would leave, for it bears our labels but is not proved to be a pod's
	Example string              // one of the latter, with the reason
	Young   map[engine.Kind]int // of no executor that lives, and younger than Options.Age: it may be coming to life
}

// Cgroups is how the host arranges them.
type Cgroups struct {
	Version   cgroup.Version
	ReadOnly  []string         // hierarchies that are mounted read-only, by mount point
	Missing   map[string]error // controllers that can't be used, and why
	Agent     string           // the cgroup of --cgroups_root
	RootErr   error            // of the check of the root's use_hierarchy
	AgentErr  error            // likewise of Agent's; fs.ErrNotExist where it is not there yet
	SwapLimit bool             // a limit of memory can bind swap too
	SwapFile  string           // which file says so; "" where none can
}

// Kernel is what the running one says of itself.
type Kernel struct {
	Release  string
	SwapKB   uint64 // swap space of the host
	Forwards string // net.ipv4.ip_forward, "" where it can't be read
	Bridges  string // net.bridge.bridge-nf-call-iptables, "" where the module is not loaded
}

// Clock is the state of the host's.
type Clock struct {
	Now          time.Time
	Synchronized bool
	MaxError     time.Duration // by the kernel's own estimate
	Built        time.Time     // when this program was written to disk
}

// Disk is the file system of a directory.
type Disk struct {
	Path       string // the directory, or the nearest above it that exists
	Wanted     string // the directory itself
	Free       uint64 // bytes that may be used
	Total      uint64
	FreeInodes uint64
	Inodes     uint64 // 0 where the file system has no fixed number
	ReadOnly   bool
}

// Limits bound how many processes and files there may be.
type Limits struct {
	Of        string // whose limits these are, for people
	OpenFiles uint64 // soft limit
	Processes uint64 // of the host, with threads
	MaxPIDs   uint64
	Threads   uint64 // the most that the kernel takes
	Groups    []PIDGroup
}

// PIDGroup is a cgroup that bounds its processes.
type PIDGroup struct {
	File     string
	Now, Max uint64
}

// Program is the executor's file.
type Program struct {
	Path    string
	Mode    uint32
	Static  bool
	Machine elf.Machine
	Main    string // its main package, "" where it says none
}

// Modules is what the agent is told to load.
type Modules struct {
	Manifests []Manifest
	Cores     map[string]Seen[Library] // by path
	CLibrary  string                   // the version of glibc that this host has, "" where it was not found
}

// Manifest is one modules JSON.
type Manifest struct {
	Source    string // file, or who gave the JSON
	Err       error
	Strange   error // what Mesos passes over in it
	Libraries []Entry
}

// Entry is a library in a manifest.
type Entry struct {
	Path    string
	File    Seen[Library]
	Modules []Module
}

// Module is a module of a library.
type Module struct {
	Name       string
	Parameters []Parameter
}

// Parameter is one of a module.
type Parameter struct{ Key, Value string }

// Library is a shared library, read and not run.
type Library struct {
	Path    string
	Machine elf.Machine
	Class   elf.Class
	Shared  bool
	Flaw    string // why the file can't be whole, "" where it is
	Symbols map[string]bool
	Version *uint32 // of the core's interface: dce_core_abi or dce_module_abi
	Needs   string  // the version of glibc that it needs at least, "" for any
	Mesos   string  // the version that a module was compiled for: dce_module_mesos
	Go      *GoProgram
}
