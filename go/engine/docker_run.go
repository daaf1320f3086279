package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"path"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

func (d *dockerAPI) Copy(ctx context.Context, id string, files []File) error {
	if len(files) == 0 {
		return nil
	}
	archive, err := tarOf(files, time.Now())
	if err != nil {
		return err
	}
	return d.cli.CopyToContainer(ctx, id, "/", archive, container.CopyToContainerOptions{})
}

// tarOf holds no directories: the engine makes those that are missing (0755, root) and leaves the others' modes alone.
func tarOf(files []File, now time.Time) (*bytes.Buffer, error) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, f := range files {
		if !path.IsAbs(f.Path) || path.Clean(f.Path) == "/" {
			return nil, invalid("%q is no absolute path of a file to copy into a container", f.Path)
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: path.Clean(f.Path)[1:], Size: int64(len(f.Content)),
			Mode: f.Mode, Uid: f.UID, Gid: f.GID, ModTime: now,
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, invalid("%s can't be copied into a container: %v", f.Path, err)
		}
		if _, err := w.Write(f.Content); err != nil {
			return nil, err
		}
	}
	return &buffer, w.Close()
}

// Start takes a container that runs already for done. An engine that fails may have started it all the same: it is asked. One that
// is paused is told to go on: when an engine comes back, RemindHealthcheck may be at work while a start is tried again.
func (d *dockerAPI) Start(ctx context.Context, id string) error {
	err := d.cli.ContainerStart(ctx, id, container.StartOptions{})
	if !errdefs.IsInternal(err) && !errdefs.IsConflict(err) {
		return err
	}
	found, inspectErr := d.cli.ContainerInspect(ctx, id)
	if inspectErr == nil && found.State.Running && found.State.Paused {
		// What it answers counts: it may call a container paused once more when it hears of the pause from containerd, late.
		if d.cli.ContainerUnpause(ctx, id) == nil {
			return nil
		}
		found, inspectErr = d.cli.ContainerInspect(ctx, id)
	}
	if inspectErr == nil && found.State.Running && !found.State.Paused {
		return nil
	}
	return err
}

func (d *dockerAPI) Signal(ctx context.Context, id, signal string) error {
	return d.cli.ContainerKill(ctx, id, signal)
}
