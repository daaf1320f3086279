package reap

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"
)

// TestExecutorKilledInEveryState: what it leaves differs from nothing at all to a whole pod.
func TestExecutorKilledInEveryState(t *testing.T) {
	has := func(n int, state string) func(*pod) bool {
		return func(p *pod) bool {
			count := 0
			for _, c := range p.containers() {
				if strings.HasPrefix(string(c.State), state) {
					count++
				}
			}
			return count >= n
		}
	}
	for name, reached := range map[string]func(*pod) bool{
		"received": func(*pod) bool { return true },
		"creating": has(1, "created"),
		"starting": has(1, "running"),
		"running":  has(2, "running"),
		"stopping": func(p *pod) bool {
			if !has(2, "running")(p) {
				return false
			}
			grace := time.Minute
			return p.Kill(p.task, &grace) == nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			m := h.both()
			p := h.agent().launch("executor", longLived)
			m.prepared(p)
			require.Eventually(t, func() bool { return reached(p) }, patience, time.Millisecond)
			p.die()
			m.ended(p)
			h.clean()
			require.Zero(t, m.metrics().ReapFailures)
		})
	}
}

// TestHookAlone: an agent that loads the hook and not the isolator.
func TestHookAlone(t *testing.T) {
	h := newHost(t)
	m := h.module("work_dir", h.workDir)
	m.ok("attach", map[string]any{"module": "hook"})
	a := h.agent()
	p, other := a.running("executor", longLived), a.running("other", longLived)
	stays := other.list()
	p.die()
	m.ok("hook.removed", removal(p, time.Now()))
	h.clean(stays...)
	// Without a hook call the comparison with what has a process finds it.
	other.die()
	m.ok("reconcile", struct{}{})
	h.clean()
	require.EqualValues(t, 1, m.metrics().OrphansFound)
}

// TestContainersThatDockerBringsBack: a restart policy that somebody forged, and containers that somebody starts again.
func TestContainersThatDockerBringsBack(t *testing.T) {
	h := newHost(t)
	m := h.both()
	p := h.agent().running("executor", longLived)
	m.prepared(p)
	for _, c := range p.containers() {
		_, err := world.docker.ContainerUpdate(context.Background(), c.ID, container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: "always"}})
		require.NoError(t, err)
	}
	p.die()
	for service, c := range p.containers() { // web ignores SIGTERM, with nobody to ask
		if service != "infra" {
			_ = world.docker.ContainerStart(context.Background(), c.ID, container.StartOptions{}) // it may run already
		}
	}
	m.ended(p)
	h.clean()
}

func TestPausedContainers(t *testing.T) {
	h := newHost(t)
	m := h.both()
	p := h.agent().running("executor", longLived)
	m.prepared(p)
	for _, c := range p.containers() {
		require.NoError(t, world.docker.ContainerPause(context.Background(), c.ID))
	}
	p.die()
	m.ended(p)
	h.clean()
}

// TestContainerThatWasNeverStarted is one with the labels, the name and the cgroup of the pod, which no kill reaches.
func TestContainerThatWasNeverStarted(t *testing.T) {
	h := newHost(t)
	m := h.both()
	p := h.agent().running("executor", longLived)
	m.prepared(p)
	h.forge(p, forged{service: "late", parent: p.run.Cgroup})
	p.die()
	m.ended(p)
	h.clean()
}

// TestIDsWithEverythingInThem: no id reaches a shell, a path or a filter as anything but itself.
func TestIDsWithEverythingInThem(t *testing.T) {
	h := newHost(t)
	m := h.both()
	a := h.agent()
	other := a.running("x", longLived)
	m.prepared(other)
	stays := other.list()
	for _, id := range []string{
		`a "b" 'c' $(touch x) ; true`, "ünï=çødé 日本", "*[a]{b}=c,d&e~!", strings.Repeat("long", 50), "-rf", "io.dce.executor=x",
	} {
		p := a.running(id, `services: {web: {image: dce-test/busybox, command: [sleep, "1000"]}}`)
		m.prepared(p)
		p.die()
		m.ended(p)
		h.clean(stays...)
	}
	require.NoFileExists(t, "x")
	other.die()
	m.ended(other)
	h.clean()
}
