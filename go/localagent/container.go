package localagent

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/dce-go/dce/go/cgroup"
)

// Container is one run of an executor: a process with its sandbox and its cgroup.
type Container struct {
	ID      string // Mesos' container id
	Sandbox string // absolute
	Cgroup  string // as /proc/<pid>/cgroup shows it: /<cgroups_root>/<ID>

	info   mesos.ExecutorInfo
	leaf   string            // the cgroup of the executor itself: Cgroup on v1, a leaf below it on v2
	parent string            // on v2 the tree beside Cgroup where the pod's containers belong, empty with Options.Slices and on v1
	given  map[string]string // variables from the agent's modules

	cmd    *exec.Cmd
	copied sync.WaitGroup // stdout and stderr were shown to their end
	silent chan struct{}  // nothing writes to them any more
	exited chan struct{}  // the process was reaped
	gone   chan struct{}  // everything of the container is gone, and its tasks were reported

	destroying  chan struct{} // closed by the first destroy
	once        sync.Once
	termination *termination // why it was destroyed, nil when it exited; written before destroying is closed

	oomMu sync.Mutex
	ooms  []cgroup.OOM // what the kernel killed below the container's cgroup
}

// termination is what sendExecutorTerminatedStatusUpdate reports: src/slave/containerizer, ContainerTermination.
type termination struct {
	state   mesos.TaskState
	reason  mesos.TaskStatus_Reason
	message string
}

// groups are the cgroups that the agent made for the container, the pod's first.
func (c *Container) groups() []string {
	if c.parent == "" {
		return []string{c.Cgroup}
	}
	return []string{c.parent, c.Cgroup}
}

// Pid of the executor; 0 when it could not be started.
func (c *Container) Pid() int {
	if c.cmd == nil || c.cmd.Process == nil {
		return 0
	}
	return c.cmd.Process.Pid
}

// Exited is closed when the executor's process has ended.
func (c *Container) Exited() <-chan struct{} { return c.exited }

// Gone is closed when no process of the container is left, its cgroup is removed and its tasks' last updates are out.
func (c *Container) Gone() <-chan struct{} { return c.gone }

// ExitStatus says how the process ended, for people ("exit status 1"); only after Exited.
func (c *Container) ExitStatus() string {
	if c.cmd == nil || c.cmd.ProcessState == nil {
		return "not started"
	}
	return c.cmd.ProcessState.String()
}

// start makes the cgroup and starts the executor in it, in the sandbox, in a session of its own, with stdin from
// /dev/null. Follows src/slave/containerizer/mesos/linux_launcher.cpp, fork.
func (a *Agent) start(e *run) error {
	c := e.container
	if err := a.makeCgroup(c); err != nil {
		return fmt.Errorf("the task's cgroup can't be made: %w", err)
	}
	if err := a.grow(e); err != nil {
		return fmt.Errorf("the task's limits can't be set: %w", err)
	}
	if err := a.watchOOM(c); err != nil {
		return fmt.Errorf("the task's memory can't be watched: %w", err)
	}
	if m := a.options.Modules; m != nil {
		var err error
		if c.given, err = m.Prepare(c, c.info); err != nil {
			return err
		}
	}
	cmd, err := command(c.info.GetCommand(), c.Sandbox, a.containerEnvironment(c))
	if err != nil {
		return err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	for _, s := range []struct {
		name string
		tee  io.Writer
		to   *io.Writer
	}{{"stdout", a.options.Stdout, &cmd.Stdout}, {"stderr", a.options.Stderr, &cmd.Stderr}} {
		file, err := a.output(c, s.name, s.tee)
		if err != nil {
			return err
		}
		defer file.Close() // only the executor is to keep it
		*s.to = file
	}
	if err := a.fork(c, cmd); err != nil {
		return fmt.Errorf("the executor can't be started: %w", err)
	}
	c.cmd = cmd
	return nil
}

// output opens a file of the sandbox for the executor to write to, and has it shown to those who want to see it.
func (a *Agent) output(c *Container, name string, show io.Writer) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(c.Sandbox, name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil || show == nil {
		return file, err
	}
	wait, err := tee(file, show, c.silent)
	if err != nil {
		file.Close()
		return nil, err
	}
	c.copied.Go(func() {
		if err := wait(); err != nil {
			a.options.Log.WithError(err).Errorf("The executor's %s is not shown any more; it is in the sandbox", name)
		}
	})
	return file, nil
}

// command is what to execute: a value for `sh -c`, or a program with its argv. A program without a slash is looked for in
// the sandbox and then in PATH. Follows src/slave/containerizer/mesos/launch.cpp, MesosContainerizerLaunch::execute.
func command(info *mesos.CommandInfo, sandbox string, env []string) (*exec.Cmd, error) {
	cmd := &exec.Cmd{Dir: sandbox, Env: env}
	name := info.GetValue()
	if info.GetShell() {
		name, cmd.Args = "sh", []string{"sh", "-c", name}
	} else if cmd.Args = info.GetArguments(); len(cmd.Args) == 0 {
		cmd.Args = []string{name}
	}
	if name == "" {
		return nil, fmt.Errorf("the executor %q has no command", name)
	}
	var err error
	cmd.Path, err = which(name, sandbox, env)
	return cmd, err
}

func which(name, sandbox string, env []string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	dirs := []string{sandbox}
	if !strings.Contains(name, "/") {
		for _, v := range env {
			if list, ok := strings.CutPrefix(v, "PATH="); ok {
				dirs = append(dirs, filepath.SplitList(list)...)
			}
		}
	}
	for _, dir := range dirs {
		file := filepath.Join(dir, name)
		if s, err := os.Stat(file); err == nil && s.Mode().IsRegular() && s.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("the executor's program %q is neither in the sandbox %s nor in its PATH", name, sandbox)
}

func (a *Agent) cgroupPath(container string) string {
	return path.Join("/", a.options.CgroupsRoot, container)
}
