package reaper

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/tree"
)

// removals bounds, for all sweeps together, what files bounds where it may wait, for a cgroup that gets empty or for systemd: no
// look waits for that, which would seem to be the engine's silence.
var removals = semaphore.NewWeighted(2)

// runCgroups removes the cgroups of runs. An agent that is at work removes those that it made by itself, and fails where one
// is missing (Mesos: src/linux/cgroups.cpp, destroy): keep names them, and only what is below is removed there. Trees of our own
// are no agent's.
type runCgroups struct {
	host *cgroup.Host
	keep func(hi cgroup.Hierarchy, run string) bool // nil: nothing is kept
}

func (c runCgroups) remove(ctx context.Context, one Removal) error {
	if tree.Ours(one.ID) {
		return tree.At(c.host, one.ID).Remove(ctx)
	}
	if c.keep == nil {
		return c.host.Remove(ctx, one.ID)
	}
	children, err := c.host.Children(one.ID)
	if err != nil {
		return err
	}
	var errs []error
	for _, child := range children {
		errs = append(errs, c.host.Remove(ctx, one.ID+"/"+child))
	}
	for _, hi := range c.host.Hierarchies() {
		if dir, there := inside(hi, one.ID); there && !c.keep(hi, one.Run) {
			if err := unix.Rmdir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, &cgroup.FileError{Op: "remove", File: dir, Err: err})
			}
		}
	}
	return errors.Join(errs...)
}

// done says that nothing of a run's cgroup is there but what is kept.
func (c runCgroups) done(one Removal) (bool, error) {
	if c.keep == nil || tree.Ours(one.ID) {
		return false, nil
	}
	children, err := c.host.Children(one.ID)
	if err != nil || len(children) > 0 {
		return false, err
	}
	for _, hi := range c.host.Hierarchies() {
		if _, there := inside(hi, one.ID); there && !c.keep(hi, one.Run) {
			return false, nil
		}
	}
	return true, nil
}

// Hierarchies names the hierarchies that have a cgroup, by where they are mounted.
func Hierarchies(host *cgroup.Host, path string) map[string]bool {
	out := map[string]bool{}
	for _, hi := range host.Hierarchies() {
		if _, there := inside(hi, path); there {
			out[hi.Dir] = true
		}
	}
	return out
}

// inside is the directory of a cgroup, and whether it is there. A mount that shows a part only shows none of an agent's.
func inside(hi cgroup.Hierarchy, path string) (dir string, there bool) {
	if hi.Root != "/" {
		return "", false
	}
	dir = filepath.Join(hi.Dir, path)
	var s unix.Stat_t
	return dir, unix.Lstat(dir, &s) == nil && s.Mode&unix.S_IFMT == unix.S_IFDIR
}
