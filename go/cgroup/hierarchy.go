package cgroup

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

const useHierarchy = "memory.use_hierarchy"

// EnforceHierarchy makes sure that the memory limit of a cgroup binds what is below it. With v2, or where
// memory.use_hierarchy is 1, there is nothing to do. Where it is 0 it is set and read back; that is only possible before
// the cgroup has children (*HierarchyError names them). Kernels before 5.11 start with 0 and let children inherit it.
func (h *Host) EnforceHierarchy(path string) error {
	path, err := clean(path)
	if err != nil {
		return err
	}
	hi, err := h.Hierarchy("memory")
	if err != nil {
		return err
	}
	if hi.Unified {
		return nil
	}
	file := hi.name(path, useHierarchy)
	got, err := hi.read(path, useHierarchy)
	switch {
	case err != nil:
		return err
	case got == "1":
		return nil
	case got != "0":
		return &ValueError{file, got, "0 or 1"}
	}
	if err := hi.refuseChildren(path, file); err != nil {
		return err
	}
	if err := hi.write(path, useHierarchy, "1"); err != nil {
		if errors.Is(err, unix.EBUSY) { // a child came in between
			if err := hi.refuseChildren(path, file); err != nil {
				return err
			}
		}
		return err
	}
	if got, err = hi.read(path, useHierarchy); err != nil {
		return err
	}
	if got != "1" {
		return &ValueError{file, got, "the 1 that was written"}
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

func (hi Hierarchy) refuseChildren(path, file string) error {
	names, err := hi.children(path)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return &HierarchyError{File: file, Children: names}
}
