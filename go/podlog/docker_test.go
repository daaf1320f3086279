package podlog_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/google/uuid"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/podlog"
)

// shell is a root file system with a shell.
func shell(t *testing.T) *bytes.Buffer {
	t.Helper()
	binary, err := os.ReadFile("/bin/busybox")
	require.NoError(t, err, "the test's image is made of Debian's busybox-static: run `make test`, or apt-get install busybox-static")
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "bin/sh", Mode: 0o755, Size: int64(len(binary))}))
	_, err = w.Write(binary)
	require.NoError(t, err)
	require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/sleep", Linkname: "sh"}))
	require.NoError(t, w.Close())
	return &b
}

// flaky breaks the stream of a real engine after some entries, several times.
type flaky struct {
	engine.Gateway
	breaks int
}

func (f *flaky) Logs(ctx context.Context, id string, since time.Time, sink func(engine.LogEntry) error) error {
	n := 0
	return f.Gateway.Logs(ctx, id, since, func(e engine.LogEntry) error {
		if n++; n > 7 && f.breaks > 0 {
			f.breaks--
			return context.DeadlineExceeded
		}
		return sink(e)
	})
}

func TestTheOutputOfARealContainerIsWhole(t *testing.T) {
	host := os.Getenv("DCE_TEST_DOCKER_HOST")
	require.NotEmpty(t, host, "this test needs a Docker engine: run `make test`, or set DCE_TEST_DOCKER_HOST")
	docker, err := engine.Connect(t.Context(), engine.ConnectOptions{Host: host})
	require.NoError(t, err)
	defer docker.Close()
	name := "dce-podlog-" + uuid.NewString()[:8]
	require.NoError(t, docker.Load(t.Context(), name+":1", shell(t), container.Config{Env: []string{"PATH=/bin"}}))
	defer func() {
		cli, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
		require.NoError(t, err)
		defer cli.Close()
		_, err = cli.ImageRemove(context.Background(), name+":1", image.RemoveOptions{Force: true})
		require.NoError(t, err)
	}()
	for what, tty := range map[string]bool{"pipes": false, "a terminal": true} {
		t.Run(what, func(t *testing.T) {
			script := `i=0; while [ $i -lt 40 ]; do echo "line $i"; i=$((i+1)); done; sleep 1
				x=xxxxxxxxxxxxxxxx; for n in 1 2 3 4 5 6 7 8 9 10 11; do x=$x$x; done; echo $x; printf 'no end'`
			id, err := docker.Create(t.Context(), &engine.ContainerSpec{
				Service: "web", Name: name,
				Config: &container.Config{
					Image: name + ":1", Cmd: []string{"sh", "-c", script}, Tty: tty, Labels: map[string]string{labels.Pod: name, labels.Service: "web"},
				},
				Host: &container.HostConfig{NetworkMode: "none"},
			})
			require.NoError(t, err)
			defer func() { require.NoError(t, docker.Remove(context.Background(), engine.KindContainer, id)) }()
			require.NoError(t, docker.Start(t.Context(), id))

			f := newFixture(t, nil)
			f.Collector = podlog.New(&flaky{docker, 5}, filepath.Join(f.sandbox, "logs"), f.out, logrus.New())
			f.Follow(seen("web", id, engine.StatusRunning))
			f.Drain(t.Context())
			text := ""
			for i := range 40 {
				text += fmt.Sprintf("line %d\n", i)
			}
			text += strings.Repeat("x", 32<<10) + "\nno end"
			if tty {
				text = strings.ReplaceAll(text, "\n", "\r\n")
			}
			require.Equal(t, text, f.file("web.log"))
			require.Len(t, strings.Split(f.out.String(), "\n"), 43)
		})
	}
}
