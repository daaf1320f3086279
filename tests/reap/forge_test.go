package reap

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/labels"
)

// forged is a container that somebody makes with the labels of a pod.
type forged struct {
	service string
	parent  string                 // cgroup parent
	name    string                 // default: as the pod's own would be
	run     string                 // another Mesos container id, with all that follows from it
	change  func(*labels.Identity) // another identity, with all that follows from it
	pod     string                 // another pod id, and nothing else
	runs    bool
}

// forge makes the container and returns its id.
func (h *host) forge(p *pod, f forged) string {
	h.Helper()
	id, _, whole := labels.Parse(p.containers()["web"].Labels)
	require.True(h, whole)
	id.Container = cmp.Or(f.run, id.Container)
	if f.change != nil {
		f.change(&id)
	}
	all := labels.ForService(maps.Clone(id.Labels("forged")), f.service, labels.RoleService, "1")
	all[labels.Pod] = cmp.Or(f.pod, all[labels.Pod])
	name := cmp.Or(f.name, all[labels.Pod]+"-"+f.service+"-1")
	made, err := world.docker.ContainerCreate(context.Background(), &container.Config{Image: "dce-test/busybox", Cmd: []string{"sleep", "1000"}, Labels: all},
		&container.HostConfig{Resources: container.Resources{CgroupParent: f.parent}, NetworkMode: "none"}, nil, nil, name)
	require.NoError(h, err)
	h.Cleanup(func() {
		_ = world.docker.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true}) // it may be gone
	})
	if f.runs {
		require.NoError(h, world.docker.ContainerStart(context.Background(), made.ID, container.StartOptions{}))
	}
	return made.ID
}

// lines are those of everything that hold one of the names.
func (h *host) lines(names ...string) []string {
	h.Helper()
	return slices.DeleteFunc(h.everything(), func(one string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return strings.Contains(one, name) })
	})
}

// TestContainersOfSomebodyElse with our labels.
func TestContainersOfSomebodyElse(t *testing.T) { somebodyElses(t, world.core) }

// somebodyElses are things with our labels each of which fails one proof of ownership and no other.
func somebodyElses(t testing.TB, core string) {
	h := newHost(t)
	h.core = core
	h.start("reconcile_interval", "1secs")
	p := h.agent().running("executor", longLived)
	elsewhere := "/" + h.root + "-elsewhere"
	t.Cleanup(func() { require.NoError(t, h.cgroups.Remove(context.Background(), elsewhere)) })
	own := func(run string) string { return "/" + h.root + "/" + run }
	web := p.containers()["web"].Labels
	ctx := context.Background()
	foreign, err := world.docker.NetworkCreate(ctx, "foreign_back", network.CreateOptions{Labels: web})
	require.NoError(t, err)
	t.Cleanup(func() { _ = world.docker.NetworkRemove(ctx, foreign.ID) })
	_, err = world.docker.VolumeCreate(ctx, volume.CreateOptions{Name: "foreign_data", Labels: web})
	require.NoError(t, err)
	t.Cleanup(func() { _ = world.docker.VolumeRemove(ctx, "foreign_data", true) })
	stays := h.lines(foreign.ID, "foreign_data",
		h.forge(p, forged{service: "web", name: "committed-from-ours", parent: p.Container.Cgroup}),
		h.forge(p, forged{service: "web", name: "committed-and-running", parent: elsewhere, runs: true}),
		h.forge(p, forged{service: "foreign", parent: elsewhere, runs: true}),
		h.forge(p, forged{service: "web", run: "another-runs", parent: elsewhere}),
		h.forge(p, forged{service: "web", run: "nowhere"}),
		h.forge(p, forged{service: "web", pod: "dce-another-pod", parent: p.Container.Cgroup}),
		h.forge(p, forged{service: "web", run: "not-whole", parent: own("not-whole"), change: func(id *labels.Identity) { id.Task = "" }}),
		h.forge(p, forged{service: "web", run: "theirs", parent: own("theirs"), change: func(id *labels.Identity) { id.Scope = "/another/agent" }}),
		elsewhere,
	)
	p.die()
	h.clean(stays...)
	h.stays(2500*time.Millisecond, stays...) // while everything is compared
}
