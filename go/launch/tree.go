package launch

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/dce-go/dce/go/cgroup"
)

// What Mesos writes (src/slave/containerizer/mesos/isolators/cgroups/constants.hpp).
const (
	minMemory    = 32 << 20
	sharesPerCPU = 1024
	minShares    = 2
	weightPerCPU = 100 // of v2: isolators/cgroups2/constants.hpp
)

// plus is what two tasks of one executor have together; a task without a limit leaves none.
func (b budget) plus(more budget) budget {
	sum := budget{b.memory + more.memory, b.cpus + more.cpus}
	if b.memory == 0 || more.memory == 0 {
		sum.memory = 0
	}
	return sum
}

// treeControllers are those that a cgroup of our own tree needs on v2, where each is enabled by name. On v1 they come with their
// hierarchies.
func treeControllers(host *cgroup.Host) []string {
	if host.Version() != cgroup.V2 {
		return nil
	}
	var out []string
	for _, c := range []string{"memory", "cpu", "pids", "io"} {
		if _, err := host.Hierarchy(c); err == nil {
			out = append(out, c)
		}
	}
	return out
}

// limitTree writes the limits of the tasks into the cgroup of their pods, as the agent's isolators do for the executor's: where
// the pods live beside that, nothing else binds them.
func limitTree(host *cgroup.Host, path string, task budget) error {
	memory, shares := "memory.limit_in_bytes", "cpu.shares"
	weight, unlimited := min(max(uint64(task.cpus*sharesPerCPU), minShares), 262144), "-1"
	if host.Version() == cgroup.V2 {
		memory, shares = "memory.max", "cpu.weight"
		weight, unlimited = min(max(uint64(task.cpus*weightPerCPU), 1), 10000), "max"
	}
	limit := unlimited
	if task.memory > 0 {
		limit = strconv.FormatUint(max(task.memory, minMemory), 10)
	}
	if err := host.Write("memory", path, memory, limit); err != nil {
		return fmt.Errorf("the pod can't be bound by the task's memory limit: %w", err)
	}
	if task.cpus == 0 {
		return nil
	}
	err := host.Write("cpu", path, shares, strconv.FormatUint(weight, 10))
	var unmounted *cgroup.NotMountedError
	if err != nil && !errors.As(err, &unmounted) { // a host without the controller has nothing to share out
		return fmt.Errorf("the pod can't be given the task's share of the CPUs: %w", err)
	}
	return nil
}
