package qos

import "fmt"

// Values of oom_score_adj, Kubernetes' own (pkg/kubelet/qos/policy.go; pkg/kubelet/cm for sandboxes).
const (
	ExecutorScore   = -999 // the kubelet's: who reports what was killed goes last
	infraScore      = -998 // a pod sandbox's: without it no other has a network
	guaranteedScore = -997
	leastBurstable  = 1000 + guaranteedScore
	mostBurstable   = bestEffortScore - 1
	bestEffortScore = 1000
)

// Of cpu.shares (pkg/kubelet/cm/helpers_linux.go, MilliCPUToShares). The engine makes a weight of them on cgroup v2.
const (
	sharesPerCPU = 1024
	minShares    = 2
	maxShares    = 1 << 18
)

// Setting is what the kernel is told of one container.
type Setting struct {
	Score       int    // oom_score_adj
	Shares      int64  // cpu.shares, or the weight of v2; 0 leaves it to the engine
	Reservation uint64 // bytes: memory.soft_limit_in_bytes, or memory.low of v2; 0 for none
	Warning     string // a sentence, where the file gets less than it asks for
}

// Host is where a pod is to run.
type Host struct {
	Memory   uint64 // bytes that it has
	Executor int    // oom_score_adj of the executor, which may be higher than ExecutorScore where it is not root
}

// Settings are those of the services, in their order, in a pod of that class.
//
// Scores are above the executor's, which has to outlive its containers to report their end. What a file says itself wins otherwise.
// Where it gives cpu_shares to one service it speaks in shares, and those of the others are left as they are.
func (p Pod) Settings(class Class, on Host) []Setting {
	shares := true
	for _, s := range p.Services {
		shares = shares && s.Shares == 0
	}
	out := make([]Setting, len(p.Services))
	for i, s := range p.Services {
		set := &out[i]
		wanted := s.Score
		if wanted == 0 {
			wanted = p.score(s, class, on.Memory)
		}
		set.Score = min(max(wanted, on.Executor+1), bestEffortScore)
		if s.Score != 0 && set.Score > wanted {
			set.Warning = fmt.Sprintf("Service %s asks for oom_score_adj %d and gets %d: the executor, with %d, has to outlive it to report its end.",
				s.Name, s.Score, set.Score, on.Executor)
		}
		set.Shares = s.Shares
		if shares {
			set.Shares = p.shares(s, class)
		}
		set.Reservation = s.Request.Memory
		if class == Guaranteed {
			set.Reservation = s.bounds().Request.Memory
		}
	}
	return out
}

// score follows GetContainerOOMScoreAdjust of Kubernetes' pkg/kubelet/qos/policy.go, with pod-level requests: what the task has and no
// service requests is shared out equally. A service that uses what it requests then has the score 1000, and one that uses more is
// killed first.
//
// Kubernetes takes the memory of the host for the capacity. Here it is the task's limit where there is one: that is what runs out,
// because Mesos promises no memory twice, and the kernel weighs oom_score_adj with the limit that was reached (mm/oom_kill.c,
// oom_badness). Measured against a host, the scores of all services of a small pod would be the same.
func (p Pod) score(s Service, class Class, host uint64) int {
	switch {
	case s.Infra:
		return infraScore
	case class == Guaranteed:
		return guaranteedScore
	case class == BestEffort:
		return bestEffortScore
	}
	capacity := p.Task.Limit.Memory
	if capacity == 0 {
		capacity = host
	}
	request := float64(s.bounds().Request.Memory)
	if sum, has := p.requests().Memory, p.Task.Request.Memory; has > sum {
		request += float64(has-sum) / float64(len(p.members()))
	}
	if capacity == 0 || request >= float64(capacity) {
		return leastBurstable
	}
	return min(max(1000-int(1000*request/float64(capacity)), leastBurstable), mostBurstable)
}

// shares are those of what a service requests. One that requests nothing counts as if it requested an equal part of what the task
// has: Kubernetes would give it next to nothing beside a sibling with a limit, which a compose file does not mean.
func (p Pod) shares(s Service, class Class) int64 {
	if s.Infra || class == BestEffort {
		return minShares
	}
	cpus := s.bounds().Request.CPUs
	if n := len(p.members()); cpus == 0 && n > 0 {
		cpus = p.Task.Request.CPUs / float64(n)
	}
	return int64(min(max(cpus*sharesPerCPU, minShares), maxShares))
}
