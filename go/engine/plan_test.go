package engine_test

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

// here is an engine that has the images, and containers of the pod in some states.
func here(images []string, containers map[string]engine.Status) engine.Observed {
	seen := engine.Observed{Images: map[string]engine.Image{}}
	for _, i := range images {
		seen.Images[i] = engine.Image{}
	}
	for service, status := range containers {
		name := podID + "-" + service + "-1"
		seen.Containers = append(seen.Containers, engine.ContainerState{ID: "id-of-" + name, Name: name, Service: service, Status: status})
	}
	return seen
}

func TestPlans(t *testing.T) {
	joining := func(c engine.ContainerSpec, host container.HostConfig) engine.ContainerSpec {
		c.Host = &host
		return c
	}
	withImage := func(c engine.ContainerSpec, image string, pull engine.PullPolicy) engine.ContainerSpec {
		c.Image, c.Pull = image, pull
		return c
	}
	web := func() engine.ContainerSpec { return aService("web") }
	redis := func() engine.ContainerSpec { return aService("redis") }
	for _, c := range []struct {
		name string
		spec engine.PodSpec
		seen engine.Observed
		want string
	}{
		{"everything is missing", aPod(podID, "i", after(web(), "redis:service_healthy"), withImage(checkedBy(redis(), "true"), "redis:7", "")),
			engine.Observed{}, `
#1 pull i because image i is missing
#2 pull redis:7 because image redis:7 is missing
#3 inspect i [1] because only the pulled image knows whether it has a healthcheck
#4 create p-infra-1 [1] because container p-infra-1 is missing
#5 create p-redis-1 [2] because container p-redis-1 is missing
#6 create p-web-1 [1] because container p-web-1 is missing
#7 start p-infra-1 [4] because the services join it
#8 start p-redis-1 [5 7] because redis needs no other service
#9 wait p-redis-1 service_healthy [8] because web depends on redis: service_healthy
#10 start p-web-1 [6 7 9] because web depends on redis: service_healthy
#11 wait p-web-1 service_healthy [3 10] because web may have a healthcheck in its image
`},
		{"only the infra image is missing", func() engine.PodSpec {
			s := aPod(podID, "i", web())
			s.Infra.Image = "dce/pause:1"
			return s
		}(), here([]string{"i"}, nil), `
#1 load dce/pause:1 because image dce/pause:1 is missing
#2 create p-infra-1 [1] because container p-infra-1 is missing
#3 create p-web-1 because container p-web-1 is missing
#4 start p-infra-1 [2] because the services join it
#5 start p-web-1 [3 4] because web needs no other service
`},
		{"all three conditions, and one that nobody insists on",
			aPod(podID, "i", after(web(), "redis:service_started", "init:service_completed_successfully", "db:service_healthy?"),
				redis(), initService(aService("init")), checkedBy(aService("db"), "true")),
			here([]string{"i"}, nil), `
#1 create p-infra-1 because container p-infra-1 is missing
#2 create p-db-1 because container p-db-1 is missing
#3 create p-init-1 because container p-init-1 is missing
#4 create p-redis-1 because container p-redis-1 is missing
#5 create p-web-1 because container p-web-1 is missing
#6 start p-infra-1 [1] because the services join it
#7 start p-db-1 [2 6] because db needs no other service
#8 wait p-db-1 service_healthy [7] because web depends on db: service_healthy
#9 start p-init-1 [3 6] because init needs no other service
#10 wait p-init-1 service_completed_successfully [9] because web depends on init: service_completed_successfully
#11 start p-redis-1 [4 6] because redis needs no other service
#12 start p-web-1 [5 6 8? 10 11] because web depends on redis: service_started, web depends on init: service_completed_successfully, web depends on db: service_healthy
`},
		{"what an earlier attempt left is adopted or replaced",
			aPod(podID, "i", web(), redis(), after(aService("db"), "redis:service_started")),
			here([]string{"i"}, map[string]engine.Status{
				"infra": engine.StatusRunning, "redis": engine.StatusRunning, "web": engine.StatusCreated, "db": engine.StatusExited,
			}), `
#1 remove p-db-1 because container p-db-1 is left from an earlier attempt (exited)
#2 create p-db-1 [1] because #1 removes the old one
#3 start p-web-1 because web needs no other service
#4 start p-db-1 [2] because db depends on redis: service_started
`},
		{"a service outlived the infra container it joined", aPod(podID, "i", web()),
			here([]string{"i"}, map[string]engine.Status{"infra": engine.StatusExited, "web": engine.StatusRunning}), `
#1 remove p-infra-1 because container p-infra-1 is left from an earlier attempt (exited)
#2 create p-infra-1 [1] because #1 removes the old one
#3 remove p-web-1 because container p-web-1 runs in namespaces of p-infra-1 that are gone
#4 create p-web-1 [3] because #3 removes the old one
#5 start p-infra-1 [2] because the services join it
#6 start p-web-1 [4 5] because web needs no other service
`},
		{"ipc, pid and volumes of others must be there at create, and no infra is needed by those who do not join it",
			aPod(podID, "i",
				joining(aService("ipc"), container.HostConfig{NetworkMode: "host", IpcMode: "container:p-infra-1"}),
				joining(aService("pid"), container.HostConfig{NetworkMode: "none", PidMode: "container:p-ipc-1"}),
				joining(aService("vol"), container.HostConfig{NetworkMode: "none", VolumesFrom: []string{"p-pid-1:ro"}})),
			here([]string{"i"}, nil), `
#1 create p-infra-1 because container p-infra-1 is missing
#2 create p-ipc-1 [1] because container p-ipc-1 is missing
#3 create p-pid-1 [2] because container p-pid-1 is missing
#4 create p-vol-1 [3] because container p-vol-1 is missing
#5 start p-infra-1 [1] because the services join it
#6 start p-ipc-1 [2 5] because ipc needs no other service
#7 start p-pid-1 [3 6] because pid needs no other service
#8 start p-vol-1 [4] because vol needs no other service
`},
		{"networks, volumes and files", func() engine.PodSpec {
			c := web()
			c.Files = []engine.File{{Path: "/run/secrets/s"}}
			c.Host = &container.HostConfig{
				NetworkMode: "p_front", Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: "p_data"}}, Binds: []string{"p_old:/x"},
			}
			c.Networks = map[string]*network.EndpointSettings{"p_front": {}, "p_back": {}}
			s := aPod(podID, "i", c)
			s.Networks = []engine.NetworkSpec{{Name: "p_back"}, {Name: "p_front"}, {Name: "p_unused"}}
			s.Volumes = []engine.VolumeSpec{{Options: volume.CreateOptions{Name: "p_data"}}, {Options: volume.CreateOptions{Name: "p_old"}}}
			return s
		}(), func() engine.Observed {
			seen := here([]string{"i"}, nil)
			seen.Volumes, seen.Networks = map[string]bool{"p_old": true}, map[string]bool{"p_back": true}
			return seen
		}(), `
#1 create network p_front because network p_front is missing
#2 create network p_unused because network p_unused is missing
#3 create volume p_data because volume p_data is missing
#4 create p-infra-1 because container p-infra-1 is missing
#5 create p-web-1 [1 3] because container p-web-1 is missing
#6 copy p-web-1 [5] because web has 1 secrets or configs with content
#7 start p-infra-1 [4] because the services join it
#8 start p-web-1 [6] because web needs no other service
`},
		{"pull policies", aPod(podID, "i", withImage(web(), "w", engine.PullAlways), withImage(redis(), "r", engine.PullNever)),
			here([]string{"i", "w", "r"}, nil), `
#1 pull w because services.web.pull_policy is always
#2 inspect w [1] because only the pulled image knows whether it has a healthcheck
#3 create p-infra-1 because container p-infra-1 is missing
#4 create p-redis-1 because container p-redis-1 is missing
#5 create p-web-1 [1] because container p-web-1 is missing
#6 start p-infra-1 [3] because the services join it
#7 start p-redis-1 [4 6] because redis needs no other service
#8 start p-web-1 [5 6] because web needs no other service
#9 wait p-web-1 service_healthy [2 8] because web may have a healthcheck in its image
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan, err := engine.NewPlan(c.spec, c.seen)
			require.NoError(t, err)
			require.Equal(t, strings.TrimPrefix(c.want, "\n"), plan.String())
		})
	}
}

func TestThereIsNoPlanFor(t *testing.T) {
	joinWeb := aService("redis")
	joinWeb.Host = &container.HostConfig{NetworkMode: "container:p-web-1"}
	never := aService("web")
	never.Pull = engine.PullNever
	for _, c := range []struct {
		name     string
		services []engine.ContainerSpec
		images   []string
		reason   string
		want     string
	}{
		{"a cycle", []engine.ContainerSpec{
			after(aService("a"), "b:service_started"), after(aService("b"), "c:service_healthy"), after(checkedBy(aService("c"), "true"), "b:service_started"),
		}, []string{"i"}, "REASON_TASK_INVALID",
			"the services need each other in a circle, b -> c -> b: take one out of services.b.depends_on, services.c.depends_on"},
		{"a cycle through a namespace", []engine.ContainerSpec{after(aService("web"), "redis:service_started"), joinWeb},
			[]string{"i"}, "REASON_TASK_INVALID",
			"the services need each other in a circle, redis -> web -> redis: take one out of services.redis.network_mode, services.web.depends_on"},
		{"a service that needs itself", []engine.ContainerSpec{after(aService("a"), "a:service_started")},
			[]string{"i"}, "REASON_TASK_INVALID", "the services need each other in a circle, a -> a: take one out of services.a.depends_on"},
		{"an unknown dependency", []engine.ContainerSpec{after(aService("web"), "db:service_started")},
			[]string{"i"}, "REASON_TASK_INVALID",
			"service web depends on service db, which the pod does not have: add it, enable its profile, or take it out of services.web.depends_on"},
		{"health without a healthcheck", []engine.ContainerSpec{after(aService("web"), "db:service_healthy"), aService("db")},
			[]string{"i"}, "REASON_TASK_INVALID",
			"service web waits for service db to be healthy, which has no healthcheck: give it services.db.healthcheck, or wait for service_started"},
		{"an image that may not be pulled", []engine.ContainerSpec{never}, nil, "REASON_CONTAINER_LAUNCH_FAILED",
			"image i of service web is not on this host and services.web.pull_policy is never: load it there, or allow the pull"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := engine.NewPlan(aPod(podID, "i", c.services...), here(c.images, nil))
			var op *engine.OpError
			require.ErrorAs(t, err, &op)
			require.Equal(t, c.want, err.Error())
			require.Equal(t, c.reason, op.Reason())
		})
	}
}

func TestADependencyThatIsNotThereAndNotRequiredIsLeftOut(t *testing.T) {
	plan, err := engine.NewPlan(aPod(podID, "i", after(aService("web"), "db:service_healthy?")), here([]string{"i"}, nil))
	require.NoError(t, err)
	require.NotContains(t, plan.String(), "db")
}

func TestAPlanLeavesWhatItIsMadeOfAlone(t *testing.T) {
	seen := here([]string{"i"}, nil)
	c := aService("web")
	c.Pull = engine.PullAlways
	_, err := engine.NewPlan(aPod(podID, "i", c), seen)
	require.NoError(t, err)
	require.Contains(t, seen.Images, "i")
}
