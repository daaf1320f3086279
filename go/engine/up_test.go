package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
	"github.com/dce-go/dce/go/labels"
)

// healthyAfter is the script of a service whose healthcheck first fails for a while.
func healthyAfter(d time.Duration) enginetest.Script {
	return enginetest.Script{Health: []enginetest.HealthChange{{After: d, To: engine.HealthHealthy}}}
}

func calls(f *enginetest.Fake, method engine.Method) []string {
	var out []string
	for _, c := range f.Calls() {
		if rest, ok := strings.CutPrefix(c, string(method)+" "); ok {
			out = append(out, rest)
		}
	}
	return out
}

func TestUpHonoursAllConditions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		fake.Script("redis", healthyAfter(3*time.Second))
		fake.Script("init", enginetest.Script{Exits: true, After: 5 * time.Second})
		fake.Script("web", healthyAfter(2*time.Second))
		started := map[string]time.Duration{}
		begun := time.Now()
		spec := aPod(podID, "i",
			after(checkedBy(aService("web"), "true"), "redis:service_healthy", "init:service_completed_successfully"),
			checkedBy(aService("redis"), "true"),
			after(initService(aService("init")), "redis:service_started"))
		go func() { // what Up shares its stream with
			for o := range p.Watch(t.Context(), podID) {
				for _, c := range o.Containers {
					if _, known := started[c.Service]; !known && c.Status == engine.StatusRunning {
						started[c.Service] = time.Since(begun)
					}
				}
			}
		}()
		var stages []engine.Stage
		require.NoError(t, p.Up(t.Context(), spec, func(s engine.Stage) { stages = append(stages, s) }))
		require.Equal(t, 7*time.Second, time.Since(begun), "init takes 5 s, then web 2 s to be healthy")
		require.Equal(t, []engine.Stage{engine.StageCreate, engine.StageStart}, stages)
		synctest.Wait()
		require.Equal(t, map[string]time.Duration{"infra": 0, "redis": 0, "init": 0, "web": 5 * time.Second}, started)
	})
}

func TestUpAsksForNothingThatItNeedNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		ctx, cancel := context.WithCancel(t.Context())
		watch := p.Watch(ctx, podID)
		require.True(t, (<-watch).Full)
		go func() {
			for range watch {
			}
		}()
		require.NoError(t, p.Up(t.Context(), three(podID, "i"), nil))
		got := fake.Calls()
		slices.Sort(got)
		require.Equal(t, []string{
			"Create container p-a-1", "Create container p-b-1", "Create container p-c-1", "Create container p-infra-1",
			"Events", "Image image i", "List",
			"Start container p-a-1", "Start container p-b-1", "Start container p-c-1", "Start container p-infra-1",
		}, got, "one stream and one list for Up and Watch, one look at the image, no inspect")
		cancel()
	})
}

func TestUpPullsEachImageOnceAndLearnsOfItsHealthcheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		fake.Publish("r", engine.Image{ID: "sha256:2", Health: true})
		fake.Script("a", healthyAfter(time.Second))
		fake.Script("b", healthyAfter(2*time.Second))
		a, b := aService("a"), aService("b")
		a.Image, b.Image = "r", "r"
		begun := time.Now()
		var stages []engine.Stage
		require.NoError(t, p.Up(t.Context(), aPod(podID, "i", a, b), func(s engine.Stage) { stages = append(stages, s) }))
		require.Equal(t, 2*time.Second, time.Since(begun))
		require.Equal(t, []string{"image r"}, calls(fake, engine.MethodPull))
		require.Equal(t, []engine.Stage{engine.StagePull, engine.StageCreate, engine.StageStart}, stages)
	})
}

func TestUpLoadsTheInfraImageThatTheProgramCarries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		spec := aPod(podID, "i", aService("web"))
		spec.Infra.Image, spec.Infra.Config.Image = "dce/pause:1", "dce/pause:1"
		err := p.Up(t.Context(), spec, nil)
		require.EqualError(t, err, "the image dce/pause:1 of the infra container can't be loaded: this program carries no such image")
		require.NoError(t, p.Remove(t.Context(), spec))

		p.Pause = emptyRootfs(t)
		require.NoError(t, p.Up(t.Context(), spec, nil))
		require.Equal(t, []string{"image dce/pause:1"}, calls(fake, engine.MethodLoad))
		require.Empty(t, calls(fake, engine.MethodPull))
	})
}

func TestUpAdoptsWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		withFiles := checkedBy(aService("a"), "true")
		withFiles.Files = []engine.File{{Path: "/f", Content: []byte("x")}}
		fake.Script("a", healthyAfter(time.Second))
		spec := aPod(podID, "i", withFiles, aService("b"))
		spec.Volumes = []engine.VolumeSpec{{Options: volume.CreateOptions{Name: "v", Labels: spec.Labels}}}
		require.NoError(t, p.Up(t.Context(), spec, nil))
		before := len(fake.Calls())

		require.NoError(t, p.Up(t.Context(), spec, nil), "all of it runs")
		require.NotContains(t, strings.Join(fake.Calls()[before:], "\n"), "Create")
		fake.Exit("p-b-1", 0)
		require.NoError(t, p.Up(t.Context(), spec, nil), "what has ended is made anew")
		require.Len(t, calls(fake, engine.MethodCreate), 4)
		require.Equal(t, []string{"container p-b-1"}, calls(fake, engine.MethodRemove))
		require.Contains(t, fake.Files("p-a-1"), "/f")
	})
}

// TestWhatUpFailsOf has a row for everything that may go wrong while a pod comes up.
func TestWhatUpFailsOf(t *testing.T) {
	exits := func(code int) enginetest.Script {
		return enginetest.Script{Exits: true, After: time.Second, Code: code}
	}
	sick := enginetest.Script{Health: []enginetest.HealthChange{{After: time.Second, To: engine.HealthUnhealthy}}}
	slow := checkedBy(aService("slow"), "true") // keeps Up waiting
	for _, c := range []struct {
		name     string
		services []engine.ContainerSpec
		prepare  func(*enginetest.Fake)
		service  string
		reason   string
		want     string
	}{
		{"a service that exits", []engine.ContainerSpec{aService("web"), slow},
			func(f *enginetest.Fake) { f.Script("web", exits(3)) }, "web", "REASON_CONTAINER_LAUNCH_FAILED",
			"service web exited with code 3 while the pod was starting: look at logs/web.log"},
		{"a service with a folder of its own for its output", []engine.ContainerSpec{loggedTo(aService("web"), "logs-p"), slow},
			func(f *enginetest.Fake) { f.Script("web", exits(3)) }, "web", "REASON_CONTAINER_LAUNCH_FAILED",
			"service web exited with code 3 while the pod was starting: look at logs-p/web.log"},
		{"a service that is killed, maybe for want of memory", []engine.ContainerSpec{aService("web"), slow},
			func(f *enginetest.Fake) {
				f.Script("web", enginetest.Script{OnStart: func(name string) { go func() { time.Sleep(time.Second); f.OOM(name) }() }})
			}, "web", "REASON_CONTAINER_LAUNCH_FAILED", "service web exited with code 137 while the pod was starting: look at logs/web.log"},
		{"an init container that fails", []engine.ContainerSpec{after(aService("web"), "init:service_completed_successfully"), initService(aService("init"))},
			func(f *enginetest.Fake) { f.Script("init", exits(4)) }, "init", "REASON_CONTAINER_LAUNCH_FAILED",
			"service init exited with code 4 while the pod was starting: look at logs/init.log, and web depends on init: service_completed_successfully"},
		{"a healthcheck that never passes", []engine.ContainerSpec{checkedBy(aService("web"), "false")},
			func(f *enginetest.Fake) { f.Script("web", sick) }, "web", "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED",
			"service web is unhealthy, its healthcheck never passed: look at logs/web.log, or raise services.web.healthcheck.retries or start_period"},
		{"a dependency that ends before it is healthy", []engine.ContainerSpec{after(aService("web"), "db:service_healthy"), checkedBy(aService("db"), "true")},
			func(f *enginetest.Fake) { f.Script("db", exits(0)) }, "db", "REASON_CONTAINER_LAUNCH_FAILED",
			"service db exited with code 0 while the pod was starting: look at logs/db.log, and web depends on db: service_healthy"},
		{"a pulled image without the healthcheck that is waited for", func() []engine.ContainerSpec {
			db := aService("db")
			db.Image = "db"
			return []engine.ContainerSpec{after(aService("web"), "db:service_healthy"), db}
		}(), func(f *enginetest.Fake) { f.Publish("db", engine.Image{}) }, "db", "REASON_TASK_INVALID",
			"service web waits for service db to be healthy, which has no healthcheck: give it services.db.healthcheck, or wait for service_started"},
		{"infra ended from outside", []engine.ContainerSpec{slow},
			func(f *enginetest.Fake) { f.Script("infra", exits(137)) }, "", "REASON_CONTAINER_LAUNCH_FAILED",
			"the infra container p-infra-1, which holds the network of the pod, exited with code 137 while the pod was starting: it was ended from outside, or by a restart of dockerd without live-restore"},
		{"a container removed from outside", []engine.ContainerSpec{aService("web"), slow},
			func(f *enginetest.Fake) {
				f.Script("web", enginetest.Script{Exits: true, OnStart: func(name string) {
					go func() { time.Sleep(time.Second); _ = f.Remove(context.Background(), engine.KindContainer, name) }()
				}})
			}, "web", "REASON_CONTAINER_LAUNCH_FAILED",
			"the container p-web-1 of service web was removed from outside while the pod was starting"},
		{"an image that does not exist", func() []engine.ContainerSpec {
			web := aService("web")
			web.Image = "nope:1"
			return []engine.ContainerSpec{web}
		}(), func(*enginetest.Fake) {}, "web", "REASON_CONTAINER_LAUNCH_FAILED",
			"image nope:1 of service web does not exist in its registry or may not be read: correct services.web.image, or log in with docker login (image nope:1: not found)"},
		{"a registry that is out of reach", func() []engine.ContainerSpec {
			web := aService("web")
			web.Image = "nope:1"
			return []engine.ContainerSpec{web}
		}(), func(f *enginetest.Fake) {
			f.Fail(engine.MethodPull, errdefs.ErrInternal.WithMessage("no such host"), 1)
		}, "web", "REASON_CONTAINER_LAUNCH_FAILED",
			"image nope:1 of service web can't be pulled: see that its registry can be reached from this host, or load it there (no such host)"},
		{"an engine that went away", nil,
			func(f *enginetest.Fake) {
				f.Fail(engine.MethodCreate, errdefs.ErrUnavailable.WithMessage("cannot connect"), enginetest.Always)
			}, "infra", "REASON_CONTAINER_LAUNCH_FAILED", "create of p-infra-1 was given up: cannot connect"},
		{"an engine that can't be asked", []engine.ContainerSpec{aService("web")},
			func(f *enginetest.Fake) {
				f.Fail(engine.MethodList, errdefs.ErrUnavailable.WithMessage("cannot connect"), enginetest.Always)
			}, "", "REASON_CONTAINER_LAUNCH_FAILED", "what is there of the pod can't be read: cannot connect"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, fake := fakePod()
				c.prepare(fake)
				err := p.Up(t.Context(), aPod(podID, "i", c.services...), nil)
				var op *engine.OpError
				require.ErrorAs(t, err, &op)
				require.Equal(t, c.reason, op.Reason())
				require.Equal(t, c.want, err.Error())
				require.Equal(t, c.service, op.Service)
				require.Equal(t, strings.Contains(c.want, "service web exited with code 137"), op.Killed)
			})
		})
	}
}

func TestUpGoesOnWithoutWhatNobodyInsistsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		sidecar := aService("sidecar")
		sidecar.Essential = false
		fake.Script("sidecar", enginetest.Script{Exits: true, After: time.Second, Code: 1})
		spec := aPod(podID, "i", sidecar, after(aService("web"), "sidecar:service_completed_successfully?"))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		require.Contains(t, calls(fake, engine.MethodStart), "container p-web-1")
	})
}

func TestUpEndsAtOnceWhenItsContextDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		spec := aPod(podID, "i", checkedBy(aService("web"), "true"))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begun := time.Now()
		require.ErrorIs(t, p.Up(ctx, spec, nil), context.Canceled)
		require.Equal(t, time.Second, time.Since(begun))
		require.NoError(t, p.Remove(t.Context(), spec))

		// A start that is under way is waited for, so that it does not land after a stop; but not for ever.
		ctx, cancel = context.WithCancel(t.Context())
		release := fake.Hang(engine.MethodStart)
		time.AfterFunc(time.Second, cancel)
		time.AfterFunc(1500*time.Millisecond, release)
		begun = time.Now()
		require.ErrorIs(t, p.Up(ctx, spec, nil), context.Canceled)
		require.Equal(t, 1500*time.Millisecond, time.Since(begun))
		list, err := fake.List(t.Context(), labels.Service+"=infra")
		require.NoError(t, err)
		require.Equal(t, engine.StatusRunning, list[0].Status)
		require.NoError(t, p.Remove(t.Context(), spec))

		ctx, cancel = context.WithCancel(t.Context())
		defer fake.Hang(engine.MethodStart)()
		time.AfterFunc(time.Second, cancel)
		begun = time.Now()
		require.ErrorIs(t, p.Up(ctx, spec, nil), context.Canceled)
		require.Equal(t, 3*time.Second, time.Since(begun))
	})
}

func TestTheFirstErrorEndsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		fake.Publish("slow", engine.Image{})
		defer fake.Hang(engine.MethodPull)()
		fake.Fail(engine.MethodCreate, errors.New("broken"), 1)
		slow := aService("slow")
		slow.Image = "slow"
		err := p.Up(t.Context(), aPod(podID, "i", aService("web"), slow), nil)
		require.ErrorContains(t, err, "broken")
		for _, started := range calls(fake, engine.MethodStart) { // infra may have been on its way
			require.Contains(t, started, "infra")
		}
	})
}
