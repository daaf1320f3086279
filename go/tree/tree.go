package tree

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/dce-go/dce/go/cgroup"
)

// Tree is the cgroup for the pods of one container. It need not exist.
type Tree struct {
	Host   *cgroup.Host
	Parent string // what the engine is given: a path, or the name of a slice
	Path   string // where it is, as in /proc/<pid>/cgroup
}

// New names the tree of a container for an engine with that cgroup driver.
func New(host *cgroup.Host, driver, container string) (Tree, error) {
	parent, err := Parent(driver, container)
	return Tree{Host: host, Parent: parent, Path: cgroup.ParentPath(driver, parent)}, err
}

// Find returns the tree that a container has.
func Find(host *cgroup.Host, container string) (Tree, bool, error) {
	for _, p := range Paths(container) {
		if there, err := host.Exists(p); err != nil || there {
			return At(host, p), there, err
		}
	}
	return Tree{}, false, nil
}

// At is the tree at a path that is ours.
func At(host *cgroup.Host, p string) Tree {
	t := Tree{Host: host, Parent: p, Path: p}
	if isSlice(p) {
		t.Parent = unitOf(p)
	}
	return t
}

func (t Tree) slice() bool { return isSlice(t.Path) }

func (t Tree) unified() bool { return t.Host.Version() == cgroup.V2 }

// Make makes the tree and sets all limits; of one that exists it sets them. What this process may not do, and only that, ends in
// *UnboundError, beside which everything else was done.
func (t Tree) Make(ctx context.Context, l Limits) error {
	if t.slice() {
		return t.slices(ctx, true, l, allParts)
	}
	there, err := t.Host.Exists(t.Path)
	if err != nil && !Hidden(err) {
		return err
	}
	if err := t.Host.Create(t.Path, t.controllers()...); err != nil {
		if !there {
			_ = t.Host.Remove(ctx, t.Path) // of some hierarchies; what can't be made can mostly not be removed either
		}
		if denied(err) {
			return unbound(t.Path, l.parts(allParts), err)
		}
		return err
	}
	return t.write(ctx, l, allParts)
}

// Set changes some limits of a tree that exists, all where no part is named. As Mesos it does not lower the memory limit: the
// kernel would end processes of a pod that uses more (src/slave/containerizer/mesos/isolators/cgroups/subsystems/memory.cpp,
// update). Errors are those of Make.
func (t Tree) Set(ctx context.Context, l Limits, parts ...Part) error {
	if len(parts) == 0 {
		parts = allParts
	}
	if slices.Contains(parts, Memory) {
		raises, err := t.raises(l.memory())
		if err != nil {
			return err
		}
		if !raises {
			parts = slices.DeleteFunc(slices.Clone(parts), func(p Part) bool { return p == Memory })
		}
	}
	if t.slice() {
		return t.slices(ctx, false, l, parts)
	}
	return t.write(ctx, l, parts)
}

// raises says whether a memory limit is more than the present one.
func (t Tree) raises(memory uint64) (bool, error) {
	now, err := t.Host.MemoryLimit(t.Path)
	return now != cgroup.NoLimit && (memory == 0 || memory > now), err
}

// Remove removes the tree, and what the engine made below it, once no process is left there.
func (t Tree) Remove(ctx context.Context) error {
	if err := t.Host.Remove(ctx, t.Path); err != nil {
		return err
	}
	if t.slice() {
		if err := release(ctx, unitOf(t.Path)); err != nil {
			return err
		}
	}
	_ = t.reserve(ctx) // else the next one does
	return nil
}

// controllers are those that a directory needs on v2, where each is enabled by name. On v1 they come with their hierarchies.
func (t Tree) controllers() []string {
	if !t.unified() {
		return nil
	}
	var out []string
	for _, c := range []string{"memory", "cpu", "pids", "io"} {
		if _, err := t.Host.Hierarchy(c); err == nil {
			out = append(out, c)
		}
	}
	return out
}

func (t Tree) settings(l Limits, parts []Part) []Setting {
	if t.unified() {
		return l.V2(parts...)
	}
	return l.V1(parts...)
}

// write writes control files, each whatever becomes of the others.
func (t Tree) write(ctx context.Context, l Limits, parts []Part) error {
	if len(parts) == 0 {
		return nil
	}
	unbound := &UnboundError{Path: t.Path}
	var errs []error
	for _, s := range t.settings(l, parts) {
		err := t.Host.Write(s.Controller, t.Path, s.File, s.Value)
		if err == nil && s.Part == MemoryLow {
			err = t.reserve(ctx)
		}
		switch {
		case err == nil, s.Lifts && (without(err) || denied(err)):
		case denied(err):
			unbound.add(s.Part, err)
		case without(err) && (s.Part == CPUs || s.Part == MemoryLow): // a host that has none shares nothing out
		default:
			errs = append(errs, &LimitError{t.Path, s.Part, err})
		}
	}
	if err := errors.Join(errs...); err != nil || len(unbound.Parts) == 0 {
		return err
	}
	return unbound
}

// without says that the host has no such controller or file.
func without(err error) bool {
	var unmounted *cgroup.NotMountedError
	return errors.As(err, &unmounted) || errors.Is(err, fs.ErrNotExist)
}

func (e *UnboundError) add(p Part, err error) {
	e.Err = cmp.Or(e.Err, err)
	if !slices.Contains(e.Parts, p) {
		e.Parts = append(e.Parts, p)
	}
}

var allParts = []Part{Memory, MemoryLow, CPUs, Quota, Pids}

// parts are those of some that limit something.
func (l Limits) parts(of []Part) []Part {
	limits := map[Part]bool{Memory: l.Memory > 0, MemoryLow: l.MemoryLow > 0, CPUs: l.CPUs > 0, Quota: l.Quota > 0, Pids: l.Pids > 0}
	return slices.DeleteFunc(slices.Clone(of), func(p Part) bool { return !limits[p] })
}

// Add sets limits that whoever made the tree, or the task's own cgroup, knows nothing of. On v1 the hierarchy of a limit may
// lack the cgroup, and gets it. Errors are those of Make.
func (t Tree) Add(ctx context.Context, l Limits, parts ...Part) error {
	if err := t.reserve(ctx); denied(err) {
		return unbound(t.Path, []Part{MemoryLow}, err)
	} else if err != nil {
		return err
	}
	if parts = l.parts(parts); len(parts) == 0 {
		return nil
	}
	if !t.slice() && !t.unified() {
		for _, s := range t.settings(l, parts) {
			switch err := t.Host.Create(t.Path, s.Controller); {
			case err == nil, without(err):
			case denied(err):
				return unbound(t.Path, parts, err)
			default:
				return err
			}
		}
	}
	return t.Set(ctx, l, parts...)
}
