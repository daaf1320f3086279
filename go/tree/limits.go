package tree

import (
	"math"
	"slices"
	"strconv"
)

// Limits are what bounds a pod. The zero value of each is none.
type Limits struct {
	Memory    uint64  // bytes that the pod may use at most
	MemoryLow uint64  // bytes that the kernel takes back last: the pod's reservation
	CPUs      float64 // weight where CPUs are short, in CPUs; 0: what the kernel gives everybody
	Quota     float64 // CPUs that the pod may use at most, also where others are idle
	Pids      uint64  // processes and threads at most
}

// Part names one of the Limits, for people too.
type Part string

// The parts of Limits.
const (
	Memory    Part = "the memory limit"
	MemoryLow Part = "the memory reservation"
	CPUs      Part = "the share of the CPUs"
	Quota     Part = "the CPU limit"
	Pids      Part = "the limit of processes"
)

// What Mesos writes (src/slave/containerizer/mesos/isolators/cgroups/constants.hpp, cgroups2/constants.hpp), and the bounds of
// the kernel (kernel/sched/core.c, sched_group_set_shares; include/linux/cgroup.h, CGROUP_WEIGHT_MAX).
const (
	minMemory    = 32 << 20
	sharesPerCPU = 1024
	minShares    = 2
	maxShares    = 1 << 18
	weightPerCPU = 100
	minWeight    = 1
	maxWeight    = 10000
	period       = 100_000 // µs
	minQuota     = 1_000   // µs of a period
)

// Plus is what two pods of one executor have together: what one of them has without limit, both have.
func (l Limits) Plus(more Limits) Limits {
	sum := Limits{l.Memory + more.Memory, l.MemoryLow + more.MemoryLow, l.CPUs + more.CPUs, l.Quota + more.Quota, l.Pids + more.Pids}
	if l.Memory == 0 || more.Memory == 0 {
		sum.Memory = 0
	}
	if l.Quota == 0 || more.Quota == 0 {
		sum.Quota = 0
	}
	if l.Pids == 0 || more.Pids == 0 {
		sum.Pids = 0
	}
	return sum
}

// Setting is one value for one control file.
type Setting struct {
	Part       Part
	Controller string
	File       string
	Value      string
	Lifts      bool // the value is no limit: a host without the file has none either
}

// V1 are the control files of cgroup v1 for some parts, for all where none is named (Mesos: isolators/cgroups/subsystems/memory.cpp,
// cpu.cpp and pids.cpp, update).
func (l Limits) V1(parts ...Part) []Setting {
	quota := "-1"
	if l.Quota > 0 {
		quota = strconv.FormatUint(l.quota(), 10)
	}
	all := []Setting{
		{MemoryLow, "memory", "memory.soft_limit_in_bytes", number(l.low(), "-1"), l.MemoryLow == 0},
		{Memory, "memory", "memory.limit_in_bytes", number(l.memory(), "-1"), l.Memory == 0},
		{CPUs, "cpu", "cpu.shares", strconv.FormatUint(l.shares(), 10), false},
		{Quota, "cpu", "cpu.cfs_period_us", strconv.Itoa(period), l.Quota == 0},
		{Quota, "cpu", "cpu.cfs_quota_us", quota, l.Quota == 0},
		{Pids, "pids", "pids.max", number(l.Pids, "max"), l.Pids == 0},
	}
	return l.only(all, parts)
}

// V2 are the control files of cgroup v2 for some parts, for all where none is named (Mesos: isolators/cgroups2/controllers/memory.cpp
// and cpu.cpp, update).
func (l Limits) V2(parts ...Part) []Setting {
	quota := "max"
	if l.Quota > 0 {
		quota = strconv.FormatUint(l.quota(), 10)
	}
	all := []Setting{
		{MemoryLow, "memory", "memory.low", strconv.FormatUint(l.low(), 10), l.MemoryLow == 0},
		{Memory, "memory", "memory.max", number(l.memory(), "max"), l.Memory == 0},
		{CPUs, "cpu", "cpu.weight", strconv.FormatUint(l.weight(), 10), false},
		{Quota, "cpu", "cpu.max", quota + " " + strconv.Itoa(period), l.Quota == 0},
		{Pids, "pids", "pids.max", number(l.Pids, "max"), l.Pids == 0},
	}
	return l.only(all, parts)
}

// Property is one of a slice's, with the type that systemd wants (systemd.resource-control(5), org.freedesktop.systemd1(5)).
type Property struct {
	Part  Part
	Name  string
	Value uint64 // math.MaxUint64 for no limit
}

// Properties are those of a slice for some parts, for all where none is named. On v1 they have the names that the systemds of its
// time know, and there is none for MemoryLow: V1 has its file, which systemd leaves alone.
func (l Limits) Properties(unified bool, parts ...Part) []Property {
	quota := uint64(math.MaxUint64)
	if l.Quota > 0 {
		quota = l.quota() * (1_000_000 / period)
	}
	all := []Property{
		{MemoryLow, "MemoryLow", l.low()},
		{Memory, "MemoryMax", infinite(l.memory())},
		{CPUs, "CPUWeight", l.weight()},
		{Quota, "CPUQuotaPerSecUSec", quota},
		{Pids, "TasksMax", infinite(l.Pids)},
	}
	if !unified {
		all[1].Name = "MemoryLimit"
		all[2] = Property{CPUs, "CPUShares", l.shares()}
		all = all[1:]
	}
	return slices.DeleteFunc(all, func(p Property) bool { return !l.wanted(p.Part, parts) })
}

func (l Limits) only(all []Setting, parts []Part) []Setting {
	return slices.DeleteFunc(all, func(s Setting) bool { return !l.wanted(s.Part, parts) })
}

// wanted leaves a weight that nobody asked for to the kernel.
func (l Limits) wanted(p Part, parts []Part) bool {
	return (len(parts) == 0 || slices.Contains(parts, p)) && (p != CPUs || l.CPUs > 0)
}

func (l Limits) memory() uint64 { return atLeast(l.Memory, minMemory) }
func (l Limits) low() uint64    { return atLeast(l.MemoryLow, minMemory) }
func (l Limits) shares() uint64 { return bounded(l.CPUs*sharesPerCPU, minShares, maxShares) }
func (l Limits) weight() uint64 { return bounded(l.CPUs*weightPerCPU, minWeight, maxWeight) }
func (l Limits) quota() uint64  { return bounded(l.Quota*period, minQuota, math.MaxInt64/1_000_000) }

// atLeast keeps 0, which is none.
func atLeast(v, least uint64) uint64 {
	if v == 0 {
		return 0
	}
	return max(v, least)
}

func bounded(v float64, least, most uint64) uint64 {
	switch {
	case !(v > float64(least)): // not a number, too
		return least
	case v > float64(most):
		return most
	}
	return uint64(v)
}

func number(v uint64, none string) string {
	if v == 0 {
		return none
	}
	return strconv.FormatUint(v, 10)
}

func infinite(v uint64) uint64 {
	if v == 0 {
		return math.MaxUint64
	}
	return v
}
