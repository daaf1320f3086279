package engine_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/go-connections/nat"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/tests/harness"
)

// soon bounds what an engine does at once, on a slow machine.
const soon = time.Minute

// The images of one run of the tests, which may share its engine with another.
var (
	testImage    = "dce-contract-" + uuid.NewString()[:8] + ":1"
	checkedImage = testImage + "-checked"
)

// testHost names the real engine.
func testHost(t *testing.T) string {
	t.Helper()
	host := os.Getenv("DCE_TEST_DOCKER_HOST")
	require.NotEmpty(t, host, "this test needs a Docker engine: run `make test`, or set DCE_TEST_DOCKER_HOST")
	return host
}

func connect(t *testing.T, o engine.ConnectOptions) *engine.Docker {
	t.Helper()
	o.Host = testHost(t)
	docker, err := engine.Connect(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, docker.Close()) })
	return docker
}

// busybox is a root file system of one static binary with the names that the tests run it by.
func busybox(t *testing.T) *bytes.Reader {
	t.Helper()
	binary, err := os.ReadFile("/bin/busybox")
	require.NoError(t, err, "the test's image is made of Debian's busybox-static: run `make test`, or apt-get install busybox-static")
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "bin/busybox", Mode: 0o755, Size: int64(len(binary))}))
	_, err = w.Write(binary)
	require.NoError(t, err)
	for _, name := range []string{"sh", "sleep", "cat", "stat", "true", "ls", "ip", "test"} {
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox"}))
	}
	require.NoError(t, w.Close())
	return bytes.NewReader(buffer.Bytes())
}

// world is a gateway with an image, and the labels of a pod whose objects go when the test ends.
type world struct {
	*testing.T
	engine.Gateway
	image  string
	pod    string
	script func(service string, s enginetest.Script) // what the fake does where a real engine runs a command
}

func (w *world) label() string { return labels.Pod + "=" + w.pod }

func (w *world) labels(service string) map[string]string {
	return map[string]string{labels.Pod: w.pod, labels.Service: service}
}

func newWorld(t *testing.T, g engine.Gateway, script func(string, enginetest.Script)) *world {
	t.Helper()
	pod := "dce-test-" + uuid.NewString()[:8]
	w := &world{T: t, Gateway: g, image: testImage, pod: pod, script: script}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		list, err := g.List(ctx, w.label())
		require.NoError(t, err)
		for _, c := range list {
			require.NoError(t, g.Remove(ctx, engine.KindContainer, c.ID))
		}
		for _, kind := range []engine.Kind{engine.KindNetwork, engine.KindVolume} {
			objects, err := g.Objects(ctx, kind, w.label())
			require.NoError(t, err)
			for _, o := range objects {
				require.NoError(t, g.Remove(ctx, kind, o.ID))
			}
		}
	})
	require.NoError(t, g.Load(t.Context(), w.image, busybox(t), container.Config{Env: []string{"PATH=/bin"}}))
	return w
}

func (w *world) spec(service string, command ...string) *engine.ContainerSpec {
	return &engine.ContainerSpec{
		Service: service, Name: w.pod + "-" + service + "-1",
		Config: &container.Config{Image: w.image, Cmd: command, Labels: w.labels(service)},
		Host:   &container.HostConfig{NetworkMode: "none"},
	}
}

func (w *world) create(spec *engine.ContainerSpec) string {
	w.Helper()
	id, err := w.Create(w.Context(), spec)
	require.NoError(w, err)
	return id
}

func (w *world) start(spec *engine.ContainerSpec) string {
	w.Helper()
	id := w.create(spec)
	require.NoError(w, w.Start(w.Context(), id))
	return id
}

// listed returns the entry of one container, which need not be there.
func (w *world) listed(id string) engine.Container {
	w.Helper()
	list, err := w.List(w.Context(), w.label())
	require.NoError(w, err)
	for _, c := range list {
		if c.ID == id {
			return c
		}
	}
	return engine.Container{}
}

// removeCgroup removes the cgroups that a real engine makes for a container's cgroup parent.
func removeCgroup(t *testing.T, path string) {
	t.Helper()
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	require.NoError(t, host.Remove(context.Background(), filepath.Dir(path)))
}

// await reads events until one of that action comes.
func (w *world) await(events <-chan engine.Event, action string) engine.Event {
	w.Helper()
	timeout := time.After(soon)
	for {
		select {
		case e, open := <-events:
			require.True(w, open, "the stream broke before %q", action)
			if e.Action == action {
				return e
			}
		case <-timeout:
			require.FailNow(w, "no event "+action)
		}
	}
}

// contract is what every gateway does.
var contract = []struct {
	name string
	test func(*world)
}{
	{"engine and images", func(w *world) {
		info, err := w.Info(w.Context())
		require.NoError(w, err)
		require.Contains(w, []string{"cgroupfs", "systemd", "none"}, info.CgroupDriver)
		require.Contains(w, []string{"1", "2"}, info.CgroupVersion)
		require.NotEmpty(w, info.Version)
		require.NotEmpty(w, info.APIVersion)
		require.True(w, strings.HasPrefix(info.RootDir, "/"))
		require.NotEmpty(w, info.Storage)
		require.NotEmpty(w, info.Kernel)
		require.WithinDuration(w, time.Now(), info.Time, time.Minute)
		require.False(w, info.Rootless)

		_, err = w.Image(w.Context(), "dce-contract:missing")
		require.True(w, errdefs.IsNotFound(err), "%v", err)
		image, err := w.Image(w.Context(), w.image)
		require.NoError(w, err)
		require.True(w, strings.HasPrefix(image.ID, "sha256:"))
		require.Equal(w, engine.Image{ID: image.ID}, engine.Image{ID: image.ID, Health: image.Health, Volumes: image.Volumes, Stop: image.Stop})

		config := container.Config{
			StopSignal: "SIGINT", Volumes: map[string]struct{}{"/b": {}, "/a": {}},
			Healthcheck: &container.HealthConfig{Test: []string{"CMD", "true"}},
		}
		require.NoError(w, w.Load(w.Context(), checkedImage, busybox(w.T), config))
		image, err = w.Image(w.Context(), checkedImage)
		require.NoError(w, err)
		require.Equal(w, engine.Image{ID: image.ID, Health: true, Volumes: []string{"/a", "/b"}, Stop: "SIGINT"},
			engine.Image{ID: image.ID, Health: image.Health, Volumes: image.Volumes, Stop: image.Stop})

		err = w.Load(w.Context(), "dce-contract:garbage", strings.NewReader(strings.Repeat("garbage", 200)), container.Config{})
		require.True(w, errdefs.IsInternal(err), "%v", err)
	}},
	{"a life", func(w *world) {
		ctx, cancel := context.WithCancel(w.Context())
		events, failed := w.Events(ctx, w.label())
		begun := time.Now()
		id := w.create(w.spec("web", "sh", "-c", "trap 'exit 9' TERM; sleep 100 & wait"))
		w.script("other", enginetest.Script{})

		c := w.listed(id)
		require.Equal(w, w.pod+"-web-1", c.Name)
		require.Equal(w, w.image, c.Image)
		require.Equal(w, "web", c.Labels[labels.Service])
		require.Equal(w, engine.StatusCreated, c.Status)
		require.WithinDuration(w, begun, c.Created, soon)
		err := w.Signal(w.Context(), id, "SIGTERM")
		require.True(w, errdefs.IsConflict(err), "%v", err)

		require.NoError(w, w.Start(w.Context(), id))
		require.NoError(w, w.Start(w.Context(), id), "a second start changes nothing")
		require.Equal(w, engine.StatusRunning, w.listed(id).Status)
		started := w.await(events, "start")
		require.Equal(w, id, started.ID)
		require.Equal(w, w.pod+"-web-1", started.Name)
		require.Equal(w, w.labels("web"), started.Labels)
		require.WithinDuration(w, begun, started.Time, soon)

		require.NoError(w, w.Signal(w.Context(), id, "KILL"))
		require.Equal(w, 137, w.await(events, "die").ExitCode)
		require.Eventually(w, func() bool { return w.listed(id).Status == engine.StatusExited }, soon, 10*time.Millisecond)
		require.Equal(w, 137, w.listed(id).ExitCode)
		err = w.Signal(w.Context(), id, "KILL")
		require.True(w, errdefs.IsConflict(err), "%v", err)

		require.NoError(w, w.Remove(w.Context(), engine.KindContainer, id))
		require.Equal(w, id, w.await(events, "destroy").ID)
		require.Empty(w, w.listed(id))
		require.NoError(w, failed())
		cancel()
		_, open := <-events
		require.False(w, open)
		require.ErrorIs(w, failed(), context.Canceled)
	}},
	{"exits and restarts", func(w *world) {
		w.script("job", enginetest.Script{Exits: true, Code: 7})
		events, _ := w.Events(w.Context(), w.label())
		id := w.start(w.spec("job", "sh", "-c", "exit 7"))
		require.Equal(w, 7, w.await(events, "die").ExitCode)
		require.Eventually(w, func() bool { return w.listed(id).ExitCode == 7 }, soon, 10*time.Millisecond)
		require.NoError(w, w.Start(w.Context(), id), "what has exited can be started again")
		require.Equal(w, 7, w.await(events, "die").ExitCode)
	}},
	{"events of others are not seen", func(w *world) {
		events, _ := w.Events(w.Context(), w.label(), labels.Service+"=web")
		w.start(w.spec("other", "true"))
		w.start(w.spec("web", "true"))
		require.Equal(w, "web", (<-events).Labels[labels.Service])
	}},
	{"health", func(w *world) {
		w.script("web", enginetest.Script{Exec: shell, Health: []enginetest.HealthChange{
			{After: time.Second, To: engine.HealthHealthy},
			{After: 2 * time.Second, To: engine.HealthUnhealthy},
		}})
		events, _ := w.Events(w.Context(), w.label())
		spec := w.spec("web", "sleep", "100")
		spec.Config.Healthcheck = &container.HealthConfig{ // the first check lasts until the container is well
			Test: []string{"CMD-SHELL", "test -e /sick && exit 1; " + untilFlag("well")}, Interval: 200 * time.Millisecond, Retries: 1,
		}
		id := w.start(spec)
		require.Equal(w, engine.HealthStarting, w.listed(id).Health)
		w.flag(id, "well")
		require.Equal(w, engine.HealthHealthy, w.await(events, "health_status").Health)
		w.flag(id, "sick")
		require.Equal(w, engine.HealthUnhealthy, w.await(events, "health_status").Health)
		require.Equal(w, engine.HealthUnhealthy, w.listed(id).Health)
	}},
	{"what is ours is adopted, what is not is left", func(w *world) {
		spec := w.spec("web", "true")
		id := w.create(spec)
		require.Equal(w, id, w.create(spec))
		foreign := *spec.Config
		foreign.Labels = map[string]string{labels.Pod: w.pod + "-other", labels.Service: "web"}
		spec.Config = &foreign
		_, err := w.Create(w.Context(), spec)
		require.True(w, errdefs.IsConflict(err), "%v", err)
		require.ErrorContains(w, err, spec.Name)

		missing := w.spec("missing", "true")
		missing.Config.Image = "dce-contract:missing"
		_, err = w.Create(w.Context(), missing)
		require.True(w, errdefs.IsNotFound(err), "%v", err)
	}},
	{"unknown containers", func(w *world) {
		for name, err := range map[string]error{
			"Start":          w.Start(w.Context(), "dce-nobody"),
			"Signal":         w.Signal(w.Context(), "dce-nobody", "SIGTERM"),
			"Stop":           w.Stop(w.Context(), "dce-nobody", time.Second),
			"DisableRestart": w.DisableRestart(w.Context(), "dce-nobody"),
			"Remind":         w.RemindHealthcheck(w.Context(), "dce-nobody"),
			"Inspect": func() error {
				_, err := w.Inspect(w.Context(), "dce-nobody")
				return err
			}(),
			"Copy": w.Copy(w.Context(), "dce-nobody", []engine.File{{Path: "/a"}}),
			"Logs": w.Logs(w.Context(), "dce-nobody", time.Time{}, nil),
		} {
			require.True(w, errdefs.IsNotFound(err), "%s: %v", name, err)
		}
		for _, kind := range []engine.Kind{engine.KindContainer, engine.KindNetwork, engine.KindVolume} {
			require.NoError(w, w.Remove(w.Context(), kind, "dce-nobody"), "what is gone is no error")
		}
		require.True(w, errdefs.IsInvalidArgument(w.Remove(w.Context(), "planet", "mars")))
	}},
	{"details, restart policy and stop", func(w *world) {
		w.script("deaf", enginetest.Script{Deaf: true})
		spec := w.spec("deaf", "sh", "-c", "trap '' TERM; while true; do sleep 1; done")
		spec.Host.CgroupParent = "/" + w.pod + "/run"
		spec.Host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyAlways}
		id := w.create(spec)
		w.Cleanup(func() { removeCgroup(w.T, spec.Host.CgroupParent) })
		details, err := w.Inspect(w.Context(), id)
		require.NoError(w, err)
		require.Equal(w, spec.Host.CgroupParent, details.CgroupParent)
		require.Equal(w, "always", details.Restart)
		require.Equal(w, w.listed(id).Created.Unix(), details.Created.Unix())
		require.NotZero(w, details.Created.Nanosecond(), "lists give whole seconds, this does not")
		require.NoError(w, w.Stop(w.Context(), id, time.Minute), "what does not run is stopped")

		require.NoError(w, w.Start(w.Context(), id))
		require.NoError(w, w.DisableRestart(w.Context(), id))
		details, err = w.Inspect(w.Context(), id)
		require.NoError(w, err)
		require.Equal(w, "no", details.Restart)
		pid := details.Pid
		require.NoError(w, w.RemindHealthcheck(w.Context(), id))
		require.Equal(w, engine.StatusRunning, w.listed(id).Status, "it goes on")
		details, err = w.Inspect(w.Context(), id)
		require.NoError(w, err)
		require.Equal(w, pid, details.Pid, "as the same process")
		begun := time.Now()
		require.NoError(w, w.Stop(w.Context(), id, 100*time.Millisecond))
		require.Less(w, time.Since(begun), soon)
		require.Eventually(w, func() bool { return w.listed(id).Status == engine.StatusExited }, soon, 10*time.Millisecond, "killed after the grace")
		require.Equal(w, 137, w.listed(id).ExitCode)
	}},
	{"logs", func(w *world) {
		w.script("web", enginetest.Script{
			Exits: true, After: time.Second, Exec: shell,
			Output: []engine.LogEntry{{Data: []byte("out\n")}, {Data: []byte("err\n"), Stderr: true}},
		})
		id := w.start(w.spec("web", "sh", "-c", "echo out; "+untilFlag("out")+"; echo err >&2; "+untilFlag("err")))
		var got []string
		var times []time.Time
		came := make(chan struct{}, 10)
		collect := func(e engine.LogEntry) error {
			got = append(got, fmt.Sprintf("%v %s", e.Stderr, e.Data))
			times = append(times, e.Time)
			came <- struct{}{}
			return nil
		}
		ended := make(chan error, 1)
		go func() { ended <- w.Logs(w.Context(), id, time.Time{}, collect) }()
		<-came
		w.flag(id, "out")
		<-came
		select {
		case err := <-ended:
			require.Fail(w, "the call lasts until the end", "%v", err)
		case <-time.After(100 * time.Millisecond):
		}
		w.flag(id, "err")
		require.NoError(w, <-ended)
		require.Equal(w, []string{"false out\n", "true err\n"}, got)
		require.WithinDuration(w, time.Now(), times[0], soon)
		require.Eventually(w, func() bool { return w.listed(id).Status == engine.StatusExited }, soon, 10*time.Millisecond)

		got = nil
		require.NoError(w, w.Logs(w.Context(), id, times[1], collect))
		require.Contains(w, got, "true err\n", "since is inclusive")
		got = nil
		require.NoError(w, w.Logs(w.Context(), id, times[1].Add(time.Second), collect))
		require.Empty(w, got)

		full := fmt.Errorf("disk full")
		require.Equal(w, full, w.Logs(w.Context(), id, time.Time{}, func(engine.LogEntry) error { return full }))
	}},
	{"logs end with the context", func(w *world) {
		id := w.start(w.spec("web", "sleep", "100"))
		ctx, cancel := context.WithTimeout(w.Context(), 200*time.Millisecond)
		defer cancel()
		require.ErrorIs(w, w.Logs(ctx, id, time.Time{}, func(engine.LogEntry) error { return nil }), context.DeadlineExceeded)
	}},
	{"networks", func(w *world) {
		spec := engine.NetworkSpec{Name: w.pod + "_net", Options: network.CreateOptions{Labels: w.labels("")}}
		id, err := w.CreateNetwork(w.Context(), spec)
		require.NoError(w, err)
		again, err := w.CreateNetwork(w.Context(), spec)
		require.NoError(w, err)
		require.Equal(w, id, again)
		second := spec
		second.Name += "_2"
		other, err := w.CreateNetwork(w.Context(), second)
		require.NoError(w, err)
		require.NotEqual(w, id, other)
		require.NoError(w, w.Remove(w.Context(), engine.KindNetwork, other))
		objects, err := w.Objects(w.Context(), engine.KindNetwork, w.label())
		require.NoError(w, err)
		require.Len(w, objects, 1)
		require.Equal(w, engine.Object{Kind: engine.KindNetwork, ID: id, Name: spec.Name, Created: objects[0].Created, Labels: w.labels("")}, objects[0])
		require.WithinDuration(w, time.Now(), objects[0].Created, soon)

		foreign := spec
		foreign.Options.Labels = map[string]string{labels.Pod: "dce-other"}
		_, err = w.CreateNetwork(w.Context(), foreign)
		require.True(w, errdefs.IsConflict(err), "%v", err)
		foreign.Options.Labels = nil
		_, err = w.CreateNetwork(w.Context(), foreign)
		require.True(w, errdefs.IsInvalidArgument(err), "%v", err)

		require.NoError(w, w.Remove(w.Context(), engine.KindNetwork, id))
		objects, err = w.Objects(w.Context(), engine.KindNetwork, w.label())
		require.NoError(w, err)
		require.Empty(w, objects)
	}},
	{"volumes", func(w *world) {
		spec := engine.VolumeSpec{Options: volume.CreateOptions{Name: w.pod + "_data", Labels: w.labels("")}}
		require.NoError(w, w.CreateVolume(w.Context(), spec))
		require.NoError(w, w.CreateVolume(w.Context(), spec))
		objects, err := w.Objects(w.Context(), engine.KindVolume, w.label())
		require.NoError(w, err)
		require.Len(w, objects, 1)
		require.Equal(w, engine.Object{Kind: engine.KindVolume, ID: spec.Options.Name, Name: spec.Options.Name, Created: objects[0].Created, Labels: w.labels("")}, objects[0])

		foreign := spec
		foreign.Options.Labels = map[string]string{labels.Pod: "dce-other"}
		err = w.CreateVolume(w.Context(), foreign)
		require.True(w, errdefs.IsConflict(err), "%v", err)
		foreign.Keep = true
		require.NoError(w, w.CreateVolume(w.Context(), foreign), "volumes of a name of their own are shared")

		_, err = w.Objects(w.Context(), engine.KindContainer, w.label())
		require.True(w, errdefs.IsInvalidArgument(err), "%v", err)
	}},
	{"published ports", func(w *world) {
		port := harness.FreePort(w)
		spec := w.spec("web", "sleep", "100")
		spec.Config.ExposedPorts = nat.PortSet{"80/tcp": {}, "81/tcp": {}}
		spec.Host = &container.HostConfig{PortBindings: nat.PortMap{"80/tcp": {{HostIP: "127.0.0.1", HostPort: strconv.FormatUint(port, 10)}}}}
		id := w.create(spec)
		require.Empty(w, w.listed(id).Ports)
		require.NoError(w, w.Start(w.Context(), id))
		require.Equal(w, []engine.Port{{HostIP: "127.0.0.1", Host: uint16(port), Container: 80, Protocol: "tcp"}}, w.listed(id).Ports)
	}},
}

func TestContractOfTheFake(t *testing.T) {
	for _, c := range slices.Concat(contract, execContract) {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Millisecond) // fake time begins with a whole second
				fake := enginetest.New()
				c.test(newWorld(t, fake, fake.Script))
			})
		})
	}
}

func TestContractOfDocker(t *testing.T) {
	removeImages(t, testImage, checkedImage)
	for _, version := range []string{"", "1.24"} {
		t.Run("API "+cmp.Or(version, "negotiated"), func(t *testing.T) {
			t.Setenv("DOCKER_API_VERSION", version)
			docker := connect(t, engine.ConnectOptions{})
			for _, c := range slices.Concat(contract, execContract) {
				t.Run(c.name, func(t *testing.T) {
					c.test(newWorld(t, docker, func(string, enginetest.Script) {}))
				})
			}
		})
	}
}
