package reaper

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sync/semaphore"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/core/guard"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/tree"
)

// Engine is what the reaper asks of an engine; engine.Gateway has it.
type Engine interface {
	List(ctx context.Context, labels ...string) ([]engine.Container, error)
	Objects(ctx context.Context, kind engine.Kind, labels ...string) ([]engine.Object, error)
	Inspect(ctx context.Context, id string) (engine.Details, error)
	DisableRestart(ctx context.Context, id string) error
	Stop(ctx context.Context, id string, grace time.Duration) error
	Remove(ctx context.Context, kind engine.Kind, id string) error
}

// Observed is what is there, as one look showed it.
type Observed struct {
	Containers []engine.Container
	Networks   []engine.Object
	Volumes    []engine.Object
	Cgroups    []string                  // paths below the roots, of all hierarchies, sorted; they belong to any run
	Trees      []tree.Claimed            // those of our own that say whose they are, where no run is named
	Details    map[string]engine.Details // of the few containers that had to be asked about, by id
	Unanswered map[string]error          // of those about which the engine did not answer
}

// Observe looks: one list of containers in any state, one of networks, one of volumes, all by label, and the cgroups below
// the roots (only the run's own where the match names one).
func Observe(ctx context.Context, e Engine, host *cgroup.Host, m Match) (seen Observed, err error) {
	filter := m.filter()
	var g guard.Group
	g.Go(func() (err error) {
		seen.Containers, err = e.List(ctx, filter...)
		return err
	})
	g.Go(func() (err error) {
		seen.Networks, err = e.Objects(ctx, engine.KindNetwork, filter...)
		return err
	})
	g.Go(func() (err error) {
		seen.Volumes, err = e.Objects(ctx, engine.KindVolume, filter...)
		return err
	})
	if err = g.Wait(); err != nil {
		return Observed{}, err
	}
	if len(m.CgroupRoots) == 0 {
		return seen, nil
	}
	if err := files.Acquire(ctx, 1); err != nil {
		return Observed{}, err
	}
	defer files.Release(1)
	for _, root := range m.CgroupRoots {
		paths, err := cgroups(host, root, m.Container)
		if err != nil {
			return Observed{}, err
		}
		seen.Cgroups = append(seen.Cgroups, paths...)
	}
	slices.Sort(seen.Cgroups)
	seen.Cgroups = slices.Compact(seen.Cgroups)
	if m.Container == "" && slices.Contains(m.CgroupRoots, OwnRoot) {
		seen.Trees, err = tree.Owned(host)
	}
	return seen, err
}

func cgroups(host *cgroup.Host, root, run string) ([]string, error) {
	if run == "" {
		below, err := host.List(root)
		if err != nil || root != OwnRoot {
			return below, err
		}
		ofSlices, err := host.List(tree.SliceRoot)
		return append(below, ofSlices...), err
	}
	var out []string
	for _, own := range groupsOf(root, run) {
		there, err := host.Exists(own)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		below, err := host.List(own)
		if err != nil {
			return nil, err
		}
		out = append(append(out, own), below...)
	}
	return out, nil
}

// askAtOnce bounds how many containers are inspected side by side, and askPatience each: one that hangs holds up nobody.
const (
	askAtOnce   = 8
	askPatience = 2 * time.Second
)

// Ask inspects the few containers about which a look leaves something open, and returns what was seen with their details. That
// the engine does not answer about one is no error.
func Ask(ctx context.Context, e Engine, m Match, seen Observed, live Live) (Observed, error) {
	open := unclear(m, &seen, live)
	if len(open) == 0 {
		return seen, nil
	}
	seen.Details, seen.Unanswered = map[string]engine.Details{}, map[string]error{} // others may share what was there
	var mu sync.Mutex
	slots := semaphore.NewWeighted(askAtOnce)
	var g guard.Group
	for _, id := range open {
		g.Go(func() error {
			if err := slots.Acquire(ctx, 1); err != nil {
				return err
			}
			defer slots.Release(1)
			bounded, cancel := context.WithTimeout(ctx, askPatience)
			defer cancel()
			details, err := e.Inspect(bounded, id)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				seen.Details[id] = details
			case !errdefs.IsNotFound(err): // else it went meanwhile
				seen.Unanswered[id] = err
			}
			return ctx.Err()
		})
	}
	return seen, g.Wait()
}

// unclear names the containers that only an inspection can tell about: whose cgroup proves nothing, and whose whole second
// of creation is that of Match.Before.
func unclear(m Match, seen *Observed, live Live) []string {
	var out []string
	roots := m
	for _, t := range seen.things() {
		if t.kind != engine.KindContainer || !m.fits(t.labels) || live[t.run()] {
			continue
		}
		roots.CgroupRoots = nil // all proofs but that of the cgroup
		if doubt(t, roots, seen) != "" {
			continue
		}
		sameSecond := !m.Before.IsZero() && !t.created.After(m.Before) && t.created.Add(time.Second).After(m.Before)
		if sameSecond || doubt(t, m, seen) != "" {
			out = append(out, t.id)
		}
	}
	return out
}

// ByExecutor splits what was seen by framework and executor. The cgroups, which belong to any run, are in all parts.
func (seen Observed) ByExecutor() map[[2]string]Observed {
	out := map[[2]string]Observed{}
	of := func(l map[string]string) ([2]string, Observed) {
		key := [2]string{l[labels.Framework], l[labels.Executor]}
		part := out[key]
		part.Cgroups, part.Details = seen.Cgroups, seen.Details
		return key, part
	}
	for _, c := range seen.Containers {
		key, part := of(c.Labels)
		part.Containers = append(part.Containers, c)
		out[key] = part
	}
	for _, n := range seen.Networks {
		key, part := of(n.Labels)
		part.Networks = append(part.Networks, n)
		out[key] = part
	}
	for _, v := range seen.Volumes {
		key, part := of(v.Labels)
		part.Volumes = append(part.Volumes, v)
		out[key] = part
	}
	for _, t := range seen.Trees {
		key, part := of(owned(t))
		part.Trees = append(part.Trees, t)
		out[key] = part
	}
	return out
}
