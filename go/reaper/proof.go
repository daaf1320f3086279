package reaper

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// Ownership is proved, not claimed. Something is a pod's when all of this holds:
//   - it bears our labels, whole, with the scope and ids of the match;
//   - its pod label is the pod id that these ids give, and it is named after it. An image committed from a pod's container
//     hands our labels on to everybody's containers, but names are unique on an engine;
//   - where cgroups are used, a container that has processes has its cgroup below that of its run. The engine's list does not
//     give a container's cgroup parent, but the cgroup bears the container's id. A container without processes has no
//     cgroup; for those the name has to do, and what a forger would lose is a container of his own that does not run.
//
// What fails one of them is reported and left.

// thing is what containers, networks and volumes have in common.
type thing struct {
	kind    engine.Kind
	id      string
	name    string
	status  engine.Status // of containers
	created time.Time
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
func doubt(t thing, m Match, cgroups []string) string {
	id, pod, whole := labels.Parse(t.labels)
	switch {
	case !whole:
		return "its labels are not whole"
	case pod != id.PodID():
		return fmt.Sprintf("its label %s is %s, but its ids give %s", labels.Pod, pod, id.PodID())
	case !strings.HasPrefix(t.name, pod+"-") && !strings.HasPrefix(t.name, pod+"_"):
		return "it is not named after its pod " + pod
	case len(m.CgroupRoots) > 0 && hasProcesses(t.status) && !confined(t.id, id.Container, m.CgroupRoots, cgroups):
		var own []string
		for _, root := range m.CgroupRoots {
			own = append(own, path.Join(root, id.Container))
		}
		return "it runs outside of the cgroup " + strings.Join(own, " or ")
	}
	return ""
}

func hasProcesses(s engine.Status) bool { return s == engine.StatusRunning || s == engine.StatusPaused }

// confined says whether a container has a cgroup below that of its run: <root>/<run>/<id> with Docker's cgroupfs driver,
// docker-<id>.scope as the last part with the systemd driver.
func confined(id, run string, roots, cgroups []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		own := group(root, run)
		if own == "" {
			return false
		}
		for _, name := range []string{id, "docker-" + id + ".scope"} {
			if _, found := slices.BinarySearch(cgroups, own+"/"+name); found {
				return true
			}
		}
		return false
	})
}
