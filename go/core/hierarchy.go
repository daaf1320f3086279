package core

import "fmt"

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
	return c.host.CheckHierarchy(path)
}
