//go:build mesos

package mesos

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/tests/harness"
)

const (
	patience  = harness.Patience
	soon      = 5 * time.Second // in which everything has to be gone
	pollEvery = 20 * time.Millisecond
)

// host is a machine with a master, an agent and a framework of the test's own. At its end everything is as before.
type host struct {
	*testing.T
	site
	*framework
	agent  *daemon
	before []string
}

func newHost(t *testing.T, posix bool) *host {
	t.Helper()
	h := &host{T: t, site: site{dir: t.TempDir(), root: harness.NewRoot("mesos"), masterPort: freePort(t), agentPort: freePort(t),
		engine: world.Box.Host(), module: world.mesos.module, posix: posix}}
	h.bystand()
	h.before = h.everything()
	t.Cleanup(h.sweep) // after master and agent have ended
	text, err := h.modulesJSON()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(h.modules(), text, 0o600))
	master := daemonise(t, h.dir, "master", world.mesos.master, h.masterFlags())
	master.until("the master is ready", func() bool { // one that is asked before it is, may crash (libprocess has no authenticators yet)
		said, _ := os.ReadFile(master.log)
		return bytes.Contains(said, []byte("Elected as the leading master"))
	})
	h.startAgent()
	h.framework = subscribe(t, "http://"+address(h.masterPort))
	t.Cleanup(func() { // the first of all
		if err := h.teardown(); err == nil && !t.Failed() {
			h.clean(time.Now())
			said, err := os.ReadFile(filepath.Join(h.dir, "agent.log"))
			require.NoError(t, err)
			require.NotContains(t, string(said), "Failed to clean up an isolator", "the agent's own cgroups are its to remove")
			require.NotContains(t, string(said), "*** Aborted", "the agent crashed")
		}
	})
	return h
}

func (h *host) agentURL() string { return "http://" + address(h.agentPort) }

// startAgent returns when the agent has recovered and the master knows it.
func (h *host) startAgent() {
	h.Helper()
	said := func() int { // nothing is asked of one that is not ready, see newHost
		text, _ := os.ReadFile(filepath.Join(h.dir, "agent.log"))
		return bytes.Count(text, []byte("egistered with master master@")) // for the first time, or again
	}
	before := said()
	h.agent = daemonise(h.T, h.dir, "agent", world.mesos.agent, h.agentFlags())
	h.agent.until("the agent is registered", func() bool { return said() > before })
}

// metrics are the agent's, none while it does not answer.
func (h *host) metrics() map[string]float64 {
	out := map[string]float64{}
	if ask(h.agentURL()+"/metrics/snapshot", &out) != nil {
		return nil
	}
	return out
}

const bystander = "/bystander"

// bystand makes what is nobody's business but has labels of this agent's pods, as an image that was committed from one has.
func (h *host) bystand() {
	h.Helper()
	ctx := context.Background()
	id := labels.Identity{Scope: h.workDir(), Agent: "agent", Framework: "framework", Executor: "executor", Container: "run", Task: "task"}
	made, err := world.Docker.ContainerCreate(ctx, &container.Config{Image: "dce-test/busybox", Cmd: []string{"sleep", "1000"},
		Labels: labels.ForService(id.Labels("forged"), "web", labels.RoleService, "1")}, &container.HostConfig{NetworkMode: "none"}, nil, nil, bystander[1:])
	require.NoError(h, err)
	h.Cleanup(func() { _ = world.Docker.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true}) })
	require.NoError(h, world.Docker.ContainerStart(ctx, made.ID, container.StartOptions{}))
}

// everything is a full listing: all containers, networks and volumes of the engine, all cgroups below the agent's root, and those
// of all runs that the agent ever began below our own root, which other tests on this machine have, too.
func (h *host) everything() []string {
	h.Helper()
	out := world.List(h, h.root)
	runs, err := filepath.Glob(filepath.Join(h.workDir(), "slaves/*/frameworks/*/executors/*/runs/*"))
	require.NoError(h, err)
	for _, run := range runs {
		for _, dir := range harness.Tree("dce/" + filepath.Base(run)) {
			out = append(out, "cgroup "+dir)
		}
	}
	slices.Sort(out)
	return out
}

// clean waits until everything is as before the test, and says how long after begun that was.
func (h *host) clean(begun time.Time) time.Duration {
	h.Helper()
	harness.Settle(h, soon, h.before, h.everything)
	return time.Since(begun)
}

// sweep ends what a failed test left of its pods, and removes the agent's root, which an agent leaves.
func (h *host) sweep() {
	ctx := context.Background()
	theirs, _ := world.Docker.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labels.Scope+"="+h.workDir()))})
	roots := []string{h.root}
	for _, c := range theirs {
		if c.Names[0] != bystander {
			_ = world.Docker.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}) // it may be going
			roots = append(roots, "dce/"+c.Labels[labels.Container])
		}
	}
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(h, err)
	ctx, cancel := harness.Within()
	defer cancel()
	for _, root := range roots {
		_, err := host.Kill(ctx, "/"+root)
		require.NoError(h, err)
		require.NoError(h, host.Remove(ctx, "/"+root))
	}
}
