package engine_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/go-connections/nat"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// prompt is a command that ends as soon as it is told to.
var prompt = []string{"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.02; done"}

// realPod is a pod on the real engine; what is left of it when the test ends is removed.
func realPod(t *testing.T) (*world, *engine.Pod) {
	t.Helper()
	w := dockerWorld(t)
	return w, &engine.Pod{Gateway: w.Gateway, Log: quiet()}
}

func three(id, image string) engine.PodSpec {
	return aPod(id, image, aService("a", "sleep", "600"), aService("b", "sleep", "600"), aService("c", "sleep", "600"))
}

// atOnce has a pod killed as it is stopped, however long the engine takes for it.
func atOnce(spec engine.PodSpec) engine.PodSpec {
	for i := range spec.Services {
		spec.Services[i].Grace = 0
	}
	return spec
}

func (w *world) statuses() map[string]engine.Status {
	w.Helper()
	list, err := w.List(w.Context(), w.label())
	require.NoError(w, err)
	out := map[string]engine.Status{}
	for _, c := range list {
		out[c.Labels[labels.Service]] = c.Status
	}
	return out
}

// nothingLeft asks for everything that bears the pod's label.
func (w *world) nothingLeft() {
	w.Helper()
	require.Empty(w, w.statuses())
	for _, kind := range []engine.Kind{engine.KindNetwork, engine.KindVolume} {
		objects, err := w.Objects(w.Context(), kind, w.label())
		require.NoError(w, err)
		require.Empty(w, objects)
	}
}

func TestAPodOnARealEngine(t *testing.T) {
	w, p := realPod(t)
	before := goleak.IgnoreCurrent()
	redis := checkedBy(aService("redis", "sh", "-c", "trap 'exit 0' TERM; sleep 0.5; cat /dev/null > /data/ready; while :; do sleep 0.02; done"),
		"test", "-e", "/data/ready")
	redis.Config.Healthcheck.Retries = 100
	redis.Config.Volumes = map[string]struct{}{"/data": {}}
	redis.Host = &container.HostConfig{Binds: []string{w.pod + "_v:/data"}}
	migrate := initService(aService("migrate", "sh", "-c", "test -e /run/secret/token && sleep 0.2"))
	migrate.Files = []engine.File{{Path: "/run/secret/token", Content: []byte("x"), Mode: 0o400}}
	web := after(aService("web", prompt...), "redis:service_healthy", "migrate:service_completed_successfully")
	spec := aPod(w.pod, w.image, redis, migrate, web)
	joined := spec.Services[2].Host.NetworkMode
	spec.Services[2].Host.Init = new(true) // the kernel drops a signal that reaches the shell, as PID 1, before its trap is set
	spec.Services[1].Host.NetworkMode, spec.Services[1].Host.IpcMode = joined, container.IpcMode(joined)
	spec.Networks = []engine.NetworkSpec{{Name: w.pod + "_n", Options: network.CreateOptions{Labels: spec.Labels}}}
	spec.Infra.Host.NetworkMode = container.NetworkMode(w.pod + "_n")
	spec.Volumes = []engine.VolumeSpec{{Options: volume.CreateOptions{Name: w.pod + "_v", Labels: spec.Labels}}}

	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan []string, 1)
	events, failed := w.Events(ctx, w.label())
	require.NoError(t, failed())
	go func() {
		var order []string
		for e := range events {
			order = append(order, strings.TrimSpace(fmt.Sprint(e.Labels[labels.Service], " ", e.Action, " ", e.Health)))
		}
		seen <- order
	}()
	require.NoError(t, p.Up(ctx, spec, nil))
	require.Equal(t, map[string]engine.Status{
		"infra": engine.StatusRunning, "redis": engine.StatusRunning, "migrate": engine.StatusExited, "web": engine.StatusRunning,
	}, w.statuses())
	require.Equal(t, engine.StopReport{}, p.Stop(ctx, spec, in(time.Minute)))
	require.NoError(t, p.Remove(ctx, spec))
	w.nothingLeft()
	cancel()
	order := <-seen
	goleak.VerifyNone(t, before, // but for idle connections
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
	for _, pair := range [][2]string{
		{"infra start", "redis start"}, {"infra start", "migrate start"},
		{"redis health_status healthy", "web start"}, {"migrate die", "web start"},
		{"web die", "redis die"}, {"redis die", "infra die"},
	} {
		require.Less(t, slices.Index(order, pair[0]), slices.Index(order, pair[1]), "%v in %v", pair, order)
		require.GreaterOrEqual(t, slices.Index(order, pair[0]), 0, "%s in %v", pair[0], order)
	}
}

func TestWhatARealEngineRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "0.0.0.0:0")
	require.NoError(t, err)
	defer taken.Close()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	for _, c := range []struct {
		name    string
		spec    func(w *world) engine.PodSpec
		service string
		reason  string
		want    string
	}{
		{"a port that a process has", func(w *world) engine.PodSpec {
			s := aPod(w.pod, w.image, aService("web", prompt...))
			s.Infra.Host.PortBindings = nat.PortMap{"80/tcp": {{HostPort: port}}}
			s.Infra.Config.ExposedPorts = nat.PortSet{"80/tcp": {}}
			return s
		}, "infra", "REASON_CONTAINER_LAUNCH_FAILED", "port " + port + " of this host, which the infra container publishes for its port 80/tcp, is already taken: end what listens there"},
		{"a command that does not exist", func(w *world) engine.PodSpec { return aPod(w.pod, w.image, aService("web", "/nope")) },
			"web", "REASON_CONTAINER_LAUNCH_FAILED", "service web can't be started: see that services.web.command and entrypoint exist in image"},
		{"an image that does not exist", func(w *world) engine.PodSpec {
			c := aService("web", prompt...)
			c.Image = "127.0.0.1:9/nope:1"
			return aPod(w.pod, w.image, c)
		}, "web", "REASON_CONTAINER_LAUNCH_FAILED", "127.0.0.1:9/nope:1"},
		{"a service that exits at once", func(w *world) engine.PodSpec {
			slow := checkedBy(aService("slow", prompt...), "test", "-e", "/never")
			slow.Config.Healthcheck.Retries = 1000
			return aPod(w.pod, w.image, aService("web", "sh", "-c", "exit 3"), slow)
		}, "web", "REASON_CONTAINER_LAUNCH_FAILED", "service web exited with code 3 while the pod was starting"},
		{"a healthcheck that never passes", func(w *world) engine.PodSpec {
			return aPod(w.pod, w.image, checkedBy(aService("web", prompt...), "test", "-e", "/never"))
		}, "web", "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED", "service web is unhealthy, its healthcheck never passed"},
		{"an init container that fails", func(w *world) engine.PodSpec {
			return aPod(w.pod, w.image, initService(aService("init", "sh", "-c", "exit 4")), after(aService("web", prompt...), "init:service_completed_successfully"))
		}, "init", "REASON_CONTAINER_LAUNCH_FAILED", "service init exited with code 4 while the pod was starting: look at logs/init.log, and web depends on init"},
		{"a cgroup that can't be joined", func(w *world) engine.PodSpec {
			s := aPod(w.pod, w.image, aService("web", prompt...))
			s.Services[0].Host.CgroupParent = "/cgroup.procs/x" // below a file
			return s
		}, "web", "REASON_CONTAINER_LAUNCH_FAILED", "service web can't join the cgroup /cgroup.procs/x: see that it exists on this host"},
		{"a container of that name which is not ours", func(w *world) engine.PodSpec {
			s := aPod(w.pod, w.image, aService("web", prompt...))
			foreign := s.Services[0]
			config := *foreign.Config
			config.Labels = map[string]string{"whose": "not ours"}
			foreign.Config, foreign.Host = &config, nil
			id, err := w.Create(w.Context(), &foreign)
			require.NoError(w, err)
			w.Cleanup(func() { require.NoError(w, w.Remove(context.Background(), engine.KindContainer, id)) })
			return s
		}, "web", "REASON_CONTAINER_LAUNCH_FAILED", "service web can't be created"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, p := realPod(t)
			spec := atOnce(c.spec(w))
			ctx, cancel := context.WithTimeout(t.Context(), soon)
			defer cancel()
			err := p.Up(ctx, spec, nil)
			var op *engine.OpError
			require.ErrorAs(t, err, &op)
			require.Contains(t, err.Error(), c.want)
			require.Equal(t, c.service, op.Service)
			require.Equal(t, c.reason, op.Reason())
			require.Equal(t, engine.StopReport{}, p.Stop(t.Context(), spec, in(soon)))
			require.NoError(t, p.Remove(t.Context(), spec))
			w.nothingLeft()
		})
	}
}

// TestAKillInEveryStateLeavesNothing cancels Up as each of its stages begins, and a moment later.
func TestAKillInEveryStateLeavesNothing(t *testing.T) {
	w, p := realPod(t)
	for _, stage := range []engine.Stage{engine.StageCreate, engine.StageStart, "up"} {
		for _, later := range []time.Duration{0, 20 * time.Millisecond, 150 * time.Millisecond} {
			ctx, cancel := context.WithCancel(t.Context())
			spec := atOnce(three(w.pod, w.image))
			err := p.Up(ctx, spec, func(s engine.Stage) {
				if s == stage {
					time.AfterFunc(later, cancel)
				}
			})
			if err != nil {
				require.ErrorIs(t, err, context.Canceled)
			}
			report := p.Stop(t.Context(), spec, in(soon))
			require.NoError(t, report.Err)
			for service, status := range w.statuses() {
				if status == engine.StatusRunning { // its network may still be torn down, and the list lag behind
					require.Error(t, w.Signal(t.Context(), spec.ID+"-"+service+"-1", "0"), "%s at %s+%s", service, stage, later)
				}
			}
			require.NoError(t, p.Remove(t.Context(), spec))
			w.nothingLeft()
			cancel()
		}
	}
}

func TestAContainerKilledFromOutsideIsSeen(t *testing.T) {
	w, p := realPod(t)
	spec := three(w.pod, w.image)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch := p.Watch(ctx, w.pod)
	go func() { _ = p.Up(ctx, spec, nil) }() // judged by what is watched
	up := map[string]bool{}
	for o := range watch {
		for _, c := range o.Containers {
			if c.Status == engine.StatusRunning {
				up[c.Service] = true
			}
		}
		if len(up) == 4 {
			break
		}
	}
	require.NoError(t, w.Signal(ctx, spec.Services[0].Name, "KILL"))
	for o := range watch {
		if s := states(o)["a"]; s.Status == engine.StatusExited {
			require.Equal(t, 137, s.ExitCode)
			require.False(t, o.Full, "by the engine's own event")
			return
		}
	}
	require.Fail(t, "its end was not seen")
}

// TestWhatIsExternalMustExist: an engine would make an empty volume of a name that it does not know, and leave it behind.
func TestWhatIsExternalMustExist(t *testing.T) {
	w, p := realPod(t)
	name := w.pod + "_external"
	a := aService("a", prompt...)
	a.Host = &container.HostConfig{Binds: []string{name + ":/data", "/etc/hostname:/h"}}
	spec := aPod(w.pod, w.image, a)
	err := p.Up(t.Context(), spec, nil)
	require.EqualError(t, err, "the volume "+name+" of service a is external and does not exist on this host: create it (docker volume create "+
		name+"), or take external out so that it is created with the pod")
	require.Equal(t, "REASON_CONTAINER_LAUNCH_FAILED", err.(interface{ Reason() string }).Reason())
	w.nothingLeft()

	require.NoError(t, w.CreateVolume(t.Context(), engine.VolumeSpec{Options: volume.CreateOptions{Name: name}, Keep: true}))
	t.Cleanup(func() { require.NoError(t, w.Remove(context.WithoutCancel(t.Context()), engine.KindVolume, name)) })
	require.NoError(t, p.Up(t.Context(), spec, nil))
	require.Equal(t, engine.StopReport{}, p.Stop(t.Context(), spec, in(time.Minute)))
	require.NoError(t, p.Remove(t.Context(), spec))
	w.nothingLeft()
}
