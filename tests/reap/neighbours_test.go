package reap

import (
	"context"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/images"
)

// neighbours are the ids of containers of somebody else, which are there in every test.
var neighbours []string

// settleNeighbours makes containers, networks and volumes that are none of ours: one that runs, one that has ended, one that
// was never started, and one that bears labels of compose and of Mesos' own containerizer.
func settleNeighbours(ctx context.Context) error {
	if _, err := world.docker.NetworkCreate(ctx, "neighbours", network.CreateOptions{Labels: map[string]string{"com.docker.compose.project": "x"}}); err != nil {
		return err
	}
	if _, err := world.docker.VolumeCreate(ctx, volume.CreateOptions{Name: "neighbours"}); err != nil {
		return err
	}
	for _, one := range []struct {
		name    string
		command []string
		labels  map[string]string
		starts  bool
	}{
		{"neighbour", []string{"sleep", "100000"}, nil, true},
		{"neighbour-ended", []string{"true"}, nil, true},
		{"neighbour-created", []string{"true"}, nil, false},
		{"mesos-0a1b", []string{"sleep", "100000"}, map[string]string{"com.docker.compose.project": "x", "taskId": "t", "executorId": "executor"}, true},
	} {
		made, err := world.docker.ContainerCreate(ctx, &container.Config{Image: images.Busybox, Cmd: one.command, Labels: one.labels,
			Volumes: map[string]struct{}{"/anonymous": {}}},
			&container.HostConfig{NetworkMode: "neighbours", Binds: []string{"neighbours:/data"}, RestartPolicy: container.RestartPolicy{Name: "no"}}, nil, nil, one.name)
		if err == nil && one.starts {
			err = world.docker.ContainerStart(ctx, made.ID, container.StartOptions{})
		}
		if err != nil {
			return err
		}
		neighbours = append(neighbours, made.ID)
	}
	ended, failed := world.docker.ContainerWait(ctx, neighbours[1], container.WaitConditionNotRunning)
	select {
	case err := <-failed:
		return err
	case <-ended:
		return nil
	}
}

// lives are the lives of the neighbours: a listing would not tell one that was started again.
func lives(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, id := range neighbours {
		c, err := world.docker.ContainerInspect(context.Background(), id)
		require.NoError(t, err)
		out = append(out, id+" "+c.State.StartedAt+" "+c.State.FinishedAt)
	}
	return out
}
