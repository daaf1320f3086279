package engine

import (
	"cmp"
	"context"
	"math"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

func (d *dockerAPI) Inspect(ctx context.Context, id string) (Details, error) {
	found, err := d.cli.ContainerInspect(ctx, id)
	if err != nil {
		return Details{}, err
	}
	created, _ := time.Parse(time.RFC3339Nano, found.Created) // zero where it can't be read, as in lists
	details := Details{Created: created}
	if h := found.HostConfig; h != nil {
		details.CgroupParent = h.CgroupParent
		details.Restart = cmp.Or(string(h.RestartPolicy.Name), string(container.RestartPolicyDisabled))
	}
	if found.State != nil {
		details.Pid = found.State.Pid
	}
	if found.NetworkSettings != nil {
		details.Addresses = map[string][]string{}
		for name, endpoint := range found.NetworkSettings.Networks {
			for _, ip := range []string{endpoint.IPAddress, endpoint.GlobalIPv6Address} {
				if ip != "" {
					details.Addresses[name] = append(details.Addresses[name], ip)
				}
			}
		}
	}
	return details, nil
}

func (d *dockerAPI) DisableRestart(ctx context.Context, id string) error {
	_, err := d.cli.ContainerUpdate(ctx, id, container.UpdateConfig{
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
	})
	return err
}

// RemindHealthcheck pauses and unpauses: the only thing but a restart that makes an engine look at its healthchecks anew (moby,
// daemon/unpause.go). Once paused, the container must go on, whatever becomes of the caller.
func (d *dockerAPI) RemindHealthcheck(ctx context.Context, id string) error {
	if err := d.cli.ContainerPause(ctx, id); err != nil && !errdefs.IsConflict(err) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callWait)
	defer cancel()
	err := d.cli.ContainerUnpause(ctx, id)
	if err == nil {
		return nil
	}
	if found, inspectErr := d.cli.ContainerInspect(ctx, id); inspectErr == nil && !found.State.Paused {
		return nil // a start was tried meanwhile, which does the same
	}
	return err
}

func (d *dockerAPI) Stop(ctx context.Context, id string, grace time.Duration) error {
	seconds := int(math.Ceil(max(grace, 0).Seconds()))
	return d.cli.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds})
}
