// Package oom puts what the kernel killed for want of memory into the words of a pod: which service, whose limit, how much. The
// executor writes it into the sandbox, and whoever runs the executor reads it there. It watches nothing itself.
package oom

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/labels"
)

// Labels of a task's status that is about a kill; io.dce.oom.message is a sentence.
const (
	LabelService = "io.dce.oom.service"
	LabelLimit   = "io.dce.oom.limit" // whose: "container", "pod" or "above"
	LabelBytes   = "io.dce.oom.limit_bytes"
	LabelUsage   = "io.dce.oom.usage_bytes"
	LabelMessage = "io.dce.oom.message"
)

// Kill is one kill in a container of the pod.
type Kill struct {
	Service   string            `json:"service"`
	Container string            `json:"container"` // Docker's id
	Limit     string            `json:"limit"`     // whose was hit: "container", "pod" (the task's), "above" that
	Cgroup    string            `json:"cgroup,omitempty"`
	Bytes     uint64            `json:"limit_bytes,omitempty"`
	Usage     uint64            `json:"usage_bytes,omitempty"` // of that cgroup, at most
	Peak      uint64            `json:"service_bytes"`         // of the service, at most
	Used      map[string]uint64 `json:"used_bytes"`            // by service, when the limit was hit
	Processes uint64            `json:"processes_killed"`      // since the container started
	Message   string            `json:"message"`               // a clause
	At        time.Time         `json:"at"`
}

var levels = map[cgroup.Level]string{cgroup.LevelOwn: "container", cgroup.LevelParent: "pod", cgroup.LevelAbove: "above"}

// NewKill names a kill after the services of containers (by Docker's id). ok is false where the container is none of them.
func NewKill(k cgroup.OOM, services map[string]string) (out Kill, ok bool) {
	out = Kill{
		Container: cgroup.ContainerID(k.Name), Cgroup: k.Cgroup, Usage: k.Usage, Peak: k.Peak, Processes: k.Kills,
		Limit: levels[k.Level],
		Used:  map[string]uint64{}, At: k.At,
	}
	if k.Limit != cgroup.NoLimit {
		out.Bytes = k.Limit
	}
	for name, bytes := range k.Used {
		if other, known := services[cgroup.ContainerID(name)]; known {
			out.Used[other] += bytes
		}
	}
	out.Service, ok = services[out.Container]
	out.Message = out.clause()
	return out, ok
}

// Outweighs says which of two kills rather ended the pod: one at a limit that all its services share, then the later.
func (k Kill) Outweighs(other Kill) bool {
	if own := k.Limit == levels[cgroup.LevelOwn]; own != (other.Limit == levels[cgroup.LevelOwn]) {
		return !own
	}
	return k.At.After(other.At)
}

// Cause is the kill since a time that outweighs the others, of those in containers that services (by Docker's id) names. ok is false
// where there is none.
func Cause(kills []cgroup.OOM, services map[string]string, since time.Time) (cause Kill, ok bool) {
	for _, one := range kills {
		if kill, known := NewKill(one, services); known && !kill.At.Before(since) && (!ok || kill.Outweighs(cause)) {
			cause, ok = kill, true
		}
	}
	return cause, ok
}

// Labels are those for the status of the task.
func (k Kill) Labels() map[string]string {
	return map[string]string{
		LabelService: k.Service, LabelLimit: k.Limit, LabelBytes: strconv.FormatUint(k.Bytes, 10), LabelUsage: strconv.FormatUint(k.Usage, 10),
		LabelMessage: fmt.Sprintf("Service %s ran out of memory: %s.", k.Service, k.Message),
	}
}

// clause says whose limit was hit, with the numbers.
func (k Kill) clause() string {
	switch {
	case k.Processes == 0: // seen too late for more
		return fmt.Sprintf("it ended when the whole pod was at its limit, which is the task's, of %s, and %s of it were used", megabytes(k.Bytes), megabytes(k.Usage))
	case k.Limit == "container" && k.Bytes == 0:
		return "the kernel killed a process of it at its own limit, or at that of a cgroup that it made itself"
	case k.Limit == "container":
		return fmt.Sprintf("the kernel killed it at its own limit of %s, of which it used %s", megabytes(k.Bytes), megabytes(k.Usage))
	case k.Limit == "pod":
		return fmt.Sprintf("the kernel killed it at the limit of the whole pod, which is the task's, of %s: the pod used %s%s",
			megabytes(k.Bytes), megabytes(k.Usage), k.shares())
	case k.Cgroup != "":
		return fmt.Sprintf("the kernel killed it at the limit of %s of the cgroup %s, which is above the task's", megabytes(k.Bytes), k.Cgroup)
	}
	return fmt.Sprintf("the kernel killed it because the host had no memory left; it used %s", megabytes(k.Peak))
}

// shares are the services that used most of the pod's memory.
func (k Kill) shares() string {
	const most = 4
	if len(k.Used) == 0 {
		return ""
	}
	names := slices.SortedFunc(maps.Keys(k.Used), func(a, b string) int {
		if k.Used[a] != k.Used[b] {
			return int(min(max(int64(k.Used[b])-int64(k.Used[a]), -1), 1))
		}
		return strings.Compare(a, b)
	})
	names = slices.DeleteFunc(names, func(n string) bool { return n == labels.RoleInfra })
	var parts []string
	for _, n := range names[:min(most, len(names))] {
		parts = append(parts, n+" "+megabytes(k.Used[n]))
	}
	return ", of these " + strings.Join(parts, ", ")
}

func megabytes(n uint64) string {
	return strconv.FormatFloat(float64(n*10>>20)/10, 'f', -1, 64) + " MB"
}
