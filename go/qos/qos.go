// Package qos derives the quality of service of a pod as Kubernetes does: its class from what its services request and may use at
// most, and from the class what the kernel is told of each container. It is arithmetic only: it reads nothing and writes nothing.
package qos

import "slices"

// Class is Kubernetes' (pkg/apis/core/v1/helper/qos/qos.go), in the spelling of dce.qos.
type Class string

// The classes, the one that the kernel spares longest first.
const (
	Guaranteed Class = "guaranteed"  // gets what it may use at most
	Burstable  Class = "burstable"   // gets less than it may use
	BestEffort Class = "best-effort" // gets what is left
)

// Classes are all of them.
func Classes() []string { return []string{string(Guaranteed), string(Burstable), string(BestEffort)} }

// Resources are an amount of each. 0 is none: as a request nothing, as a limit no limit.
type Resources struct {
	CPUs   float64
	Memory uint64 // bytes
}

// Bounds are what somebody is sure to get and what they may use at most.
type Bounds struct{ Request, Limit Resources }

// Service is one container of a pod.
type Service struct {
	Name   string
	Bounds       // as the file says
	Init   bool  // ends before others begin
	Infra  bool  // holds the namespaces of the pod; it has no bounds
	Score  int   // oom_score_adj of the file, 0 for none
	Shares int64 // cpu_shares of the file, 0 for none
}

// bounds are those of a service as Kubernetes fills them in: who says only how much at most asks for that
// (pkg/apis/core/v1/defaults.go, SetDefaults_Pod), and nobody for more than that.
func (s Service) bounds() Bounds {
	b := s.Bounds
	if l := b.Limit.CPUs; l > 0 && (b.Request.CPUs == 0 || b.Request.CPUs > l) {
		b.Request.CPUs = l
	}
	if l := b.Limit.Memory; l > 0 && (b.Request.Memory == 0 || b.Request.Memory > l) {
		b.Request.Memory = l
	}
	return b
}

// Pod is what a class is derived from.
type Pod struct {
	Task     Bounds // of the pod as a whole: a task's resources, and how far it may go beyond them
	Stated   bool   // the task itself says how far (TaskInfo.limits), it is no habit of the agent
	Services []Service
}

// Class is the pod's where nobody says it: guaranteed where each service is, or the task as a whole says so of itself;
// best-effort where neither the task nor a service is sure of anything; else burstable. Resources that every Mesos task has make
// no pod guaranteed: such a pod would outlive the agent itself, whose score is 0, when the host has no memory left.
func (p Pod) Class() Class {
	switch {
	case p.Stated && p.wholly() == nil || p.each() == nil:
		return Guaranteed
	case p.Task.Request == (Resources{}) && p.some() == "":
		return BestEffort
	}
	return Burstable
}

// wholly says why the pod as a whole is not guaranteed.
func (p Pod) wholly() error {
	switch t := p.Task; {
	case t.Request.Memory == 0:
		return contradiction("the task is not sure of its memory, which is revocable or none")
	case t.Limit.Memory == 0:
		return contradiction("the memory of the task has no limit")
	case t.Limit.Memory != t.Request.Memory:
		return contradiction("the task requests %s of memory and may use %s", Megabytes(t.Request.Memory), Megabytes(t.Limit.Memory))
	case t.Request.CPUs == 0:
		return contradiction("the task is not sure of its CPUs, which are revocable or none")
	case t.Limit.CPUs == 0:
		return contradiction("the CPUs of the task have no limit (cpu.cfs_quota gives them one)")
	case t.Limit.CPUs != t.Request.CPUs:
		return contradiction("the task requests %s CPUs and may use %s", Decimal(t.Request.CPUs), Decimal(t.Limit.CPUs))
	}
	return p.fits()
}

// each says of which service it is that the services are not guaranteed.
func (p Pod) each() error {
	for _, s := range p.Services {
		if s.Infra {
			continue
		}
		b := s.bounds()
		switch {
		case b.Limit.Memory == 0:
			return contradiction("service %s has no memory limit (deploy.resources.limits.memory)", s.Name)
		case b.Limit.CPUs == 0:
			return contradiction("service %s has no CPU limit (deploy.resources.limits.cpus)", s.Name)
		case b.Request.Memory != b.Limit.Memory:
			return contradiction("service %s reserves %s of memory and may use %s", s.Name, Megabytes(b.Request.Memory), Megabytes(b.Limit.Memory))
		case b.Request.CPUs != b.Limit.CPUs:
			return contradiction("service %s reserves %s CPUs and may use %s", s.Name, Decimal(b.Request.CPUs), Decimal(b.Limit.CPUs))
		}
	}
	if len(p.members()) == 0 {
		return contradiction("the pod has no service")
	}
	return p.fits()
}

// slack is what the arithmetic of CPUs may be wrong by.
const slack = 1e-6

// fits says why the task can't give what the services request.
func (p Pod) fits() error {
	switch sum, has := p.requests(), p.Task.Request; {
	case sum.Memory > has.Memory:
		wanted, had := Apart(float64(sum.Memory)/(1<<20), float64(has.Memory)/(1<<20))
		return contradiction("the services request %s MB of memory together and the task has %s MB", wanted, had)
	case sum.CPUs > has.CPUs+slack:
		wanted, had := Apart(sum.CPUs, has.CPUs)
		return contradiction("the services request %s CPUs together and the task has %s", wanted, had)
	}
	return nil
}

// some names a service that requests or limits something, and what that is; "" where none does.
func (p Pod) some() string {
	for _, s := range p.Services {
		switch {
		case s.Request.Memory > 0:
			return "service " + s.Name + " reserves memory"
		case s.Request.CPUs > 0:
			return "service " + s.Name + " reserves CPUs"
		case s.Limit.Memory > 0:
			return "service " + s.Name + " has a memory limit"
		case s.Limit.CPUs > 0:
			return "service " + s.Name + " has a CPU limit"
		}
	}
	return ""
}

// requests are what the services that run together are to be sure of.
func (p Pod) requests() (sum Resources) {
	for _, s := range p.members() {
		b := s.bounds()
		sum.CPUs += b.Request.CPUs
		sum.Memory += b.Request.Memory
	}
	return sum
}

// members are the services that share what the task has: those that run together, or all where every one ends before another.
func (p Pod) members() []Service {
	var all, together []Service
	for _, s := range p.Services {
		if !s.Infra {
			all = append(all, s)
		}
	}
	together = slices.DeleteFunc(slices.Clone(all), func(s Service) bool { return s.Init })
	if len(together) == 0 {
		return all
	}
	return together
}
