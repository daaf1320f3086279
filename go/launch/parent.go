package launch

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/tree"
)

// ParentVar is what the agent module sets to the cgroup that a pod's containers belong under.
const ParentVar = "DCE_CGROUP_PARENT"

// parent is the cgroup that a pod's containers are put under.
type parent struct {
	Parent  string  // what the engine is given: a path, or the name of a slice
	Path    string  // where it is, as in /proc/<pid>/cgroup
	ours    bool    // a tree of ours, beside the agent's
	limited bool    // somebody else sees to its limits: the agent's isolators, or the module
	absent  bool    // it is left to the engine to make, without limits
	quota   float64 // CPUs that somebody else binds it to, 0 for none
}

// findParent decides: the cgroup that the module names, where an engine with that driver takes it; else the executor's own, whose
// limits are the task's; else a tree of our own. That is for v2, where the agent takes every cgroup below its root for one of its
// own; for Docker's systemd driver, which takes slices alone; and where the executor's cgroup is not that of its Mesos container,
// which names it (Mesos: src/slave/containerizer/mesos/isolators/cgroups/cgroups.cpp, prepare): that of the agent's service, or the
// executor's own Docker container. There the pod would share it with others, and nobody could prove whose it is.
func findParent(fromModule, own string, version cgroup.Version, driver, container string) (parent, error) {
	systemd := driver == cgroup.DriverSystemd
	switch {
	case fromModule != "" && systemd == (strings.HasSuffix(fromModule, ".slice") && !strings.Contains(fromModule, "/")):
		p := cgroup.ParentPath(driver, fromModule)
		return parent{Parent: fromModule, Path: p, ours: tree.Ours(p), limited: true}, nil
	case version != cgroup.V2 && !systemd && path.Base(own) == container:
		return parent{Parent: own, Path: own, limited: true}, nil
	}
	name, err := tree.Parent(driver, container)
	return parent{Parent: name, Path: cgroup.ParentPath(driver, name), ours: true}, err
}

// parents are the cgroups that the pods of one executor live under.
type parents struct {
	mu   sync.Mutex
	host *cgroup.Host
	used map[string]parent      // by path
	has  map[string]tree.Limits // of all pods below a path
}

// take finds the parent for a pod's containers, makes it where it is a tree of ours, and checks that an engine with that driver
// can put containers there. Where nobody else sees to the limits they are written here; of those that somebody else writes only
// beyond: what he can't know. unbound says what this process may not write; the pod can run all the same.
func (p *parents) take(ctx context.Context, fromModule, driver string, id labels.Identity, limits tree.Limits, beyond ...tree.Part) (at parent, unbound, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.host == nil {
		host, err := cgroup.Open(cgroup.Options{})
		if err != nil {
			return parent{}, nil, err
		}
		p.host, p.used, p.has = host, map[string]parent{}, map[string]tree.Limits{}
	}
	own, err := p.host.TaskPath()
	if err != nil {
		return parent{}, nil, err
	}
	if at, err = findParent(fromModule, own, p.host.Version(), driver, id.Container); err != nil {
		return parent{}, nil, err
	}
	if at.ours && at.limited {
		if at.limited, err = p.host.Exists(at.Path); err != nil { // whoever made it may have died, and it was cleared away
			return parent{}, nil, err
		}
	}
	others, again := p.has[at.Path]
	if again {
		limits, at.quota = others.Plus(limits), p.used[at.Path].quota
	} else if at.limited {
		at.quota, _ = p.host.CPULimit(at.Path) // one that can't be read is taken for none
	}
	if !again {
		p.used[at.Path] = at // what is made is removed also where its limits can't be written
	}
	unbound, err = asUnbound(p.limit(ctx, at, limits, again, beyond))
	if err != nil {
		return parent{}, nil, err
	}
	p.used[at.Path], p.has[at.Path] = at, limits
	if at.ours && !at.limited {
		if err := tree.At(p.host, at.Path).Claim(tree.Owner{Scope: id.Scope, Framework: id.Framework, Executor: id.Executor, Container: id.Container}); err != nil {
			return parent{}, nil, err
		}
	}
	if unbound != nil {
		there, err := p.host.Exists(at.Path)
		if err != nil && !tree.Hidden(err) {
			return parent{}, nil, err
		}
		at.absent = !there
	}
	if !at.absent {
		err = p.host.CheckParent(driver, at.Parent)
	}
	return at, unbound, err
}

// limit makes what is to be made and writes the limits that nobody else writes. What an earlier pod set and not every pod has is
// lifted again.
func (p *parents) limit(ctx context.Context, at parent, limits tree.Limits, again bool, beyond []tree.Part) error {
	t := tree.At(p.host, at.Path)
	if !at.limited {
		return t.Make(ctx, limits)
	}
	if at.quota > 0 {
		beyond = slices.DeleteFunc(slices.Clone(beyond), func(part tree.Part) bool { return part == tree.Quota })
	}
	if err := t.Add(ctx, limits, beyond...); err != nil || !again || len(beyond) == 0 {
		return err
	}
	return t.Set(ctx, limits, beyond...)
}

// asUnbound takes apart what this process may not do and what is an error.
func asUnbound(err error) (unbound, other error) {
	var u *tree.UnboundError
	if errors.As(err, &u) {
		return u, nil
	}
	return nil, err
}

// remove removes the cgroups that nobody lives in once the pods are gone: ours whole, and of the task's own those that the
// engine made in the hierarchies that the agent does not know.
func (p *parents) remove(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for at, parent := range p.used {
		if parent.ours {
			errs = append(errs, tree.At(p.host, at).Remove(ctx))
		} else {
			errs = append(errs, p.host.RemoveAround(ctx, at))
		}
	}
	return errors.Join(errs...)
}
