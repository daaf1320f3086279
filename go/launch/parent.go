package launch

import (
	"context"
	"errors"
	"path"
	"strings"
	"sync"

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

// parents are the cgroups that the pods of one executor live under.
type parents struct {
	mu   sync.Mutex
	host *cgroup.Host
	used map[string]bool // whether we made it
	has  map[string]budget
}

// take finds the parent for a pod's containers, makes it where it is in our own tree, with the limits of the task where no
// module sees to that, and checks that an engine with that driver can put containers there.
func (p *parents) take(fromModule, driver, container string, task budget) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.host == nil {
		host, err := cgroup.Open(cgroup.Options{})
		if err != nil {
			return "", err
		}
		p.host, p.used, p.has = host, map[string]bool{}, map[string]budget{}
	}
	own, err := p.host.TaskPath()
	if err != nil {
		return "", err
	}
	parent := cgroupParent(fromModule, own, p.host.Version(), container)
	ours := path.Dir(parent) == ownRoot
	if ours && !p.used[parent] {
		if err := p.host.Create(parent, treeControllers(p.host)...); err != nil {
			return "", err
		}
	}
	if ours && fromModule == "" {
		if has, other := p.has[parent]; other {
			task = has.plus(task)
		}
		p.has[parent] = task
		if err := limitTree(p.host, parent, task); err != nil {
			return "", err
		}
	}
	p.used[parent] = ours
	return parent, p.host.CheckParent(driver, parent)
}

// remove removes the cgroups that nobody lives in once the pods are gone: ours whole, and of the task's own those that the
// engine made in the hierarchies that the agent does not know.
func (p *parents) remove(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for parent, ours := range p.used {
		if ours {
			errs = append(errs, p.host.Remove(ctx, parent))
		} else {
			errs = append(errs, p.host.RemoveAround(ctx, parent))
		}
	}
	return errors.Join(errs...)
}
