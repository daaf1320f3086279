package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
)

// rawClient is Docker's own, for what the gateway does not show.
func rawClient(t *testing.T) *client.Client {
	t.Helper()
	cli, err := client.NewClientWithOpts(client.WithHost(testHost(t)), client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cli.Close()) })
	return cli
}

// removeImages removes the test's images at its end.
func removeImages(t *testing.T, refs ...string) {
	t.Helper()
	cli := rawClient(t)
	t.Cleanup(func() {
		for _, ref := range refs {
			_, err := cli.ImageRemove(context.Background(), ref, image.RemoveOptions{Force: true})
			require.NoError(t, err)
		}
	})
}

func dockerWorld(t *testing.T) *world {
	t.Helper()
	removeImages(t, testImage)
	return newWorld(t, connect(t, engine.ConnectOptions{}), func(string, enginetest.Script) {})
}

func (w *world) output(id string) (text string) {
	w.Helper()
	require.NoError(w, w.Logs(w.Context(), id, time.Time{}, func(e engine.LogEntry) error {
		text += string(e.Data)
		return nil
	}))
	return text
}

func (w *world) network(name string) string {
	w.Helper()
	name = w.pod + "_" + name
	_, err := w.CreateNetwork(w.Context(), engine.NetworkSpec{Name: name, Options: network.CreateOptions{Labels: w.labels("")}})
	require.NoError(w, err)
	return name
}

func TestCopiedFilesKeepModeAndOwner(t *testing.T) {
	w := dockerWorld(t)
	id := w.create(w.spec("web", "stat", "-c", "%n %a %u:%g %s", "/run/secrets/deep/key", "/run/secrets", "/etc/plain"))
	require.NoError(t, w.Copy(t.Context(), id, nil))
	require.NoError(t, w.Copy(t.Context(), id, []engine.File{
		{Path: "/run/secrets/deep/key", Content: []byte("secret"), Mode: 0o440, UID: 7, GID: 8},
		{Path: "/etc/../etc/plain", Mode: 0o644},
	}))
	require.NoError(t, w.Start(t.Context(), id))
	require.Equal(t, "/run/secrets/deep/key 440 7:8 6\n/run/secrets 755 0:0 4096\n/etc/plain 644 0:0 0\n", w.output(id))

	for _, bad := range []string{"relative", "/", "/.."} {
		err := w.Copy(t.Context(), id, []engine.File{{Path: bad}})
		require.True(t, errdefs.IsInvalidArgument(err), "%s: %v", bad, err)
	}
}

func TestASpecWithSeveralNetworksIsConnectedAndLeftAsItIs(t *testing.T) {
	w := dockerWorld(t)
	back, front := w.network("back"), w.network("front")
	spec := w.spec("web", "true")
	spec.Host = &container.HostConfig{NetworkMode: container.NetworkMode(front), CapAdd: []string{"net_admin", "chown"}}
	spec.Networks = map[string]*network.EndpointSettings{
		front: {Aliases: []string{"web"}, MacAddress: "02:42:ac:11:00:99"},
		back:  {Aliases: []string{"api"}},
	}
	before, err := json.Marshal(spec)
	require.NoError(t, err)
	id := w.create(spec)
	after, err := json.Marshal(spec)
	require.NoError(t, err)
	require.JSONEq(t, string(before), string(after), "a spec is never changed")

	cli := rawClient(t)
	found, err := cli.ContainerInspect(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, found.NetworkSettings.Networks, 2)
	require.Contains(t, found.NetworkSettings.Networks[front].Aliases, "web")
	require.Contains(t, found.NetworkSettings.Networks[back].Aliases, "api")

	require.NoError(t, cli.NetworkDisconnect(t.Context(), back, id, true))
	require.Equal(t, id, w.create(spec), "adopted")
	found, err = cli.ContainerInspect(t.Context(), id)
	require.NoError(t, err)
	require.Contains(t, found.NetworkSettings.Networks, back, "and what was missing is connected")
}

func TestAnonymousVolumesGoWithTheirContainer(t *testing.T) {
	w := dockerWorld(t)
	spec := w.spec("web", "true")
	spec.Config.Volumes = map[string]struct{}{"/data": {}}
	id := w.start(spec)
	cli := rawClient(t)
	found, err := cli.ContainerInspect(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, found.Mounts, 1)
	require.NoError(t, w.Remove(t.Context(), engine.KindContainer, id))
	_, err = cli.VolumeInspect(t.Context(), found.Mounts[0].Name)
	require.True(t, errdefs.IsNotFound(err), "%v", err)
}

func TestAContainerRemovedByManyAtOnce(t *testing.T) {
	w := dockerWorld(t)
	id := w.start(w.spec("web", "sleep", "100"))
	cli := rawClient(t)
	var all errgroup.Group
	for range 8 {
		all.Go(func() error {
			err := w.Remove(t.Context(), engine.KindContainer, id)
			_, inspectErr := cli.ContainerInspect(t.Context(), id)
			if err == nil && !errdefs.IsNotFound(inspectErr) {
				return errors.Join(errors.New("removed and yet there"), inspectErr)
			}
			return err
		})
	}
	require.NoError(t, all.Wait())
}

func TestAVolumeInUseIsAConflict(t *testing.T) {
	w := dockerWorld(t)
	name := w.pod + "_data"
	require.NoError(t, w.CreateVolume(t.Context(), engine.VolumeSpec{Options: volume.CreateOptions{Name: name, Labels: w.labels("")}}))
	spec := w.spec("web", "true")
	spec.Host.Binds = []string{name + ":/data"}
	id := w.create(spec)
	err := w.Remove(t.Context(), engine.KindVolume, name)
	require.True(t, errdefs.IsConflict(err), "%v", err)
	require.NoError(t, w.Remove(t.Context(), engine.KindContainer, id))
	require.NoError(t, w.Remove(t.Context(), engine.KindVolume, name))
}

func TestLogsOfATerminalAndOfLongLines(t *testing.T) {
	w := dockerWorld(t)
	spec := w.spec("tty", "sh", "-c", "echo out; echo err >&2")
	spec.Config.Tty = true
	require.Equal(t, "out\r\nerr\r\n", w.output(w.start(spec)))

	id := w.start(w.spec("long", "sh", "-c", "printf '%040000d\n' 7"))
	var parts []string
	var times []time.Time
	require.NoError(t, w.Logs(t.Context(), id, time.Time{}, func(e engine.LogEntry) error {
		parts, times = append(parts, string(e.Data)), append(times, e.Time)
		return nil
	}))
	require.Len(t, parts, 3)
	require.Equal(t, strings.Repeat("0", 39999)+"7\n", strings.Join(parts, ""))
	require.Equal(t, times[0], times[2], "the parts of a line bear one time")
}

func TestAPausedContainerHasNoHealth(t *testing.T) {
	w := dockerWorld(t)
	spec := w.spec("web", "sleep", "100")
	spec.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "true"}, Interval: 100 * time.Millisecond}
	events, _ := w.Events(t.Context(), w.label())
	id := w.start(spec)
	w.await(events, "health_status")
	cli := rawClient(t)
	require.NoError(t, cli.ContainerPause(t.Context(), id))
	w.await(events, "pause")
	require.Equal(t, engine.StatusPaused, w.listed(id).Status)
	require.Equal(t, engine.HealthUnknown, w.listed(id).Health)
	require.NoError(t, cli.ContainerUnpause(t.Context(), id))
	w.await(events, "unpause")
	require.Eventually(t, func() bool { return w.listed(id).Health == engine.HealthHealthy }, soon, 20*time.Millisecond)
}

// When an engine comes back, a start is tried again of what runs, which may just be paused to be reminded of its healthcheck.
func TestStartOfWhatIsBeingReminded(t *testing.T) {
	w := dockerWorld(t)
	id := w.start(w.spec("web", "sleep", "100"))
	goesOn := func() { // at once; dockerd may hear of a pause a second time, from containerd, and of its end just after
		require.Eventually(t, func() bool { return w.listed(id).Status == engine.StatusRunning }, soon, 10*time.Millisecond)
	}
	require.NoError(t, rawClient(t).ContainerPause(t.Context(), id))
	require.NoError(t, w.Start(t.Context(), id))
	goesOn()
	for range 10 {
		reminded := make(chan error, 1)
		go func() { reminded <- w.RemindHealthcheck(t.Context(), id) }()
		require.NoError(t, w.Start(t.Context(), id))
		require.NoError(t, <-reminded)
		goesOn()
	}
}

// The engine has a container go on, and calls it paused all the same.
func TestStartOfWhatIsPausedInWordsOnly(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		switch path.Base(r.URL.Path) {
		case "start":
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, `{"message":"cannot start a paused container, try unpause instead"}`)
		case "unpause":
			w.WriteHeader(http.StatusNoContent)
		case "json":
			_, _ = io.WriteString(w, `{"State":{"Running":true,"Paused":true}}`)
		}
	}))
	defer server.Close()
	require.NoError(t, through(t, server, engine.ConnectOptions{ConfigDir: t.TempDir()}).Start(t.Context(), "web"))
}

func TestLoadingTwiceLeavesOneImage(t *testing.T) {
	w := dockerWorld(t)
	first, err := w.Image(t.Context(), testImage)
	require.NoError(t, err)
	odd := map[string]string{"quote": `a"b $HOME \ 'c'`, "lines": "1\n2"}
	config := container.Config{Env: []string{"PATH=/bin"}}
	require.NoError(t, w.Load(t.Context(), testImage, busybox(t), config))
	again, err := w.Image(t.Context(), testImage)
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)

	config.Labels, config.Entrypoint = odd, []string{"sh", "-c"}
	removeImages(t, checkedImage)
	require.NoError(t, w.Load(t.Context(), checkedImage, busybox(t), config))
	found, err := rawClient(t).ImageInspect(t.Context(), checkedImage)
	require.NoError(t, err)
	require.Equal(t, odd, found.Config.Labels)
	require.Equal(t, []string{"sh", "-c"}, []string(found.Config.Entrypoint))

	err = w.Load(t.Context(), "Bad Name", bytes.NewReader(nil), config)
	require.True(t, errdefs.IsInvalidArgument(err), "%v", err)
}

func TestErrorsNameWhatTheyAreAbout(t *testing.T) {
	w := dockerWorld(t)
	spec := w.spec("web", "no-such-program")
	id := w.create(spec)
	err := w.Start(t.Context(), id)
	require.Error(t, err)
	require.True(t, strings.HasPrefix(err.Error(), fmt.Sprintf("container %s: ", id[:12])), "%v", err)
	require.NotContains(t, err.Error(), "Error response from daemon")

	spec = w.spec("arm", "true")
	spec.Platform = "arm"
	_, err = w.Create(t.Context(), spec)
	require.EqualError(t, err, `platform "arm" is not of the form os/arch[/variant], for example linux/arm64/v8`)
	require.True(t, errdefs.IsInvalidArgument(err))
}
