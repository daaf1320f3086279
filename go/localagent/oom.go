package localagent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"golang.org/x/sys/unix"
)

// watchOOM makes the agent destroy a container whose own memory limit was hit, as a real agent does: the executor's own
// report then races with that. An OOM below, within a nested container's own limit, is not the container's.
// Follows src/slave/containerizer/mesos/isolators/cgroups/subsystems/memory.cpp, oomListen and oomWaited, and
// src/linux/cgroups.cpp, event::listen. On v2 the kernel's OOM killer is left alone.
func (a *Agent) watchOOM(c *Container) error {
	if a.unified() {
		return nil
	}
	hi, err := a.options.Cgroups.Hierarchy("memory")
	if err != nil {
		return err
	}
	control, err := os.Open(filepath.Join(hi.Dir, c.Cgroup, "memory.oom_control"))
	if err != nil {
		return err
	}
	defer control.Close()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("no eventfd to hear of memory running out: %w", err)
	}
	event := os.NewFile(uintptr(fd), "eventfd of "+c.Cgroup)
	listen := fmt.Sprintf("%d %d", fd, control.Fd())
	if err := a.options.Cgroups.Write("memory", c.Cgroup, "cgroup.event_control", listen); err != nil {
		event.Close()
		return err
	}
	a.running.Go(func() {
		<-c.destroying
		event.Close()
	})
	a.running.Go(func() {
		var count [8]byte
		if _, err := event.Read(count[:]); err != nil {
			return // closed, because the container is being destroyed
		}
		a.terminate(c, &termination{mesos.TASK_FAILED, mesos.REASON_CONTAINER_LIMITATION_MEMORY, a.oomMessage(c)})
	})
	return nil
}

func (a *Agent) oomMessage(c *Container) string {
	var b strings.Builder
	b.WriteString("Memory limit exceeded: ")
	host := a.options.Cgroups
	if limit, err := host.ReadUint("memory", c.Cgroup, "memory.limit_in_bytes"); err == nil {
		fmt.Fprintf(&b, "Requested: %dMB ", limit>>20)
	}
	if used, err := host.ReadUint("memory", c.Cgroup, "memory.max_usage_in_bytes"); err == nil {
		fmt.Fprintf(&b, "Maximum Used: %dMB\n", used>>20)
	}
	if stat, err := host.Read("memory", c.Cgroup, "memory.stat"); err == nil {
		fmt.Fprintf(&b, "\nMEMORY STATISTICS: \n%s\n", stat)
	}
	return b.String()
}
