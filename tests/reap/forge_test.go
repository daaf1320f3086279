package reap

import (
	"cmp"
	"context"
	"maps"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/labels"
)

// forged is a container that somebody makes with the labels of a pod.
type forged struct {
	service string
	parent  string // cgroup parent
	name    string // default: as the pod's own would be
	run     string // another Mesos container id, with all that follows from it
	scope   string // another agent
	runs    bool
}

func (h *host) forge(p *pod, f forged) string {
	h.Helper()
	id, _, whole := labels.Parse(p.containers()["web"].Labels)
	require.True(h, whole)
	id.Container, id.Scope = cmp.Or(f.run, id.Container), cmp.Or(f.scope, id.Scope)
	all := labels.ForService(maps.Clone(id.Labels("forged")), f.service, labels.RoleService, "1")
	name := cmp.Or(f.name, id.PodID()+"-"+f.service+"-1")
	made, err := world.docker.ContainerCreate(context.Background(), &container.Config{Image: "dce-test/busybox", Cmd: []string{"sleep", "1000"}, Labels: all},
		&container.HostConfig{Resources: container.Resources{CgroupParent: f.parent}, NetworkMode: "none"}, nil, nil, name)
	require.NoError(h, err)
	h.Cleanup(func() {
		_ = world.docker.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true}) // it may be gone
	})
	if f.runs {
		require.NoError(h, world.docker.ContainerStart(context.Background(), made.ID, container.StartOptions{}))
	}
	return "container /" + name
}

// TestContainersOfSomebodyElse: each has our labels and fails one proof.
func TestContainersOfSomebodyElse(t *testing.T) {
	h := newHost(t)
	m := h.both()
	p := h.agent().running("executor", longLived)
	m.prepared(p)
	elsewhere := "/" + h.root + "-elsewhere"
	t.Cleanup(func() { require.NoError(t, h.cgroups.Remove(context.Background(), elsewhere)) })
	stays := []string{
		h.forge(p, forged{service: "web", name: "committed-from-ours", parent: elsewhere, runs: true}),
		h.forge(p, forged{service: "web", name: "committed-and-stopped", parent: p.run.Cgroup}),
		h.forge(p, forged{service: "foreign", parent: elsewhere, runs: true}),
		h.forge(p, forged{service: "web", run: "another-run", parent: elsewhere}),
		h.forge(p, forged{service: "web", run: "nowhere"}),
		h.forge(p, forged{service: "web", scope: "/another/agent", run: "theirs", parent: elsewhere, runs: true}),
	}
	p.die()
	m.ended(p)
	h.clean(stays...)
	m.ok("reconcile", struct{}{})
	time.Sleep(500 * time.Millisecond)
	h.clean(stays...)
}
