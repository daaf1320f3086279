package localagent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/oom"
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
	known := make(chan struct{}, 1)
	watch, err := a.options.Cgroups.WatchOOM(c.Cgroup, func(k cgroup.OOM) {
		if k.Kills == 0 {
			return // a guess, which the end of all containers makes worthless here
		}
		c.oomMu.Lock()
		c.ooms = append(c.ooms, k)
		c.oomMu.Unlock()
		select {
		case known <- struct{}{}:
		default:
		}
	}, func(err error) { a.options.Log.WithError(err).Warn("A container's memory can't be watched") })
	if err != nil {
		event.Close()
		return err
	}
	a.running.Go(func() {
		<-c.destroying
		event.Close()
		watch.Close()
	})
	a.running.Go(func() {
		var count [8]byte
		if _, err := event.Read(count[:]); err != nil {
			return // closed, because the container is being destroyed
		}
		select { // the kernel tells first and kills then; a real agent takes that long to act
		case <-known:
		case <-time.After(oomDelay):
		}
		a.terminate(c, &termination{mesos.TASK_FAILED, mesos.REASON_CONTAINER_LIMITATION_MEMORY, a.oomMessage(c)})
	})
	return nil
}

// oomDelay bounds the wait for the kernel's choice, which comes within milliseconds: a busy machine takes longer to end a large
// process, and without it the updates could not say whose it was.
const oomDelay = 2 * time.Second

// oomLabels say which service was killed, in the words of the executor's file: what a module's slaveTaskStatusDecorator may
// add, which sets labels and nothing that is in the message.
func (a *Agent) oomLabels(c *Container) *mesos.Labels {
	c.oomMu.Lock()
	defer c.oomMu.Unlock()
	if len(c.ooms) == 0 {
		return nil
	}
	services, err := oom.Containers(c.Sandbox)
	if err != nil {
		a.options.Log.WithError(err).Warn("What the executor says of its containers can't be read")
	}
	cause, ok := oom.Cause(c.ooms, services, time.Time{})
	if !ok {
		return nil
	}
	out := &mesos.Labels{}
	for key, value := range cause.Labels() {
		out.Labels = append(out.Labels, mesos.Label{Key: key, Value: &value})
	}
	slices.SortFunc(out.Labels, func(x, y mesos.Label) int { return strings.Compare(x.Key, y.Key) })
	return out
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
