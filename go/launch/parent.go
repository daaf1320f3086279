package launch

import (
	"path"
	"strings"

	"github.com/dce-go/dce/go/cgroup"
)

// ParentVar is what the agent module sets to the cgroup that a pod's containers belong under.
const ParentVar = "DCE_CGROUP_PARENT"

// ownRoot is our own tree, for hosts where the executor has no cgroup that containers may live in.
const ownRoot = "/dce"

// cgroupParent is the cgroup that a pod's containers are put under: the one that the module names, else the executor's
// own, whose limits are the task's. On v2, where the agent takes every cgroup below its root for one of its own, and where
// the executor has no cgroup of its own, it is a sibling tree: /dce/<container id>.
func cgroupParent(fromModule, own string, version cgroup.Version, container string) string {
	switch {
	case fromModule != "":
		return fromModule
	case own == "/" || own == "" || version == cgroup.V2:
		return path.Join(ownRoot, safeName(container))
	}
	return own
}

// safeName keeps a container id from naming any directory but one: nested ids have dots, never slashes.
func safeName(id string) string {
	id = strings.ReplaceAll(id, "/", "_")
	if id == "" || id == "." || id == ".." {
		return "pod"
	}
	return id
}
