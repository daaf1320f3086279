package doctor

import (
	"errors"
	"slices"
	"strings"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/tree"
)

// cgroupVersion compares what this host has with what the engine takes it to have.
func cgroupVersion(f Facts) Finding {
	if f.Cgroups.Err != nil {
		var unmounted *cgroup.NotMountedError
		if errors.As(f.Cgroups.Err, &unmounted) {
			return fail("mount the cgroup file systems (systemd does; cgroupfs-mount elsewhere)", "%s", unmounted.What())
		}
		return f.notSeen(f.Cgroups.Err)
	}
	c, e := f.Cgroups.Value, f.Engine.Value
	want := "1"
	if c.Version == cgroup.V2 {
		want = "2"
	}
	switch {
	case len(c.ReadOnly) > 0:
		return fail("mount them writable", "%s, but %s mounted read-only", c.Version, is(c.ReadOnly))
	case f.Engine.Err != nil:
		return ok("%s here; what the engine takes it for is not known", c.Version)
	case e.Local && e.CgroupVersion != want:
		return fail("run dce doctor on the engine's host itself, and the agent too, not in a container that shows other cgroups", "%s here, but the engine has v%s: it can't put containers under a cgroup that the agent makes", c.Version, e.CgroupVersion)
	}
	return ok("%s here and in the engine", c.Version)
}

// what leaves out what an error says is to be done.
func what(err error) string {
	var unmounted *cgroup.NotMountedError
	if errors.As(err, &unmounted) {
		return unmounted.What()
	}
	return err.Error()
}

func is(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, ", ") + " are"
}

// cgroupDriver says whether the engine can put containers where pods go (go/launch/parent.go, findParent).
func cgroupDriver(f Facts) Finding {
	if f.Engine.Err != nil {
		return f.notSeen(errNoEngine)
	}
	unified := f.Cgroups.Err == nil && f.Cgroups.Value.Version == cgroup.V2
	switch driver := f.Engine.Value.CgroupDriver; {
	case driver == cgroup.DriverCgroupfs && unified:
		return ok("cgroupfs: a pod goes below %s, beside the agent's %s", tree.Root, f.Asked.CgroupsRoot)
	case driver == cgroup.DriverCgroupfs && f.limitsNoMemory():
		return ok("cgroupfs: a pod goes below %s, because the agent's --isolation has no cgroups/mem; only the module's isolator tells the agent what the pod uses", tree.Root)
	case driver == cgroup.DriverCgroupfs:
		return ok("cgroupfs: a pod goes below %s, into its task's cgroup", f.Asked.CgroupsRoot)
	case driver == cgroup.DriverSystemd && f.Systemd.Err != nil:
		return fail(cgroup.UseCgroupfs, "systemd, which takes only slices as the parent of containers, and no systemd answers here to make one: %v", f.Systemd.Err)
	case driver == cgroup.DriverSystemd && !unified:
		return ok("systemd (%s here): a pod goes below %s and not %s; only the module's isolator tells the agent what it uses", f.Systemd.Value, tree.SliceRoot, f.Asked.CgroupsRoot)
	case driver == cgroup.DriverSystemd:
		return ok("systemd (%s here): a pod goes below %s", f.Systemd.Value, tree.SliceRoot)
	default:
		return fail(cgroup.UseCgroupfs+", and as root", "%q, with which containers have no cgroup that binds them", driver)
	}
}

// limitsNoMemory says whether the agent is known to give its executors no memory cgroup (src/slave/containerizer/mesos/containerizer.cpp,
// create: "cgroups" and "cgroups/all" stand for more).
func (f Facts) limitsNoMemory() bool {
	a := f.agent()
	if a == nil || a.Partly && a.Flags["isolation"] == "" {
		return false
	}
	return !slices.ContainsFunc([]string{"cgroups/mem", "cgroups/all", "cgroups"}, func(name string) bool { return listed(a.Flags["isolation"], name) })
}

// controllers are what binds and measures pods. Without memory none is launched.
func controllers(f Facts) Finding {
	if f.Cgroups.Err != nil {
		return f.notSeen(f.Cgroups.Err)
	}
	c := f.Cgroups.Value
	used := controllers1
	if c.Version == cgroup.V2 {
		used = controllers2
	}
	const fix = "enable it on the kernel's command line (cgroup_enable=NAME, without cgroup_disable=NAME) and mount it"
	var p problems
	for _, name := range used {
		switch err := c.Missing[name]; {
		case err == nil:
		case name == "memory":
			p.add(fail(strings.ReplaceAll(fix, "NAME", name), "memory can't be used, so that no pod can be bound: %s", what(err)))
		default:
			p.add(warn(strings.ReplaceAll(fix, "NAME", name), "%s can't be used, so that pods are neither bound nor measured by it: %s", name, what(err)))
		}
	}
	return p.or(ok("%s", strings.Join(used, ", ")))
}

// useHierarchy says whether limits bind what is below. A task's own cgroup is new and can still be set right, unless a setting
// forbids it.
func useHierarchy(f Facts) Finding {
	if f.Cgroups.Err != nil {
		return f.notSeen(f.Cgroups.Err)
	}
	c := f.Cgroups.Value
	if c.Version == cgroup.V2 {
		return ok("always so on v2")
	}
	err := c.AgentErr
	where := c.Agent
	if missing(err) { // it will inherit the root's
		err, where = c.RootErr, "/ (and so the "+c.Agent+" to come)"
	}
	var off *cgroup.HierarchyError
	switch {
	case missing(err):
		return unknown("mount the memory controller of cgroup v1", "the file memory.use_hierarchy is not there")
	case err == nil:
		return ok("memory.use_hierarchy is 1 in %s", where)
	case !errors.As(err, &off):
		return f.notSeen(err)
	}
	fix := "set it to 1 before the agent starts: echo 1 > " + off.File
	if len(off.Children) > 0 {
		fix = "stop the agent, remove the cgroups below, and before it starts again: echo 1 > " + off.File
	}
	modes := f.hierarchyModes()
	if slices.Contains(modes, "require") {
		return fail(fix+", or use_hierarchy=enforce", "%s is 0, and use_hierarchy=require refuses every pod", off.File)
	}
	if len(off.Children) > 0 {
		return warn(fix, "%s is 0 and can't be changed while it has children (%s): only each task's own cgroup can still be set", off.File, few(off.Children))
	}
	return warn(fix, "%s is 0: only each task's own cgroup is set, by the module or the executor", off.File)
}

// hierarchyModes are those of the executors' settings and of the module.
func (f Facts) hierarchyModes() []string {
	modes := []string{f.Settings.Value.UseHierarchy}
	for _, e := range f.Modules.Value.entries() {
		for _, m := range e.Modules {
			if m.ours() {
				modes = append(modes, m.value("use_hierarchy"))
			}
		}
	}
	return modes
}

func few(names []string) string {
	const most = 3
	if len(names) > most {
		return strings.Join(names[:most], ", ") + " and " + count(len(names)-most, "other")
	}
	return strings.Join(names, ", ")
}

func swapAccounting(f Facts) Finding {
	for _, err := range []error{f.Cgroups.Err, f.Kernel.Err} {
		if err != nil {
			return f.notSeen(err)
		}
	}
	c := f.Cgroups.Value
	const fix = "boot with swapaccount=1"
	switch a := f.agent(); {
	case c.SwapLimit:
		return ok("on (%s)", c.SwapFile)
	case a != nil && a.Flags["cgroups_limit_swap"] == "true" && c.SwapFile != "":
		return fail(fix+", or take --cgroups_limit_swap from the agent", "off (there is no %s), and the agent has --cgroups_limit_swap", c.SwapFile)
	case f.Kernel.Value.SwapKB == 0:
		return ok("not needed: the host has no swap")
	case c.SwapFile == "":
		return unknown("look again when a container runs", "not known, because no cgroup has the memory controller yet, and the root does not tell")
	}
	return warn(fix+", or swapoff -a", "off (there is no %s), and the host has %d MB of swap: a pod beyond its limit swaps instead of being stopped", c.SwapFile, f.Kernel.Value.SwapKB>>10)
}
