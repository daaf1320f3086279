package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path"
	"sync"
	"time"

	"github.com/containerd/errdefs"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/tree"
)

// The defaults of Options, which are Mesos' own where it has any (src/slave/flags.cpp).
const (
	DefaultPatience    = 5 * time.Second
	defaultAge         = 10 * time.Second // that of `dce reap`
	defaultCgroupsRoot = "mesos"
	defaultWorkDir     = "/var/lib/mesos"
	defaultRuntimeDir  = "/var/run/mesos"
)

// Options say what to look at. Of what is left empty the agent that runs on this host is asked, by its command line and
// environment, and Mesos' defaults are taken where none runs.
type Options struct {
	DockerHost  string   // "unix:///path", "tcp://host:port"; empty: as executors find it
	CgroupsRoot string   // the agent's --cgroups_root
	WorkDir     string   // the agent's --work_dir
	RuntimeDir  string   // the agent's --runtime_dir
	Modules     []string // files with modules JSON, as the agent's --modules names them
	ModulesDir  string   // the agent's --modules_dir
	Executor    string   // the program dce-executor; empty: there is none here
	Self        string   // this program

	Patience time.Duration  // of each look; default DefaultPatience
	Age      time.Duration  // what is younger is not taken for left behind: it may be coming to life; default 10s
	Proc     string         // default "/proc"
	Cgroups  cgroup.Options // where the cgroups are
	Environ  []string       // of this process; default os.Environ()
}

// Run looks and decides. It takes at most about five times Patience, whatever hangs.
func Run(ctx context.Context, o Options) Report { return Decide(Gather(ctx, o)) }

// Gather looks. What can't be seen is an error in the facts.
func Gather(ctx context.Context, o Options) Facts {
	o.Age, o.Patience, o.Proc = cmp.Or(o.Age, defaultAge), cmp.Or(o.Patience, DefaultPatience), cmp.Or(o.Proc, "/proc")
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	f := Facts{Asked: o, User: os.Geteuid()}
	var first group
	look(ctx, &first, o.Patience, "the processes in "+o.Proc, &f.Agents, func(context.Context) ([]Agent, error) { return agents(o.Proc) })
	first.Wait()
	f.Asked = o.complete(f.agent())
	o = f.Asked
	look(ctx, &first, o.Patience, "the settings of executors", &f.Settings, func(context.Context) (Settings, error) { return readSettings(o, f.agent()) })
	first.Wait()
	pid := "self"
	if a := f.agent(); a != nil {
		pid = fmt.Sprint(a.PID)
	}
	var g group
	g.Go(func() { gatherEngine(ctx, &f, o) })
	look(ctx, &g, o.Patience, "the cgroups", &f.Cgroups, func(context.Context) (Cgroups, error) { return readCgroups(o) })
	look(ctx, &g, o.Patience, "systemd", &f.Systemd, tree.Systemd)
	look(ctx, &g, o.Patience, "the kernel", &f.Kernel, func(context.Context) (Kernel, error) { return readKernel(o.Proc) })
	look(ctx, &g, o.Patience, "the clock", &f.Clock, func(context.Context) (Clock, error) { return readClock(o.Self) })
	look(ctx, &g, o.Patience, "the file system of "+o.WorkDir, &f.WorkDir, func(context.Context) (Disk, error) { return readDisk(o.WorkDir) })
	look(ctx, &g, o.Patience, "the limits of processes", &f.Limits, func(context.Context) (Limits, error) { return readLimits(o, pid) })
	look(ctx, &g, o.Patience, "the executor's program", &f.Executor, func(context.Context) (Program, error) { return readProgram(o.Executor) })
	look(ctx, &g, o.Patience, "the modules", &f.Modules, func(context.Context) (Modules, error) { return readModules(o) })
	g.Wait()
	return f
}

// agent is the one that the report is about, or nil: that with the work_dir that was asked for, or of which no other is known.
func (f Facts) agent() *Agent {
	for i, a := range f.Agents.Value {
		if has := a.Flags["work_dir"]; f.Asked.WorkDir == "" || has == "" || path.Clean(has) == path.Clean(f.Asked.WorkDir) {
			return &f.Agents.Value[i]
		}
	}
	return nil
}

// complete fills in what was not given.
func (o Options) complete(a *Agent) Options {
	flags := map[string]string{}
	if a != nil {
		flags = a.Flags
	}
	o.CgroupsRoot = path.Clean("/" + cmp.Or(o.CgroupsRoot, flags["cgroups_root"], defaultCgroupsRoot))
	o.WorkDir = cmp.Or(o.WorkDir, flags["work_dir"], defaultWorkDir)
	o.RuntimeDir = cmp.Or(o.RuntimeDir, flags["runtime_dir"], defaultRuntimeDir)
	if len(o.Modules) == 0 && o.ModulesDir == "" {
		o.ModulesDir = flags["modules_dir"]
		if m := flags["modules"]; m != "" {
			o.Modules = []string{m}
		}
	}
	return o
}

// lateError says that a look took too long.
type lateError struct {
	what     string
	patience time.Duration
}

func (e *lateError) Error() string {
	return fmt.Sprintf("%s could not be looked at within %s", e.what, e.patience)
}

func (e *lateError) Unwrap() error { return errdefs.ErrUnavailable }

// group waits for several.
type group struct{ sync.WaitGroup }

// look has f look within its time. One that hangs, as a system call on a dead file system does, is left to itself.
func look[T any](ctx context.Context, g *group, patience time.Duration, what string, to *Seen[T], f func(context.Context) (T, error)) {
	g.Go(func() { *to = within(ctx, patience, what, f) })
}

func within[T any](ctx context.Context, patience time.Duration, what string, f func(context.Context) (T, error)) Seen[T] {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan Seen[T], 1)
	go func() {
		value, err := f(ctx)
		done <- Seen[T]{value, err}
	}()
	select {
	case seen := <-done:
		return seen
	case <-ctx.Done():
		return Seen[T]{Err: &lateError{what, patience}}
	}
}
