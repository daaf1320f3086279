package localagent

import (
	"os/exec"
	"runtime"
	"syscall"

	"github.com/dce-go/dce/go/cgroup"
)

// controllers are the hierarchies that the container lives in: those of `--isolation=cgroups/cpu,cgroups/mem` and the
// freezer of the linux launcher.
var controllers = []string{"cpu", "cpuacct", "memory", "freezer"}

// controllers2 are those of cgroup v2, where freezer and cpuacct are part of every cgroup.
var controllers2 = []string{"cpu", "memory", "pids"}

func (a *Agent) unified() bool { return a.options.Cgroups.Version() == cgroup.V2 }

// fork starts cmd as a member of the container's cgroup from its first instruction on. Mesos moves the child before it
// lets it execute (linux_launcher.cpp, fork, parentHooks); without a helper process in between, it has to be born there.
func (a *Agent) fork(c *Container, cmd *exec.Cmd) error {
	if !a.unified() {
		return a.forkFromThread(c, cmd)
	}
	dir, err := a.options.Cgroups.OpenDir("", c.leaf)
	if err != nil {
		return err
	}
	defer dir.Close()
	cmd.SysProcAttr.UseCgroupFD = true
	cmd.SysProcAttr.CgroupFD = int(dir.Fd())
	return cmd.Start()
}

// forkFromThread moves one thread of ours into the cgroup, forks from it, and lets it die there: a goroutine that ends
// while it is locked takes its thread along, and the runtime makes no new threads from a locked one.
func (a *Agent) forkFromThread(c *Container, cmd *exec.Cmd) error {
	result := make(chan error, 1)
	var run func()
	run = func() {
		runtime.LockOSThread()
		tid := syscall.Gettid()
		if tid == syscall.Getpid() {
			// The main thread can't die. While we hold it, another goroutine gets another thread.
			done := make(chan struct{})
			go func() { defer close(done); run() }()
			<-done
			runtime.UnlockOSThread()
			return
		}
		if err := a.options.Cgroups.AddThread(c.leaf, tid, controllers...); err != nil {
			result <- err
			return
		}
		result <- cmd.Start()
	}
	go run()
	return <-result
}
