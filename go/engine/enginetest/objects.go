package enginetest

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

func (s *state) Info(context.Context) (engine.Info, error) {
	return engine.Info{
		Version: "28.5.2", APIVersion: "1.51", CgroupDriver: "cgroupfs", CgroupVersion: "1", RootDir: "/var/lib/docker",
		Storage: "overlay2", StorageStatus: map[string]string{"Supports d_type": "true"}, SwapLimit: true, Kernel: "6.1.0", Time: time.Now(),
	}, nil
}

func (s *state) Image(_ context.Context, ref string) (engine.Image, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	image, ok := s.images[ref]
	if !ok {
		return engine.Image{}, noSuch("image", ref)
	}
	return image, nil
}

func (s *state) Pull(_ context.Context, ref, _ string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	image, ok := s.registry[ref]
	if !ok {
		return noSuch("image", ref)
	}
	s.images[ref] = image
	return nil
}

func (s *state) Load(_ context.Context, ref string, rootfs io.Reader, config container.Config) error {
	for files := tar.NewReader(rootfs); ; {
		if _, err := files.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("image %s: %w: %w", ref, err, errdefs.ErrInternal)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.images[ref] = engine.Image{
		ID: "sha256:" + s.newID(), Health: checked(config.Healthcheck, engine.Image{}),
		Volumes: slices.Sorted(maps.Keys(config.Volumes)), Stop: config.StopSignal,
	}
	return nil
}

func (s *state) CreateNetwork(_ context.Context, spec engine.NetworkSpec) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pod := spec.Options.Labels[labels.Pod]
	if pod == "" {
		return "", fmt.Errorf("network %s has no label %s: %w", spec.Name, labels.Pod, errdefs.ErrInvalidArgument)
	}
	for id, n := range s.networks {
		if n.Name == spec.Name {
			if n.Labels[labels.Pod] == pod {
				return id, nil
			}
			return "", fmt.Errorf("network %s is there already: %w", spec.Name, errdefs.ErrConflict)
		}
	}
	id := s.newID()
	s.networks[id] = engine.Object{
		Kind: engine.KindNetwork, ID: id, Name: spec.Name, Created: time.Now(), Labels: maps.Clone(spec.Options.Labels),
	}
	return id, nil
}

func (s *state) CreateVolume(_ context.Context, spec engine.VolumeSpec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, pod := spec.Options.Name, spec.Options.Labels[labels.Pod]
	if pod == "" && !spec.Keep {
		return fmt.Errorf("volume %s has no label %s: %w", name, labels.Pod, errdefs.ErrInvalidArgument)
	}
	if v, ok := s.volumes[name]; ok {
		if !spec.Keep && v.Labels[labels.Pod] != pod {
			return fmt.Errorf("volume %s is another pod's: %w", name, errdefs.ErrConflict)
		}
		return nil
	}
	s.volumes[name] = engine.Object{
		Kind: engine.KindVolume, ID: name, Name: name, Created: time.Now(), Labels: maps.Clone(spec.Options.Labels),
	}
	return nil
}

func (s *state) Objects(_ context.Context, kind engine.Kind, want ...string) ([]engine.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var from map[string]engine.Object
	switch kind {
	case engine.KindNetwork:
		from = s.networks
	case engine.KindVolume:
		from = s.volumes
	default:
		return nil, fmt.Errorf("objects of kind %q: %w", kind, errdefs.ErrInvalidArgument)
	}
	list := []engine.Object{}
	for _, o := range from {
		if bears(o.Labels, want) {
			o.Labels = maps.Clone(o.Labels)
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b engine.Object) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

func (s *state) Remove(_ context.Context, kind engine.Kind, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind {
	case engine.KindContainer:
		s.removeContainer(id)
	case engine.KindNetwork:
		maps.DeleteFunc(s.networks, func(_ string, n engine.Object) bool { return n.ID == id || n.Name == id })
	case engine.KindVolume:
		delete(s.volumes, id)
	default:
		return fmt.Errorf("objects of kind %q: %w", kind, errdefs.ErrInvalidArgument)
	}
	return nil
}
