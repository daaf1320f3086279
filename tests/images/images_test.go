package images

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/strslice"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/box"
)

// output runs one container to its end and returns what it wrote.
func output(t *testing.T, cli *client.Client, config *container.Config) string {
	t.Helper()
	ctx := t.Context()
	created, err := cli.ContainerCreate(ctx, config, nil, nil, nil, "")
	require.NoError(t, err)
	require.NoError(t, cli.ContainerStart(ctx, created.ID, container.StartOptions{}))
	ended, failed := cli.ContainerWait(ctx, created.ID, container.WaitConditionNotRunning)
	select {
	case <-ended:
	case err := <-failed:
		require.NoError(t, err)
	}
	logs, err := cli.ContainerLogs(ctx, created.ID, container.LogsOptions{ShowStdout: true, ShowStderr: true})
	require.NoError(t, err)
	defer func() { _ = logs.Close() }()
	var out bytes.Buffer
	_, err = stdcopy.StdCopy(&out, &out, logs)
	require.NoError(t, err)
	return out.String()
}

func TestImagesRunAndAreLoadedOnce(t *testing.T) {
	b := box.ForTest(t, box.Options{Fresh: true})
	cli, err := b.Client()
	require.NoError(t, err)
	defer func() { _ = cli.Close() }()
	checkout, err := box.Checkout()
	require.NoError(t, err)

	loaded, err := Load(t.Context(), cli, checkout)
	require.NoError(t, err)
	require.Equal(t, []string{Busybox, Redis, Visits}, loaded)
	loaded, err = Load(t.Context(), cli, checkout)
	require.NoError(t, err)
	require.Empty(t, loaded)

	require.Equal(t, "hello 3\n", output(t, cli, &container.Config{Image: Busybox, Cmd: []string{"sh", "-c", "echo hello $(seq 3 | wc -l)"}}))
	require.Contains(t, output(t, cli, &container.Config{Image: Redis, Cmd: []string{"--version"}}), "Redis server v=")
	require.Contains(t, output(t, cli, &container.Config{Image: Redis, Entrypoint: strslice.StrSlice{"redis-cli", "ping"}}), "Connection refused", "the client runs")
	require.Contains(t, output(t, cli, &container.Config{Image: Visits, Cmd: []string{"-check"}}), "connection refused", "nothing serves yet")
}

func TestChangedRecipeReplacesTheImage(t *testing.T) {
	b := box.ForTest(t, box.Options{Fresh: true})
	cli, err := b.Client()
	require.NoError(t, err)
	defer func() { _ = cli.Close() }()
	r := recipe{Ref: "dce-test/changing", Tree: func(context.Context, string) (tree, error) { return base(), nil }}
	require.NoError(t, r.load(t.Context(), cli, base(), r.hash(base())))
	before, err := cli.ImageInspect(t.Context(), r.Ref)
	require.NoError(t, err)
	changed := append(base(), text("etc/motd", "new"))
	require.NotEqual(t, r.hash(base()), r.hash(changed))
	require.NoError(t, r.load(t.Context(), cli, changed, r.hash(changed)))
	after, err := cli.ImageInspect(t.Context(), r.Ref)
	require.NoError(t, err)
	require.NotEqual(t, before.ID, after.ID)
	_, err = cli.ImageInspect(t.Context(), before.ID)
	require.Error(t, err, "the old one is gone")
}

func TestTreeIsWrittenAsDescribed(t *testing.T) {
	source := filepath.Join(t.TempDir(), "source")
	require.NoError(t, os.WriteFile(source, []byte("program"), 0o600))
	bin, err := program("usr/bin/x", source)
	require.NoError(t, err)
	var packed bytes.Buffer
	require.NoError(t, tree{dir("data", 0o700, 7), text("etc/motd", "hi"), bin, link("usr/bin/y", "x")}.withParents().write(&packed))
	got := map[string]string{}
	var names []string
	for r := tar.NewReader(&packed); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		names = append(names, h.Name)
		got[h.Name] = string(content) + h.Linkname
		if h.Name == "data/" {
			require.Equal(t, 7, h.Uid)
			require.Equal(t, int64(0o700), h.Mode)
		}
	}
	require.Equal(t, []string{"data/", "etc/", "etc/motd", "usr/", "usr/bin/", "usr/bin/x", "usr/bin/y"}, names)
	require.Equal(t, "hi", got["etc/motd"])
	require.Equal(t, "program", got["usr/bin/x"])
	require.Equal(t, "x", got["usr/bin/y"])
}

func TestClosureNamesWhatIsMissing(t *testing.T) {
	root := t.TempDir()
	content, err := os.ReadFile("/bin/sh")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(root, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "bin", "sh"), content, 0o755))
	_, err = closure(root, "bin/sh")
	require.ErrorContains(t, err, "needs libc.so.6, which none")
}
