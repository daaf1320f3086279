package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sync/errgroup"
)

// Up brings a pod up: it looks at what is there, plans, and runs the plan, every operation as soon as what it needs is
// done. It returns when every service runs, is healthy where it has a healthcheck, and has ended with 0 where it is an
// init container; or with the first thing that went wrong, an *OpError; or with the error of ctx. Calls that make
// something are let finish for a moment when Up ends early. While the engine is out of reach, calls are made again until
// Patience ends: what an earlier one made is adopted. A service that ends with 0 is no error here, nor is the end of one
// whose restart policy is about it: what they mean is for those to judge who watch the pod, and they bring it back (Restart).
// Nothing is rolled back: that is Stop and Remove.
func (p *Pod) Up(ctx context.Context, spec PodSpec, progress func(Stage)) error {
	sub := p.subscribe(spec.ID) // before the first start, so that no event is missed
	defer sub.close()
	p.begins(spec.ID)
	seen, err := p.observe(ctx, &spec, sub)
	if err != nil {
		return err
	}
	plan, err := NewPlan(spec, seen)
	if err != nil {
		return err
	}
	p.Log.WithField("pod", spec.ID).Debugf("The plan:\n%s", plan)
	return newRun(p, &spec, plan, seen, sub, progress).loop(ctx)
}

// observe asks for all that a plan needs to know, everything at the same time.
func (p *Pod) observe(ctx context.Context, spec *PodSpec, sub *subscription) (Observed, error) {
	seen := Observed{Images: map[string]Image{}, Networks: map[string]bool{}, Volumes: map[string]bool{}}
	gateway := Intercept(p.Gateway, Retry(p.Patience, p.Log))
	var mu sync.Mutex
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	group.Go(func() error {
		full, err := sub.whole(asking, p.Patience)
		seen.Containers = full.Containers
		return err
	})
	for ref := range spec.images() {
		group.Go(func() error {
			image, err := gateway.Image(asking, ref)
			switch {
			case errdefs.IsNotFound(err):
				return nil
			case err != nil:
				return err
			}
			p.keepImage(ref, image)
			mu.Lock()
			defer mu.Unlock()
			seen.Images[ref] = image
			return nil
		})
	}
	objects := func(kind Kind, into map[string]bool) {
		group.Go(func() error {
			all, err := gateway.Objects(asking, kind, podFilter(spec.ID))
			for _, o := range all {
				into[o.Name] = true
			}
			return err
		})
	}
	if len(spec.Networks) > 0 {
		objects(KindNetwork, seen.Networks)
	}
	if len(spec.Volumes) > 0 {
		objects(KindVolume, seen.Volumes)
	}
	foreign := spec.foreignVolumes()
	var volumes []Object
	if len(foreign) > 0 {
		group.Go(func() (err error) {
			volumes, err = gateway.Objects(asking, KindVolume)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			return seen, context.Cause(ctx)
		}
		return seen, lostError(err)
	}
	for _, name := range sorted(foreign) {
		if !slices.ContainsFunc(volumes, func(v Object) bool { return v.Name == name }) {
			return seen, noVolume(name, foreign[name])
		}
	}
	return seen, nil
}

// foreignVolumes are the volumes that the pod uses and does not create, each with a service that mounts it. An engine would
// make an empty one of a name that it does not know, which nobody removes.
func (s *PodSpec) foreignVolumes() map[string]string {
	out := map[string]string{}
	for i := range s.Services {
		for _, name := range s.Services[i].volumeNames() {
			if name != "" && !filepath.IsAbs(name) {
				out[name] = s.Services[i].Service
			}
		}
	}
	for _, v := range s.Volumes {
		delete(out, v.Options.Name)
	}
	return out
}

// whole is first, but waits as long as patience for an engine that is out of reach.
func (s *subscription) whole(ctx context.Context, patience time.Duration) (Observation, error) {
	if patience <= 0 {
		return s.first(ctx)
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	lost := fmt.Errorf("the Docker engine has not answered for %v", patience)
	for {
		o, err := s.first(waiting)
		switch {
		case err == nil:
			return o, nil
		case ctx.Err() != nil:
			return o, context.Cause(ctx)
		case waiting.Err() != nil:
			return o, lost
		}
		lost = err
	}
}

// images is the set of images that the pod's containers are made of.
func (s *PodSpec) images() map[string]struct{} {
	out := map[string]struct{}{}
	for i := range s.Services {
		out[s.Services[i].Image] = struct{}{}
	}
	if s.Infra != nil {
		out[s.Infra.Image] = struct{}{}
	}
	return out
}

// first waits for the first whole picture; an engine that can't be reached is an error.
func (s *subscription) first(ctx context.Context) (Observation, error) {
	for {
		select {
		case <-ctx.Done():
			return Observation{}, context.Cause(ctx)
		case <-s.wake:
		}
		for o, ok := s.take(); ok; o, ok = s.take() {
			if o.Full || o.Lost != nil {
				s.signal() // there may be more
				return o, o.Lost
			}
		}
	}
}
