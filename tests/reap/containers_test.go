package reap

import (
	"context"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// afterwards has something done between the launcher's kill and the isolator's cleanup.
func (h *host) afterwards(f func()) { h.between.Store(&f) }

// startAgain starts the pod's services when the agent has killed them.
func (p *pod) startAgain() {
	p.each(func(service string, c container.Summary) {
		if service != "infra" {
			_ = world.docker.ContainerStart(context.Background(), c.ID, container.StartOptions{}) // it may run, or its network may not
		}
	})
}

// TestContainersThatDockerBringsBack: a restart policy that somebody forged.
func TestContainersThatDockerBringsBack(t *testing.T) {
	h := newHost(t)
	h.start()
	p := h.agent().running("executor", longLived)
	p.each(func(_ string, c container.Summary) {
		_, err := world.docker.ContainerUpdate(context.Background(), c.ID, container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: "always"}})
		require.NoError(t, err)
	})
	h.afterwards(p.startAgain)
	p.die()
	h.clean()
}

// TestContainerThatIgnoresSIGTERM and that runs when it is to go: somebody has started it again.
func TestContainerThatIgnoresSIGTERM(t *testing.T) {
	h := newHost(t)
	h.start()
	p := h.agent().running("executor", `services: {web: {image: dce-test/busybox, command: [sh, -c, "trap '' TERM; while :; do sleep 1; done"], network_mode: none}}`)
	h.afterwards(func() {
		p.startAgain()
		assert.Equal(t, "running", string(p.containers()["web"].State))
	})
	p.die()
	h.clean()
}

func TestPausedContainers(t *testing.T) {
	h := newHost(t)
	h.start()
	p := h.agent().running("executor", longLived)
	p.each(func(_ string, c container.Summary) {
		require.NoError(t, world.docker.ContainerPause(context.Background(), c.ID))
	})
	h.afterwards(func() { // one is paused when it is to go
		p.startAgain()
		_ = world.docker.ContainerPause(context.Background(), p.containers()["side"].ID) // where it could be started
	})
	p.die()
	h.clean()
}

// TestContainerThatWasNeverStarted is one with the labels, the name and the cgroup of the pod, which no kill reaches.
func TestContainerThatWasNeverStarted(t *testing.T) {
	h := newHost(t)
	h.start()
	p := h.agent().running("executor", longLived)
	h.forge(p, forged{service: "late", parent: p.Container.Cgroup})
	p.die()
	h.clean()
}

// TestIDsWithEverythingInThem: no id reaches a shell, a path or a filter as anything but itself.
func TestIDsWithEverythingInThem(t *testing.T) {
	h := newHost(t)
	h.start()
	a := h.agent()
	other := a.running("x", small, "dce.network.mode", "host")
	stays := other.list()
	for _, id := range []string{
		`a "b" 'c' $(touch x) ; true`, "ünï=çødé 日本", "*[a]{b}=c,d&e~!", strings.Repeat("long", 50), "-rf", "io.dce.executor=x",
	} {
		p := a.running(id, small, "dce.network.mode", "host")
		p.die()
		h.clean(stays...)
	}
	other.die()
	h.clean()
}
