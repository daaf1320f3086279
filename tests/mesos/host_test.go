//go:build mesos

package mesos

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/labels"
)

const (
	patience  = time.Minute
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
	h := &host{T: t, site: site{dir: t.TempDir(), root: "dce-mesos-" + uuid.NewString()[:8], masterPort: freePort(t), agentPort: freePort(t),
		engine: world.box.Host(), module: world.mesos.module, posix: posix}}
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
	made, err := world.docker.ContainerCreate(ctx, &container.Config{Image: "dce-test/busybox", Cmd: []string{"sleep", "1000"},
		Labels: labels.ForService(id.Labels("forged"), "web", labels.RoleService, "1")}, &container.HostConfig{NetworkMode: "none"}, nil, nil, bystander[1:])
	require.NoError(h, err)
	h.Cleanup(func() { _ = world.docker.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true}) })
	require.NoError(h, world.docker.ContainerStart(ctx, made.ID, container.StartOptions{}))
}

// everything is a full listing: all containers, networks and volumes of the engine, all cgroups below the agent's root, and those
// of all runs that the agent ever began below our own root, which other tests on this machine have, too.
func (h *host) everything() []string {
	h.Helper()
	ctx := context.Background()
	var out []string
	cs, err := world.docker.ContainerList(ctx, container.ListOptions{All: true})
	require.NoError(h, err)
	for _, c := range cs {
		out = append(out, "container "+strings.Join(c.Names, ",")+" "+c.State)
	}
	ns, err := world.docker.NetworkList(ctx, network.ListOptions{})
	require.NoError(h, err)
	for _, n := range ns {
		out = append(out, "network "+n.Name)
	}
	vs, err := world.docker.VolumeList(ctx, volume.ListOptions{})
	require.NoError(h, err)
	for _, v := range vs.Volumes {
		out = append(out, "volume "+v.Name)
	}
	dirs := below(h.root)
	runs, err := filepath.Glob(filepath.Join(h.workDir(), "slaves/*/frameworks/*/executors/*/runs/*"))
	require.NoError(h, err)
	for _, run := range runs {
		own, err := filepath.Glob("/sys/fs/cgroup/*/dce/" + filepath.Base(run))
		require.NoError(h, err)
		dirs = append(append(dirs, own...), below("dce/"+filepath.Base(run))...)
	}
	for _, dir := range dirs {
		out = append(out, "cgroup "+dir)
	}
	slices.Sort(out)
	return out
}

// below lists the cgroups below a root in all hierarchies, parents first.
func below(root string) []string {
	var out []string
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/" + root)
	for _, r := range roots {
		_ = filepath.WalkDir(r, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && path != r {
				out = append(out, path)
			}
			return nil // what vanishes meanwhile is not there
		})
	}
	return out
}

func difference(before, now []string) []string {
	var out []string
	for _, s := range now {
		if !slices.Contains(before, s) {
			out = append(out, "+ "+s)
		}
	}
	for _, s := range before {
		if !slices.Contains(now, s) {
			out = append(out, "- "+s)
		}
	}
	return out
}

// clean waits until everything is as before the test, and says how long after begun that was.
func (h *host) clean(begun time.Time) time.Duration {
	h.Helper()
	for deadline := time.Now().Add(soon); ; time.Sleep(pollEvery) {
		left := difference(h.before, h.everything())
		if len(left) == 0 {
			return time.Since(begun)
		}
		if time.Now().After(deadline) {
			require.Empty(h, left, "after %v something is left (+), or something foreign is gone (-)", soon)
		}
	}
}

// sweep ends what a failed test left of its pods, and removes the agent's root, which an agent leaves.
func (h *host) sweep() {
	ctx := context.Background()
	theirs, _ := world.docker.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labels.Scope+"="+h.workDir()))})
	roots := []string{h.root}
	for _, c := range theirs {
		if c.Names[0] != bystander {
			_ = world.docker.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true}) // it may be going
			roots = append(roots, "dce/"+c.Labels[labels.Container])
		}
	}
	for _, root := range roots {
		empty(root)
	}
}

// empty kills what is in a cgroup and below it, and removes it.
func empty(root string) {
	for range 100 {
		dirs, _ := filepath.Glob("/sys/fs/cgroup/*/" + root)
		if dirs = append(dirs, below(root)...); len(dirs) == 0 {
			return
		}
		for _, dir := range slices.Backward(dirs) {
			text, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			for line := range strings.Lines(string(text)) {
				if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 0 {
					_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
				}
			}
			_ = os.Remove(dir) // once it is empty
		}
		time.Sleep(pollEvery)
	}
}
