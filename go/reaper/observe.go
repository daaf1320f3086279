package reaper

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
)

// Engine is what the reaper asks of an engine; engine.Gateway has it.
type Engine interface {
	List(ctx context.Context, labels ...string) ([]engine.Container, error)
	Objects(ctx context.Context, kind engine.Kind, labels ...string) ([]engine.Object, error)
	Remove(ctx context.Context, kind engine.Kind, id string) error
}

// Observed is what is there, as one look showed it.
type Observed struct {
	Containers []engine.Container
	Networks   []engine.Object
	Volumes    []engine.Object
	Cgroups    []string // paths below the roots, of all hierarchies, sorted; they belong to any run
}

// Observe looks: one list of containers in any state, one of networks, one of volumes, all by label, and the cgroups below
// the roots (only the run's own where the match names one).
func Observe(ctx context.Context, e Engine, host *cgroup.Host, m Match) (seen Observed, err error) {
	filter := m.filter()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		seen.Containers, err = e.List(gctx, filter...)
		return err
	})
	g.Go(func() (err error) {
		seen.Networks, err = e.Objects(gctx, engine.KindNetwork, filter...)
		return err
	})
	g.Go(func() (err error) {
		seen.Volumes, err = e.Objects(gctx, engine.KindVolume, filter...)
		return err
	})
	if err := g.Wait(); err != nil {
		return Observed{}, err
	}
	for _, root := range m.CgroupRoots {
		paths, err := cgroups(host, root, m.Container)
		if err != nil {
			return Observed{}, err
		}
		seen.Cgroups = append(seen.Cgroups, paths...)
	}
	slices.Sort(seen.Cgroups)
	seen.Cgroups = slices.Compact(seen.Cgroups)
	return seen, nil
}

func cgroups(host *cgroup.Host, root, run string) ([]string, error) {
	if run == "" {
		return host.List(root)
	}
	own := group(root, run)
	if own == "" {
		return nil, nil
	}
	there, err := host.Exists(own)
	if err != nil || !there {
		return nil, err
	}
	below, err := host.List(own)
	return append(below, own), err
}
