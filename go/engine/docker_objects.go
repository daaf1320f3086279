package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"github.com/dce-go/dce/go/labels"
)

// CreateNetwork looks before it creates: engines before API 1.44 let two networks bear one name.
func (d *dockerAPI) CreateNetwork(ctx context.Context, spec NetworkSpec) (string, error) {
	if id, err := d.ownNetwork(ctx, spec); err != nil || id != "" {
		return id, err
	}
	made, err := d.cli.NetworkCreate(ctx, spec.Name, spec.Options)
	if errdefs.IsConflict(err) || errdefs.IsInternal(err) {
		if id, lookErr := d.ownNetwork(ctx, spec); lookErr == nil && id != "" {
			return id, nil
		}
	}
	return made.ID, err
}

// ownNetwork returns the oldest network of that name and pod, or "".
func (d *dockerAPI) ownNetwork(ctx context.Context, spec NetworkSpec) (string, error) {
	pod := spec.Options.Labels[labels.Pod]
	if pod == "" {
		return "", invalid("network %s has no label %s: whose it is can't be told later", spec.Name, labels.Pod)
	}
	found, err := d.cli.NetworkList(ctx, network.ListOptions{Filters: labelFilter([]string{labels.Pod + "=" + pod})})
	if err != nil {
		return "", err
	}
	found = slices.DeleteFunc(found, func(n network.Summary) bool { return n.Name != spec.Name }) // the engine's name filter is a pattern
	if len(found) == 0 {
		return "", nil
	}
	return slices.MinFunc(found, func(a, b network.Summary) int { return a.Created.Compare(b.Created) }).ID, nil
}

// CreateVolume refuses a volume that is there and not this pod's, but for those that are to be kept: users share them.
func (d *dockerAPI) CreateVolume(ctx context.Context, spec VolumeSpec) error {
	name, pod := spec.Options.Name, spec.Options.Labels[labels.Pod]
	if pod == "" && !spec.Keep {
		return invalid("volume %s has no label %s: whose it is can't be told later", name, labels.Pod)
	}
	made, err := d.cli.VolumeCreate(ctx, spec.Options)
	if errdefs.IsInternal(err) {
		if found, lookErr := d.cli.VolumeInspect(ctx, name); lookErr == nil {
			made, err = found, nil
		}
	}
	if err == nil && !spec.Keep && made.Labels[labels.Pod] != pod {
		return &failure{class: errdefs.ErrConflict, sentence: fmt.Sprintf(
			"volume %s exists and does not belong to pod %s: remove it (docker volume rm), or declare it external to use it", name, pod)}
	}
	return err
}

func (d *dockerAPI) Objects(ctx context.Context, kind Kind, labels ...string) ([]Object, error) {
	switch kind {
	case KindNetwork:
		found, err := d.cli.NetworkList(ctx, network.ListOptions{Filters: labelFilter(labels)})
		objects := make([]Object, 0, len(found))
		for _, n := range found {
			objects = append(objects, Object{Kind: kind, ID: n.ID, Name: n.Name, Created: n.Created, Labels: n.Labels})
		}
		return objects, err
	case KindVolume:
		found, err := d.cli.VolumeList(ctx, volume.ListOptions{Filters: labelFilter(labels)})
		objects := make([]Object, 0, len(found.Volumes))
		for _, v := range found.Volumes {
			created, _ := time.Parse(time.RFC3339, v.CreatedAt) // zero where a driver does not say
			objects = append(objects, Object{Kind: kind, ID: v.Name, Name: v.Name, Created: created, Labels: v.Labels})
		}
		return objects, err
	default:
		return nil, invalid("objects of kind %q are not listed here: networks and volumes are", kind)
	}
}

func (d *dockerAPI) Remove(ctx context.Context, kind Kind, id string) error {
	var err error
	switch kind {
	case KindContainer:
		err = d.removeContainer(ctx, id)
	case KindNetwork:
		err = d.cli.NetworkRemove(ctx, id)
	case KindVolume:
		err = d.cli.VolumeRemove(ctx, id, true)
	default:
		return invalid("there is no way to remove a %q", kind)
	}
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}

// removeContainer waits for the end of a removal that somebody else has begun: no other conflict stops a forced one (moby,
// daemon/delete.go, ContainerRm), and a network can't go before its last container has.
func (d *dockerAPI) removeContainer(ctx context.Context, id string) error {
	err := d.cli.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if !errdefs.IsConflict(err) {
		return err
	}
	if d.before("1.30") {
		return nil // there is nothing to wait by
	}
	removed, failed := d.cli.ContainerWait(ctx, id, container.WaitConditionRemoved)
	select {
	case end := <-removed:
		if end.Error != nil {
			return errors.New(end.Error.Message)
		}
		return nil
	case err := <-failed:
		return err
	}
}
