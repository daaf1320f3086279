package launch

import (
	"github.com/docker/docker/api/types/container"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/qos"
)

// applyQoS decides the class of a pod (asked is the value of dce.qos) and writes what follows from it into its containers, which
// are Docker's words for it: CpuShares are a weight on cgroup v2 and MemoryReservation is memory.low there. score is the executor's
// oom_score_adj.
func applyQoS(spec engine.PodSpec, has grant, asked string, score int, log logrus.FieldLogger) (qos.Class, error) {
	pod := qos.Pod{Task: has.Bounds, Stated: has.stated}
	var containers []*container.HostConfig
	add := func(c *engine.ContainerSpec, infra bool) {
		if c == nil || c.Host == nil {
			return
		}
		containers = append(containers, c.Host)
		service := qos.Service{Name: c.Service, Infra: infra, Init: c.Init, Score: c.Host.OomScoreAdj, Shares: c.Host.CPUShares}
		if !infra {
			service.Bounds = bounds(c)
		}
		pod.Services = append(pod.Services, service)
	}
	add(spec.Infra, true)
	for i := range spec.Services {
		add(&spec.Services[i], false)
	}
	class := qos.Class(asked)
	if asked == config.QoSAuto {
		class = ""
	}
	class, err := pod.Decide(class)
	if err != nil {
		return "", err
	}
	for i, set := range pod.Settings(class, qos.Host{Memory: hostMemory(), Executor: score}) {
		host := containers[i]
		host.OomScoreAdj, host.CPUShares, host.MemoryReservation = set.Score, set.Shares, int64(set.Reservation)
		if set.Warning != "" {
			log.Warn(set.Warning)
		}
	}
	if class == qos.Guaranteed && score > qos.ExecutorScore {
		log.WithField("oom_score_adj", score).Warn("The executor may not lower its own oom_score_adj, so that its containers, which it has to outlive, " +
			"are less safe than a guaranteed pod's should be: run it as root.")
	}
	return class, nil
}

// bounds are what a service is sure of and what it may use at most.
func bounds(c *engine.ContainerSpec) qos.Bounds {
	r := &c.Host.Resources
	return qos.Bounds{
		Request: qos.Resources{CPUs: c.Reserved, Memory: uint64(max(r.MemoryReservation, 0))},
		Limit:   qos.Resources{CPUs: cpuLimit(r), Memory: uint64(max(r.Memory, 0))},
	}
}

// hostMemory is what the host has, in bytes.
func hostMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return info.Totalram * uint64(info.Unit)
}
