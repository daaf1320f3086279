package reaper

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// Ownership is proved, not claimed. Something is a pod's when all of this holds:
//   - it bears our labels, whole, with the scope and ids of the match;
//   - its pod label is the pod id that these ids give, and it has exactly the name that pod and service give it. An image
//     committed from a pod's container hands our labels on to everybody's containers, but names are unique on an engine;
//   - where cgroups are used, a container belongs below the cgroup of its run. That is seen without asking: the cgroup of one
//     that runs bears its id; of one without processes nothing is left but what the engine made for its run. Only where
//     neither is there the engine is asked what cgroup parent the container was given.
//
// What fails one of them is reported and left.

// thing is what containers, networks and volumes have in common.
type thing struct {
	kind    engine.Kind
	id      string
	name    string
	status  engine.Status // of containers
	created time.Time
	exact   bool // created is exact, not in whole seconds
	labels  map[string]string
}

func (t thing) String() string {
	s := string(t.kind) + " " + t.name
	if t.status != "" {
		s += " (" + string(t.status) + ")"
	}
	return s
}

// doubt returns why a thing that fits the match is not proved to be the pod's, as a sentence; "" when it is.
func doubt(t thing, m Match, seen *Observed) string {
	id, pod, whole := labels.Parse(t.labels)
	switch {
	case !whole:
		return "its labels are not whole"
	case pod != id.PodID():
		return fmt.Sprintf("its label %s is %s, but its ids give %s", labels.Pod, pod, id.PodID())
	case !named(t, pod):
		return "it is not named after its pod " + pod
	case t.kind != engine.KindContainer || len(m.CgroupRoots) == 0:
		return ""
	}
	own := m.groupsOf(id.Container)
	if settled(t, own, seen.Cgroups) {
		return ""
	}
	details, asked := seen.Details[t.id]
	if asked && below(details.CgroupParent, own) {
		return ""
	}
	switch given := details.CgroupParent; {
	case len(own) == 0:
		return fmt.Sprintf("its label %s is %q, which can't name a cgroup", labels.Container, id.Container)
	case !asked:
		return "its cgroup is not " + strings.Join(own, " or ")
	case given == "":
		return "it was not put below the cgroup " + strings.Join(own, " or ")
	default:
		return fmt.Sprintf("it was put below the cgroup %s and not %s", given, strings.Join(own, " or "))
	}
}

// named says whether a thing has the name that compose gives it: <pod>-<service>-<n>, <pod>-<service> for infra, <pod>_<key>
// for networks and volumes.
func named(t thing, pod string) bool {
	if t.kind != engine.KindContainer {
		return strings.HasPrefix(t.name, pod+"_")
	}
	want := pod + "-" + t.labels[labels.Service]
	if t.labels[labels.Role] != labels.RoleInfra {
		want += "-" + t.labels[labels.ComposeNumber]
	}
	return t.name == want
}

func hasProcesses(s engine.Status) bool { return s == engine.StatusRunning || s == engine.StatusPaused }

// settled says whether the cgroups that are there prove where a container belongs: its own below one of its run
// (<run's>/<id> with Docker's cgroupfs driver, docker-<id>.scope as the last part with the systemd driver), or that of its run
// where it has no processes.
func settled(t thing, own, cgroups []string) bool {
	return slices.ContainsFunc(own, func(own string) bool {
		if !hasProcesses(t.status) {
			return contains(cgroups, own)
		}
		return slices.ContainsFunc(cgroup.ContainerNames(t.id), func(name string) bool { return contains(cgroups, own+"/"+name) })
	})
}

func contains(sorted []string, s string) bool {
	_, found := slices.BinarySearch(sorted, s)
	return found
}

// below says whether a cgroup parent that the engine was given, a path or the name of a slice, is one of the run's.
func below(parent string, own []string) bool {
	return parent != "" && (slices.Contains(own, path.Clean("/"+parent)) || slices.Contains(own, cgroup.ParentPath(cgroup.DriverSystemd, parent)))
}
