package core

import (
	"errors"
	"fmt"

	"github.com/dce-go/dce/go/cgroup"
)

const useHierarchy = "memory.use_hierarchy"

// checkRoot sees to the hierarchy of the agent's cgroups_root, before it has children. What can't be had there can still be
// had for each task's own cgroup, which is what binds its pod: it is said, not refused.
func (c *Core) checkRoot() {
	if c.useHierarchy == hierarchyOff {
		return
	}
	err := c.rootHierarchy(c.roots[0])
	c.metrics.hierarchy.Store(err == nil)
	if err != nil {
		c.log.WithError(err).Warn("dce: the memory limits of the agent's cgroups are not known to bind what is below")
	}
}

// rootHierarchy makes the root where the kernel would make it without: an agent would do so later, together with children.
func (c *Core) rootHierarchy(root string) error {
	hi, err := c.host.Hierarchy("memory")
	if err != nil || hi.Unified {
		return err
	}
	there, err := c.host.Exists(root)
	if err != nil {
		return err
	}
	if !there {
		inherited, err := c.host.Read("memory", "/", useHierarchy)
		switch {
		case err != nil:
			return err
		case inherited == "1":
			return nil
		case c.useHierarchy != hierarchyEnforce:
			return fmt.Errorf("%s of the root is 0, and the cgroup %s will have the same: set it, or use use_hierarchy=enforce", useHierarchy, root)
		}
		if err := c.host.Create(root, "memory"); err != nil {
			return err
		}
	}
	return c.hierarchyOf(root)
}

// hierarchyOf checks one cgroup, and sets it right in the mode that does.
func (c *Core) hierarchyOf(path string) error {
	if c.useHierarchy == hierarchyEnforce {
		return c.host.EnforceHierarchy(path)
	}
	hi, err := c.host.Hierarchy("memory")
	if err != nil || hi.Unified {
		return err
	}
	got, err := c.host.Read("memory", path, useHierarchy)
	if err == nil && got != "1" {
		err = fmt.Errorf("%s of the cgroup %s is %s, so that the task's memory limit would not bind its containers: set it to 1 before the first child is made, or use use_hierarchy=enforce", useHierarchy, path, got)
	}
	return err
}

// bindPod checks the cgroup of a container that is about to run a pod, and returns the cgroup for the pod's containers: "" where
// the agent made none that could bind them.
func (c *Core) bindPod(container string) (string, error) {
	path := c.roots[0] + "/" + container
	hi, err := c.host.Hierarchy("memory")
	var missing *cgroup.NotMountedError
	if errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if hi.Unified {
		return "", nil // the executor makes a tree of its own, beside the agent's
	}
	if _, err := c.host.Read("memory", path, useHierarchy); err != nil {
		c.log.WithError(err).WithField("container", container).Debug("dce: the agent limits no memory of this container")
		return "", nil
	}
	if c.useHierarchy == hierarchyOff {
		return path, nil
	}
	if err := c.hierarchyOf(path); err != nil {
		if c.useHierarchy == hierarchyWarn {
			c.log.WithError(err).WithField("container", container).Warn("dce: the task's memory limit may not bind its containers")
			return path, nil
		}
		return "", failure(Refused, "the pod would not be bound by its task's memory limit: %w", err)
	}
	return path, nil
}
