package launch

import (
	"math"
	"slices"

	"github.com/mesos/mesos-go/api/v1/lib"

	"github.com/dce-go/dce/go/qos"
	"github.com/dce-go/dce/go/tree"
)

// grant is what a task has: its resources and its executor's are what the pod is sure of, unless they are revocable, and TaskInfo.limits
// (Mesos 1.10) says how far it may go beyond them. Without those its memory ends with the resources, and its CPUs nowhere.
type grant struct {
	qos.Bounds
	cpus    float64 // of all resources, revocable ones too
	stated  bool    // the task has both limits
	endless bool    // its limit of CPUs is infinite
}

// grantOf follows src/slave/slave.cpp, computeExecutorLimits.
func grantOf(task *mesos.TaskInfo, executor []mesos.Resource) grant {
	var out grant
	var mem, sure, ofExecutor qos.Resources
	for i, r := range slices.Concat(task.Resources, executor) {
		value := max(r.GetScalar().GetValue(), 0)
		into := []*qos.Resources{&mem}
		if r.Revocable == nil {
			into = append(into, &sure)
		}
		if i >= len(task.Resources) {
			into = append(into, &ofExecutor)
		}
		for _, sum := range into {
			switch r.Name {
			case "mem":
				sum.Memory += mebibytes(value)
			case "cpus":
				sum.CPUs += value
			}
		}
	}
	out.Request, out.Limit.Memory, out.cpus = sure, mem.Memory, mem.CPUs
	memory, memoryStated := task.Limits["mem"]
	if memoryStated {
		out.Limit.Memory = 0
		if limit := mebibytes(memory.GetValue()); limit > 0 {
			out.Limit.Memory = limit + ofExecutor.Memory
		}
	}
	cpus, cpusStated := task.Limits["cpus"]
	if cpusStated {
		if out.endless = math.IsInf(cpus.GetValue(), 0); !out.endless {
			out.Limit.CPUs = max(cpus.GetValue(), 0) + ofExecutor.CPUs
		}
	}
	out.stated = memoryStated && cpusStated
	return out
}

// mebibytes are those in bytes; infinity is no limit.
func mebibytes(mb float64) uint64 {
	if !(mb > 0 && mb < math.MaxUint64>>20) {
		return 0
	}
	return uint64(mb * (1 << 20))
}

// throttled is g with the CPUs of the task for a limit, as cpu.cfs_quota asks; what the task says of itself stays.
func (g grant) throttled() grant {
	if g.Limit.CPUs == 0 {
		g.Limit.CPUs = g.cpus
	}
	return g
}

// limits are those of the pod's cgroup, as Mesos sets them (isolators/cgroups/subsystems and cgroups2/controllers, memory.cpp and
// cpu.cpp, update).
func (g grant) limits(pids uint64) tree.Limits {
	return tree.Limits{Memory: g.Limit.Memory, MemoryLow: g.Request.Memory, CPUs: g.cpus, Quota: g.Limit.CPUs, Pids: pids}
}

// mostCPUs is what the CPU limits of the services are compared with, 0 for none.
func (g grant) mostCPUs() float64 {
	if g.Limit.CPUs == 0 && !g.endless {
		return g.cpus
	}
	return g.Limit.CPUs
}
