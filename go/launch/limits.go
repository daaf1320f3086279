package launch

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/engine"
)

// budget is what the agent limits a task to: bytes of memory, 0 for no limit, and CPUs, 0 where none were given.
type budget struct {
	memory uint64
	cpus   float64
}

// taskBudget adds up what the task and its executor are given; TaskInfo.limits (Mesos 1.10) counts more than resources do
// (src/slave/slave.cpp, computeContainerLimits).
func taskBudget(task *mesos.TaskInfo, executor []mesos.Resource) budget {
	var out budget
	mem := 0.0
	for _, r := range slices.Concat(task.Resources, executor) {
		switch r.Name {
		case "mem":
			mem += r.GetScalar().GetValue()
		case "cpus":
			out.cpus += r.GetScalar().GetValue()
		}
	}
	if limit, ok := task.Limits["mem"]; ok {
		mem = limit.GetValue()
	}
	if limit, ok := task.Limits["cpus"]; ok {
		out.cpus = limit.GetValue()
	}
	if math.IsInf(out.cpus, 0) {
		out.cpus = 0
	}
	if mem > 0 && mem < math.MaxUint64>>20 { // infinity is no limit
		out.memory = uint64(mem * (1 << 20))
	}
	return out
}

// LimitsError refuses a pod whose services may use more memory than its task has.
type LimitsError struct{ Sentence string }

func (e *LimitsError) Error() string { return e.Sentence }

// Reason is what Mesos is told.
func (e *LimitsError) Reason() string { return "REASON_TASK_INVALID" }

// checkLimits adds up the limits that the services have themselves. An error says that they promise memory that is not there:
// the kernel would end a service that stays within its own limit. Too many CPUs only make services wait for each other, so
// they are a warning. Services without a limit add nothing. Those that end before others begin count as Kubernetes counts
// init containers: only as far as one of them alone has more than all the others together (pkg/api/v1/resource/helpers.go).
func checkLimits(spec engine.PodSpec, task budget) (warning string, err error) {
	memory := sum(spec, func(r *container.Resources) float64 { return float64(max(r.Memory, 0)) })
	cpus := sum(spec, func(r *container.Resources) float64 {
		if r.CPUQuota > 0 && r.NanoCPUs == 0 {
			period := r.CPUPeriod
			if period == 0 {
				period = 100_000 // the kernel's default, in µs
			}
			return float64(r.CPUQuota) / float64(period)
		}
		return float64(r.NanoCPUs) / 1e9
	})
	if total, list := memory.total(); task.memory > 0 && total > float64(task.memory) {
		err = &LimitsError{fmt.Sprintf("the memory limits of the services add up to %s (%s) and the task has %s: give the task more memory, "+
			"lower mem_limit, or set limits.check to warn", megabytes(total), list(megabytes), megabytes(float64(task.memory)))}
	}
	if total, list := cpus.total(); task.cpus > 0 && total > task.cpus*1.001 {
		warning = fmt.Sprintf("The CPU limits of the services add up to %s (%s) and the task has %s: they share what it has.",
			decimal(total), list(decimal), decimal(task.cpus))
	}
	return warning, err
}

// allow acts on what checkLimits finds, as limits.check says.
func allow(spec engine.PodSpec, task budget, check string, log logrus.FieldLogger) error {
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

func megabytes(bytes float64) string { return decimal(bytes/(1<<20)) + " MB" }

// decimal rounds to what people read.
func decimal(v float64) string {
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", v), "0"), ".")
}
