package localagent

import (
	"errors"
	"fmt"
	"path"
	"strconv"

	"github.com/dce-go/dce/go/cgroup"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Of src/slave/containerizer/mesos/isolators/cgroups/constants.hpp.
const (
	sharesPerCPU = 1024
	minShares    = 2
	cfsPeriod    = 100_000 // µs
	minCFSQuota  = 1_000   // µs
	minMemory    = 32 << 20
)

// PodRoot is where pods live on cgroup v2: beside the agent's tree, because an agent takes every cgroup below its own for
// a container of its own.
const PodRoot = "/dce"

// makeCgroup makes the container's cgroup. On v2 a cgroup has either processes or children with controllers, so the
// executor goes into a leaf (src/slave/containerizer/mesos/paths.cpp, cgroups2::container) and the pod into a tree beside, unless
// that is a slice, which the executor makes.
func (a *Agent) makeCgroup(c *Container) error {
	c.leaf = c.Cgroup
	if !a.unified() {
		return a.makeCgroup1(c)
	}
	c.leaf = path.Join(c.Cgroup, "leaf")
	if err := a.createGroup(c.leaf, controllers2); err != nil || a.options.Slices {
		return err
	}
	c.parent = path.Join(PodRoot, c.ID)
	return a.createGroup(c.parent, controllers2)
}

// makeCgroup1 also sees to it that the limit of the container binds what is below it, which Mesos leaves to the kernel's
// default; on kernels before 5.11 that is only possible where nothing was made yet. What can't be had here the executor
// reports by itself.
func (a *Agent) makeCgroup1(c *Container) error {
	for _, group := range []string{path.Dir(c.Cgroup), c.Cgroup} {
		if err := a.createGroup(group, controllers); err != nil {
			return err
		}
		var fixed *cgroup.HierarchyError
		if err := a.options.Cgroups.EnforceHierarchy(group); errors.As(err, &fixed) {
			a.options.Log.WithError(err).Warn("The task's memory limit may not bind its containers")
		} else if err != nil {
			return err
		}
	}
	return nil
}

// createGroup tries again where another agent removes the root that both use, which has just become empty.
func (a *Agent) createGroup(group string, controllers []string) (err error) {
	for range 5 {
		if err = a.options.Cgroups.Create(group, controllers...); !missing(err) {
			return err
		}
	}
	return err
}

// demand sums up what the executor and its tasks are given: cpus and bytes of memory.
func demand(lists ...[]mesos.Resource) (cpus float64, memory uint64) {
	for _, list := range lists {
		for _, r := range list {
			switch r.Name {
			case "cpus":
				cpus += r.GetScalar().GetValue()
			case "mem":
				memory += uint64(r.GetScalar().GetValue() * (1 << 20))
			}
		}
	}
	return cpus, memory
}

// limit writes what is granted into the cgroup. Limits are never lowered while the executor lives.
// Follows src/slave/containerizer/mesos/isolators/cgroups/subsystems/memory.cpp and cpu.cpp, update.
func (a *Agent) limit(c *Container, cpus float64, memory uint64) error {
	if memory > 0 {
		memory = max(memory, minMemory)
	}
	quota := uint64(0)
	if cpus > 0 && a.options.EnableCFS {
		quota = max(uint64(cpus*cfsPeriod), minCFSQuota)
	}
	if a.unified() {
		return a.limit2(c, cpus, memory, quota)
	}
	return a.write(c.Cgroup, []setting{
		{"memory", "memory.soft_limit_in_bytes", memory},
		{"memory", "memory.limit_in_bytes", memory},
		{"memory", "memory.memsw.limit_in_bytes", only(a.options.LimitSwap, memory)},
		{"cpu", "cpu.shares", shares(cpus)},
		{"cpu", "cpu.cfs_period_us", only(quota > 0, cfsPeriod)},
		{"cpu", "cpu.cfs_quota_us", quota},
	})
}

// limit2 does the same on v2, for the executor's tree and for the pod's.
// Follows src/slave/containerizer/mesos/isolators/cgroups2/controllers/cpu.cpp and memory.cpp, update, and
// cgroups2/constants.hpp for the weight.
func (a *Agent) limit2(c *Container, cpus float64, memory, quota uint64) error {
	for _, group := range c.groups() {
		err := a.write(group, []setting{
			{"memory", "memory.low", memory},
			{"memory", "memory.max", memory},
			{"cpu", "cpu.weight", weight(cpus)},
		})
		if err == nil && quota > 0 {
			err = a.options.Cgroups.Write("cpu", group, "cpu.max", fmt.Sprintf("%d %d", quota, cfsPeriod))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setting is one number for one control file; 0 is not written.
type setting struct {
	controller, file string
	value            uint64
}

func (a *Agent) write(group string, settings []setting) error {
	for _, s := range settings {
		if s.value == 0 {
			continue
		}
		if err := a.options.Cgroups.Write(s.controller, group, s.file, strconv.FormatUint(s.value, 10)); err != nil {
			return err
		}
	}
	return nil
}

func only(ok bool, value uint64) uint64 {
	if ok {
		return value
	}
	return 0
}

func shares(cpus float64) uint64 {
	if cpus <= 0 {
		return 0
	}
	return max(uint64(cpus*sharesPerCPU), minShares)
}

// weight of v2 for cpus: 100 a CPU, 1 to 10000.
func weight(cpus float64) uint64 {
	if cpus <= 0 {
		return 0
	}
	return min(max(uint64(cpus*100), 1), 10000)
}
