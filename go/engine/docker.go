package engine

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
)

// dockerAPI is the Gateway bare: without time limits, with the client's own errors. Connect dresses it.
type dockerAPI struct {
	cli       *client.Client
	host      string
	configDir string
	timeout   time.Duration // for the head of an answer that streams
	pullIdle  time.Duration
	sameClock bool // the engine's clock is ours
}

// before says whether the engine's API is older than version.
func (d *dockerAPI) before(version string) bool {
	return versions.LessThan(d.cli.ClientVersion(), version)
}

// opening returns a context for a stream, and what to call once its head is there: it says whether that was in time.
func (d *dockerAPI) opening(ctx context.Context) (stream context.Context, cancel func(), inTime func() bool) {
	stream, end := context.WithCancel(ctx)
	late := time.AfterFunc(d.timeout, end)
	return stream, func() { late.Stop(); end() }, late.Stop
}

func labelFilter(labels []string) filters.Args {
	args := filters.NewArgs()
	for _, l := range labels {
		args.Add("label", l)
	}
	return args
}

func (d *dockerAPI) Info(ctx context.Context) (Info, error) {
	info, err := d.cli.Info(ctx)
	if err != nil {
		return Info{}, err
	}
	out := Info{
		Version:       info.ServerVersion,
		APIVersion:    d.cli.ClientVersion(),
		CgroupDriver:  info.CgroupDriver,
		CgroupVersion: cmp.Or(info.CgroupVersion, "1"), // engines before 20.10 know no other
		RootDir:       info.DockerRootDir,
		LiveRestore:   info.LiveRestoreEnabled,
		Rootless:      slices.Contains(info.SecurityOptions, "name=rootless"),
		Storage:       info.Driver,
		StorageStatus: map[string]string{},
		SwapLimit:     info.SwapLimit,
		Kernel:        info.KernelVersion,
	}
	for _, pair := range info.DriverStatus {
		out.StorageStatus[pair[0]] = pair[1]
	}
	if at, err := time.Parse(time.RFC3339Nano, info.SystemTime); err == nil {
		out.Time = at
	}
	return out, nil
}

func (d *dockerAPI) Image(ctx context.Context, ref string) (Image, error) {
	found, err := d.cli.ImageInspect(ctx, ref)
	if err != nil {
		return Image{}, err
	}
	image := Image{ID: found.ID, Digests: found.RepoDigests}
	if c := found.Config; c != nil {
		image.Stop = c.StopSignal
		image.Health = c.Healthcheck != nil && len(c.Healthcheck.Test) > 0 && c.Healthcheck.Test[0] != "NONE"
		for path := range c.Volumes {
			image.Volumes = append(image.Volumes, path)
		}
		slices.Sort(image.Volumes)
	}
	return image, nil
}
