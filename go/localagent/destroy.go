package localagent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// destroy kills everything in the container's cgroup, those of nested containers included, and removes the cgroups that
// the agent made. Follows src/slave/containerizer/mesos/linux_launcher.cpp, destroy, then the clean-up of the isolators, those of
// modules before those of cgroups. Hierarchies that the agent does not use (pids, devices, …) are left as Docker left them, as Mesos does.
func (a *Agent) destroy(c *Container) error {
	ctx, cancel := context.WithTimeout(context.Background(), a.options.DestroyTimeout)
	defer cancel()
	if a.unified() {
		return a.destroy2(ctx, c)
	}
	if err := a.killAll(ctx, c.Cgroup); err != nil {
		return fmt.Errorf("failed to kill all processes in the container: %w", err)
	}
	if err := a.removeFrom(ctx, c.Cgroup, "freezer"); err != nil {
		return err
	}
	a.cleanUp(c)
	return a.removeFrom(ctx, c.Cgroup, controllers...)
}

func (a *Agent) removeFrom(ctx context.Context, group string, controllers ...string) error {
	for _, name := range controllers {
		hi, err := a.options.Cgroups.Hierarchy(name)
		if err == nil {
			err = removeTree(ctx, filepath.Join(hi.Dir, group))
		}
		if err != nil {
			return fmt.Errorf("failed to remove the container's cgroup: %w", err)
		}
	}
	return nil
}

// cleanUp has the isolator modules clean up.
func (a *Agent) cleanUp(c *Container) {
	if m := a.options.Modules; m != nil {
		m.Cleanup(c)
	}
}

// destroy2 follows src/linux/cgroups2.cpp, destroy: cgroup.kill, then rmdir from below.
func (a *Agent) destroy2(ctx context.Context, c *Container) error {
	for _, group := range c.groups() {
		if err := a.options.Cgroups.Write("", group, "cgroup.kill", "1"); err != nil && !missing(err) {
			return fmt.Errorf("failed to kill all processes in the container: %w", err)
		}
	}
	a.cleanUp(c)
	for _, group := range c.groups() {
		if err := a.options.Cgroups.Remove(ctx, group); err != nil {
			return fmt.Errorf("failed to remove the container's cgroup: %w", err)
		}
	}
	return nil
}

// killAll freezes the cgroup and all below it, so that nothing can fork away, kills, thaws, and waits until all are dead.
// Follows src/linux/cgroups.cpp, Destroyer and TasksKiller.
func (a *Agent) killAll(ctx context.Context, group string) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		below, err := a.options.Cgroups.List(group)
		if err != nil {
			return err
		}
		groups := append([]string{group}, below...)
		alive, err := a.killOnce(groups)
		if err != nil || len(alive) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v did not end in time: %w", alive, ctx.Err())
		case <-time.After(wait): // v1 has no event for a cgroup that empties
		}
	}
}

func (a *Agent) killOnce(groups []string) (alive []int, err error) {
	if alive, err = a.frozenProcs(groups); err != nil || len(alive) == 0 {
		return nil, err
	}
	if err := a.freezer(groups, "FROZEN"); err != nil {
		return nil, err
	}
	alive, err = a.frozenProcs(groups) // again: some may have forked before the freeze
	for _, pid := range alive {
		if kerr := syscall.Kill(pid, syscall.SIGKILL); kerr != nil && !errors.Is(kerr, syscall.ESRCH) {
			err = errors.Join(err, fmt.Errorf("process %d can't be killed: %w", pid, kerr))
		}
	}
	return alive, errors.Join(err, a.freezer(groups, "THAWED"))
}

func (a *Agent) freezer(groups []string, state string) error {
	for _, group := range groups {
		if err := a.options.Cgroups.Write("freezer", group, "freezer.state", state); err != nil && !missing(err) {
			return err
		}
	}
	return nil
}

// frozenProcs lists the processes in the freezer cgroups, never this one: a thread of ours may just be dying there.
func (a *Agent) frozenProcs(groups []string) ([]int, error) {
	var pids []int
	for _, group := range groups {
		text, err := a.options.Cgroups.Read("freezer", group, "cgroup.procs")
		if missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for field := range strings.FieldsSeq(text) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				return nil, fmt.Errorf("cgroup.procs of %s holds %q where a process id is expected", group, field)
			}
			if pid > 0 && pid != os.Getpid() && !slices.Contains(pids, pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids, nil
}

// removeTree removes the directories of one hierarchy from below; busy ones (a thread that is just ending) are tried
// again until ctx ends. Follows src/linux/cgroups.cpp, internal::remove.
func removeTree(ctx context.Context, dir string) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := removeOnce(dir)
		if err == nil || !errors.Is(err, unix.EBUSY) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func removeOnce(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if missing(err) {
			return nil
		}
		return err
	}
	var errs []error
	for _, e := range entries {
		if e.IsDir() {
			errs = append(errs, removeOnce(filepath.Join(dir, e.Name())))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := unix.Rmdir(dir); err != nil && !missing(err) {
		return &os.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) }

func busy(err error) bool { return errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) }
