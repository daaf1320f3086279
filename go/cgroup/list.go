package cgroup

import (
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// Children returns the names of the cgroups right below path, of all hierarchies, sorted. None when path does not exist.
func (h *Host) Children(p string) ([]string, error) {
	p, err := clean(p)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, hi := range h.hierarchies {
		names, err := hi.children(p)
		if err != nil {
			return nil, err
		}
		out = append(out, names...)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func (hi Hierarchy) children(p string) ([]string, error) {
	dir, err := hi.open(p)
	if err != nil {
		if gone(err) {
			return nil, nil
		}
		return nil, err
	}
	defer dir.Close()
	return subdirs(dir)
}

// List returns the paths of all cgroups below root, of all hierarchies, sorted; root itself is not among them. What
// vanishes meanwhile is left out.
func (h *Host) List(root string) ([]string, error) {
	root, err := clean(root)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, hi := range h.hierarchies {
		dir, err := hi.open(root)
		if err != nil {
			if gone(err) {
				continue
			}
			return nil, err
		}
		err = walk(dir, root, func(p string) { out = append(out, p) })
		dir.Close()
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func walk(dir *os.File, p string, visit func(string)) error {
	names, err := subdirs(dir)
	if err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	for _, name := range names {
		child := path.Join(p, name)
		visit(child)
		sub, err := openat(int(dir.Fd()), name, path.Join(dir.Name(), name), unix.O_DIRECTORY, true)
		if err != nil {
			if gone(err) {
				continue
			}
			return err
		}
		err = walk(sub, child, visit)
		sub.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
