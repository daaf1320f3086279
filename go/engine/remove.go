package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sync/errgroup"

	"github.com/dce-go/dce/go/labels"
)

const (
	removeRounds = 5
	removePause  = 100 * time.Millisecond // after a round that left something; doubles
)

// leftover is one object of a pod that is to be removed.
type leftover struct {
	Kind Kind
	ID   string
	Name string
	last bool // after the other containers
}

// Remove removes everything that was created for a pod and looks that nothing is left: containers with their anonymous
// volumes, infra last; then networks; then the volumes that the spec creates, but for those with Keep. It goes by what the
// engine lists under the pod's label, so that it needs to know nothing of how far the pod came. While the engine is out of
// reach it is tried until ctx ends. The error names every object that is left, with the reason.
func (p *Pod) Remove(ctx context.Context, spec PodSpec) error {
	pause := removePause
	for round := 1; ; round++ {
		left, err := p.leftovers(ctx, &spec)
		if err == nil && len(left) == 0 {
			return nil
		}
		switch {
		case err != nil:
			err = fmt.Errorf("what is left of pod %s can't be listed: %w", spec.ID, err)
		case round > removeRounds:
			return stillThere(left)
		default:
			err = p.removeAll(ctx, left)
		}
		if err == nil && round == 1 {
			continue // look at once whether it is all gone
		}
		if errdefs.IsUnavailable(err) {
			round = min(round, removeRounds-1)
		}
		if err != nil && round >= removeRounds {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(pause):
			pause = min(2*pause, lastBackoff)
		}
	}
}

func stillThere(left []leftover) error {
	var errs []error
	for _, l := range left {
		errs = append(errs, fmt.Errorf("%s %s was removed and is still there", l.Kind, l.Name))
	}
	return errors.Join(errs...)
}

func (p *Pod) leftovers(ctx context.Context, spec *PodSpec) ([]leftover, error) {
	filter := podFilter(spec.ID)
	var containers, networks, volumes []leftover
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		all, err := p.Gateway.List(ctx, filter)
		for _, c := range all {
			containers = append(containers, leftover{KindContainer, c.ID, c.Name, c.Labels[labels.Role] == labels.RoleInfra})
		}
		return err
	})
	group.Go(func() error {
		all, err := p.Gateway.Objects(ctx, KindNetwork, filter)
		for _, n := range all {
			networks = append(networks, leftover{KindNetwork, n.ID, n.Name, false})
		}
		return err
	})
	group.Go(func() error {
		all, err := p.Gateway.Objects(ctx, KindVolume, filter)
		for _, v := range all {
			ours := func(s VolumeSpec) bool { return s.Options.Name == v.Name && !s.Keep }
			if slices.ContainsFunc(spec.Volumes, ours) {
				volumes = append(volumes, leftover{KindVolume, v.ID, v.Name, false})
			}
		}
		return err
	})
	err := group.Wait()
	all := slices.Concat(containers, networks, volumes)
	slices.SortFunc(all, func(a, b leftover) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return all, err
}

// removeAll removes in the order in which the engine allows it, each part in parallel.
func (p *Pod) removeAll(ctx context.Context, all []leftover) error {
	parts := []func(leftover) bool{
		func(l leftover) bool { return l.Kind == KindContainer && !l.last },
		func(l leftover) bool { return l.Kind == KindContainer && l.last },
		func(l leftover) bool { return l.Kind != KindContainer },
	}
	var errs []error
	for _, of := range parts {
		var group errgroup.Group
		group.SetLimit(parallel)
		failed := make([]error, len(all))
		for i, l := range all {
			if !of(l) {
				continue
			}
			group.Go(func() error {
				if err := p.Gateway.Remove(ctx, l.Kind, l.ID); err != nil {
					failed[i] = fmt.Errorf("%s %s can't be removed: %w", l.Kind, l.Name, err)
				}
				return nil
			})
		}
		_ = group.Wait() // the errors are in failed
		errs = append(errs, failed...)
	}
	return errors.Join(errs...)
}
