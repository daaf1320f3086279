package cgroup

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

const useHierarchy = "memory.use_hierarchy"

// EnforceHierarchy makes sure that the memory limit of a cgroup binds what is below it. With v2, or where
// memory.use_hierarchy is 1, there is nothing to do. Where it is 0 it is set and read back; that is only possible before
// the cgroup has children: *HierarchyError names them, or says why else it is not set. Kernels before 5.11 start with 0 and let
// children inherit it.
func (h *Host) EnforceHierarchy(path string) error {
	err := h.CheckHierarchy(path)
	var off *HierarchyError
	if !errors.As(err, &off) || len(off.Children) > 0 {
		return err
	}
	hi, err := h.Hierarchy("memory")
	if err != nil {
		return err
	}
	if path, err = clean(path); err != nil {
		return err
	}
	if err := hi.write(path, useHierarchy, "1"); err != nil {
		if errors.Is(err, unix.EBUSY) && errors.As(h.CheckHierarchy(path), &off) && len(off.Children) > 0 {
			return off // a child came in between
		}
		return &HierarchyError{File: off.File, Err: err}
	}
	got, err := hi.read(path, useHierarchy)
	if err == nil && got != "1" {
		err = &ValueError{off.File, got, "the 1 that was written"}
	}
	if err != nil {
		return &HierarchyError{File: off.File, Err: err}
	}
	return nil
}

// CheckHierarchy says whether the memory limit of a cgroup binds what is below it, and changes nothing: *HierarchyError where
// it does not.
func (h *Host) CheckHierarchy(path string) error {
	path, err := clean(path)
	if err != nil {
		return err
	}
	hi, err := h.Hierarchy("memory")
	if err != nil || hi.Unified {
		return err
	}
	got, err := hi.read(path, useHierarchy)
	file := hi.name(path, useHierarchy)
	switch {
	case err != nil:
		return err
	case got == "1":
		return nil
	case got != "0":
		return &ValueError{file, got, "0 or 1"}
	}
	names, err := hi.children(path)
	if err != nil {
		return err
	}
	slices.Sort(names)
	return &HierarchyError{File: file, Children: names}
}
