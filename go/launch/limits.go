package launch

import (
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/qos"
)

// LimitsError refuses a pod whose services are promised more memory than its task has.
type LimitsError struct{ Sentence string }

func (e *LimitsError) Error() string { return e.Sentence }

// Reason is what Mesos is told.
func (e *LimitsError) Reason() string { return "REASON_TASK_INVALID" }

// UnboundError refuses a pod that its task's limits can't bind, where limits.unbound asks for that.
type UnboundError struct{ Err error }

func (e *UnboundError) Error() string { return e.Err.Error() + ", or set limits.unbound to warn" }
func (e *UnboundError) Unwrap() error { return e.Err }

// Reason is what Mesos is told.
func (e *UnboundError) Reason() string { return "REASON_CONTAINER_LAUNCH_FAILED" }

// checkLimits adds up the limits that the services have themselves. An error says that they promise memory that is not there:
// the kernel would end a service that stays within its own limit. The same goes for what they reserve. Too many CPUs only make
// services wait for each other, so they are a warning. Services without a limit add nothing. Those that end before others begin count
// as Kubernetes counts init containers: only as far as one of them alone has more than all the others together
// (pkg/api/v1/resource/helpers.go).
func checkLimits(spec engine.PodSpec, task grant) (warning string, err error) {
	memory := sum(spec, func(r *container.Resources) float64 { return float64(max(r.Memory, 0)) })
	reserved := sum(spec, func(r *container.Resources) float64 { return float64(max(r.MemoryReservation, 0)) })
	cpus := sum(spec, cpuLimit)
	if total, list := memory.total(); task.Limit.Memory > 0 && total > float64(task.Limit.Memory) {
		err = tooMuch("limits", "mem_limit", total, list(qos.Megabytes[float64]), task.Limit.Memory)
	} else if total, list := reserved.total(); task.Request.Memory > 0 && total > float64(task.Request.Memory) {
		err = tooMuch("reservations", "mem_reservation", total, list(qos.Megabytes[float64]), task.Request.Memory)
	}
	if total, list := cpus.total(); task.mostCPUs() > 0 && total > task.mostCPUs()*1.001 {
		warning = fmt.Sprintf("The CPU limits of the services add up to %s (%s) and the task has %s: they share what it has.",
			qos.Decimal(total), list(qos.Decimal), qos.Decimal(task.mostCPUs()))
	}
	return warning, err
}

func tooMuch(what, key string, total float64, list string, task uint64) error {
	sum, has := qos.Apart(total/(1<<20), float64(task)/(1<<20))
	return &LimitsError{fmt.Sprintf("the memory %s of the services add up to %s MB (%s) and the task has %s MB: give the task more memory, "+
		"lower %s, or set limits.check to warn", what, sum, list, has, key)}
}

// cpuLimit is the most CPUs that a container may use, 0 for no limit.
func cpuLimit(r *container.Resources) float64 {
	if r.CPUQuota > 0 && r.NanoCPUs == 0 {
		period := r.CPUPeriod
		if period == 0 {
			period = 100_000 // the kernel's default, in µs
		}
		return float64(r.CPUQuota) / float64(period)
	}
	return float64(r.NanoCPUs) / 1e9
}

// allow acts on what checkLimits finds, as limits.check says.
func allow(spec engine.PodSpec, task grant, check string, log logrus.FieldLogger) error {
	warning, err := checkLimits(spec, task)
	if warning != "" {
		log.Warn(warning)
	}
	if err != nil && check == "warn" {
		log.WithError(err).Warn("The kernel will end a service once the pod reaches the task's limit.")
		return nil
	}
	return err
}

// pidsPerStart is about what the start of one container takes for a moment: threads of the container runtime.
const pidsPerStart = 8

// checkPids warns of a limit of processes that containers may not even start under: they do so side by side.
func checkPids(spec engine.PodSpec, limit uint64, log logrus.FieldLogger) {
	n := len(spec.Services)
	if spec.Infra != nil {
		n++
	}
	if limit > 0 && limit < uint64(n*pidsPerStart) {
		log.Warnf("pids.limit is %d, and the pod has %d containers, each of which takes some %d processes and threads for a moment when it is started: "+
			"starts may fail; %d would be safe.", limit, n, pidsPerStart, n*pidsPerStart)
	}
}

// sums are the limits of one kind.
type sums struct {
	names    []string
	limits   []float64
	all      float64 // of the services that run together
	most     float64 // of a service that ends before others begin
	mostName string
}

func sum(spec engine.PodSpec, of func(*container.Resources) float64) (s sums) {
	for _, c := range spec.Services {
		if c.Host == nil {
			continue
		}
		limit := of(&c.Host.Resources)
		switch {
		case limit == 0:
		case c.Init:
			if limit > s.most {
				s.most, s.mostName = limit, c.Service
			}
		default:
			s.all += limit
			s.names, s.limits = append(s.names, c.Service), append(s.limits, limit)
		}
	}
	return s
}

func (s sums) total() (float64, func(func(float64) string) string) {
	if s.most > s.all {
		return s.most, func(show func(float64) string) string {
			return s.mostName + " " + show(s.most) + ", which runs before the others"
		}
	}
	return s.all, func(show func(float64) string) string {
		var parts []string
		for i, name := range s.names {
			parts = append(parts, name+" "+show(s.limits[i]))
		}
		return strings.Join(parts, " + ")
	}
}
