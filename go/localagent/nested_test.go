package localagent

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

// sleepImage is a root file system with nothing but a sleep.
func sleepImage(t *testing.T) *bytes.Reader {
	t.Helper()
	binary, err := os.ReadFile("/bin/busybox")
	require.NoError(t, err, "the test's image is made of Debian's busybox-static: run `make test`, or apt-get install busybox-static")
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "sleep", Mode: 0o755, Size: int64(len(binary))}))
	_, err = w.Write(binary)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return bytes.NewReader(buffer.Bytes())
}

func TestTheEndOfAnExecutorKillsDockerContainersBelowItsCgroup(t *testing.T) {
	host := os.Getenv("DCE_TEST_DOCKER_HOST")
	require.NotEmpty(t, host, "this test needs a Docker engine: run `make test`, or set DCE_TEST_DOCKER_HOST")
	docker, err := engine.Connect(t.Context(), engine.ConnectOptions{Host: host})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, docker.Close()) })
	raw, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, raw.Close()) })

	a := newAgent(t, nil)
	c, err := a.Launch(asTask("t", "exec sleep 1000"))
	require.NoError(t, err)
	name := "dce-test-" + uuid.NewString()[:8]
	require.NoError(t, docker.Load(t.Context(), name, sleepImage(t), container.Config{}))
	t.Cleanup(func() {
		_, err := raw.ImageRemove(context.Background(), name, image.RemoveOptions{})
		require.NoError(t, err)
	})
	id, err := docker.Create(t.Context(), &engine.ContainerSpec{Service: "s", Name: name, Image: name,
		Config: &container.Config{Image: name, Cmd: []string{"/sleep", "1000"}, Labels: map[string]string{name: "1"}},
		Host:   &container.HostConfig{Resources: container.Resources{CgroupParent: c.Cgroup}}})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, docker.Remove(context.Background(), engine.KindContainer, id))
		for _, hi := range a.options.Cgroups.Hierarchies() { // what Docker leaves where the agent has no controller
			root := filepath.Join(hi.Dir, a.options.CgroupsRoot)
			for _, dir := range []string{filepath.Join(root, c.ID), root} {
				if err := os.Remove(dir); !os.IsNotExist(err) {
					require.NoError(t, err)
				}
			}
		}
	})
	require.NoError(t, docker.Start(t.Context(), id))
	require.NoError(t, a.Destroy("executor of t"))
	gone(t, c)
	require.Eventually(t, func() bool {
		list, err := docker.List(t.Context(), name)
		require.NoError(t, err)
		return len(list) == 1 && list[0].Status == engine.StatusExited && list[0].ExitCode == 137
	}, pollFor, pollEvery, "it was killed, as nothing below the freezer cgroup survives")
}
