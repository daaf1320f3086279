package reaper

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/pause"
)

// stage is a real engine, this machine's cgroups and a scope of the test's own.
type stage struct {
	*testing.T
	docker *engine.Docker
	raw    *client.Client
	host   *cgroup.Host
	id     labels.Identity
	root   string // of cgroups
}

func newStage(t *testing.T) *stage {
	t.Helper()
	address := os.Getenv("DCE_TEST_DOCKER_HOST")
	require.NotEmpty(t, address, "this test needs a Docker engine: run `make test`, or set DCE_TEST_DOCKER_HOST")
	docker, err := engine.Connect(t.Context(), engine.ConnectOptions{Host: address})
	require.NoError(t, err)
	raw, err := client.NewClientWithOpts(client.WithHost(address), client.WithAPIVersionNegotiation())
	require.NoError(t, err)
	host, err := cgroup.Open(cgroup.Options{Patience: 2 * time.Second})
	require.NoError(t, err)
	_, err = docker.Image(t.Context(), pause.Image())
	if err != nil {
		require.NoError(t, docker.Load(t.Context(), pause.Image(), pause.Rootfs(), pause.Config()))
	}
	scope := t.TempDir()
	s := &stage{T: t, docker: docker, raw: raw, host: host, root: "/dce-test-reaper-" + uuid.NewString()[:8],
		id: labels.Identity{Scope: scope, Agent: "agent", Framework: `f "$(touch x)"`, Executor: "e=é", Container: uuid.NewString(), Task: "web"}}
	require.NoError(t, host.Create(s.group(s.id), "memory"))
	t.Cleanup(func() {
		require.NoError(t, host.Remove(context.Background(), s.root))
		require.NoError(t, docker.Close())
		require.NoError(t, raw.Close())
	})
	return s
}

func (s *stage) group(id labels.Identity) string { return s.root + "/" + id.Container }

func (s *stage) match() Match {
	return Match{Scope: s.id.Scope, CgroupRoots: []string{s.root}, Cause: "the test says so"}
}

// create makes a container of a pod; it goes with the test whatever happens.
func (s *stage) create(id labels.Identity, service string, change func(*engine.ContainerSpec)) string {
	s.Helper()
	spec := &engine.ContainerSpec{
		Service: service, Name: id.PodID() + "-" + service + "-1",
		Config: &container.Config{Image: pause.Image(), Labels: labels.ForService(id.Labels("test"), service, labels.RoleService, "1")},
		Host:   &container.HostConfig{Resources: container.Resources{CgroupParent: s.group(id)}, NetworkMode: "none"},
	}
	if change != nil {
		change(spec)
	}
	cid, err := s.docker.Create(s.Context(), spec)
	require.NoError(s, err)
	s.Cleanup(func() { require.NoError(s, s.docker.Remove(context.Background(), engine.KindContainer, cid)) })
	return cid
}

func (s *stage) start(id string) string {
	s.Helper()
	require.NoError(s, s.docker.Start(s.Context(), id))
	return id
}

// exists asks the engine for everything, not by our labels.
func (s *stage) exists(id string) bool {
	s.Helper()
	all, err := s.raw.ContainerList(s.Context(), container.ListOptions{All: true})
	require.NoError(s, err)
	for _, c := range all {
		if c.ID == id {
			return true
		}
	}
	return false
}

func TestSweepOfARealPod(t *testing.T) {
	s := newStage(t)
	pod := s.id.PodID()
	netID, err := s.docker.CreateNetwork(t.Context(), engine.NetworkSpec{Name: pod + "_back", Options: network.CreateOptions{Driver: "bridge", Labels: s.id.Labels("test")}})
	require.NoError(t, err)
	require.NoError(t, s.docker.CreateVolume(t.Context(), engine.VolumeSpec{Options: volume.CreateOptions{Name: pod + "_data", Labels: s.id.Labels("test")}}))
	kept := "dce-test-keep-" + uuid.NewString()[:8]
	require.NoError(t, s.docker.CreateVolume(t.Context(), engine.VolumeSpec{Options: volume.CreateOptions{Name: kept}, Keep: true}))
	t.Cleanup(func() { require.NoError(t, s.docker.Remove(context.Background(), engine.KindVolume, kept)) })

	running := s.start(s.create(s.id, "web", func(c *engine.ContainerSpec) {
		c.Host.NetworkMode = container.NetworkMode(netID)
		c.Host.RestartPolicy = container.RestartPolicy{Name: "always"}
		c.Host.Mounts = []mount.Mount{
			{Type: mount.TypeVolume, Target: "/anonymous"}, {Type: mount.TypeVolume, Source: pod + "_data", Target: "/data"},
			{Type: mount.TypeVolume, Source: kept, Target: "/kept"},
		}
	}))
	inspected, err := s.raw.ContainerInspect(t.Context(), running)
	require.NoError(t, err)
	anonymous := ""
	for _, m := range inspected.Mounts {
		if m.Destination == "/anonymous" {
			anonymous = m.Name
		}
	}
	require.NotEmpty(t, anonymous)
	created := s.create(s.id, "never-started", nil)
	paused := s.start(s.create(s.id, "paused", nil))
	require.NoError(t, s.raw.ContainerPause(t.Context(), paused))
	exited := s.start(s.create(s.id, "exited", nil))
	require.NoError(t, s.docker.Signal(t.Context(), exited, "SIGKILL"))

	// The engine has put every running one below the run's cgroup, in hierarchies that the agent never made.
	require.DirExists(t, filepath.Join(s.memory(), s.group(s.id), running))

	alive, err := Sweeper{Engine: s.docker, Cgroups: s.host, Live: func(context.Context, Observed) (Live, error) {
		return Live{s.id.Container: true}, nil
	}}.Sweep(t.Context(), s.match())
	require.NoError(t, err)
	require.Empty(t, alive, "what lives stays")

	report, err := Sweep(t.Context(), s.docker, s.host, s.match())
	require.NoError(t, err)
	require.Len(t, report.Removed, 4+1+1+1, "%v", report.Removed)
	require.Empty(t, report.Left)
	for _, id := range []string{running, created, paused, exited} {
		require.False(t, s.exists(id))
	}
	networks, err := s.raw.NetworkList(t.Context(), network.ListOptions{})
	require.NoError(t, err)
	for _, n := range networks {
		require.NotEqual(t, netID, n.ID)
	}
	volumes, err := s.raw.VolumeList(t.Context(), volume.ListOptions{})
	require.NoError(t, err)
	names := map[string]bool{}
	for _, v := range volumes.Volumes {
		names[v.Name] = true
	}
	require.False(t, names[anonymous], "anonymous volumes go")
	require.False(t, names[pod+"_data"], "the pod's own volumes go")
	require.True(t, names[kept], "a volume with a name of its own stays")
	there, err := s.host.Exists(s.group(s.id))
	require.NoError(t, err)
	require.False(t, there, "no cgroup is left in any hierarchy")
	there, err = s.host.Exists(s.root)
	require.NoError(t, err)
	require.True(t, there, "the root itself stays")
}

// memory is where the hierarchy that limits memory is mounted.
func (s *stage) memory() string {
	s.Helper()
	hi, err := s.host.Hierarchy("memory")
	require.NoError(s, err)
	return hi.Dir
}

// Each container here has our labels and this scope, and fails one gate.
func TestForeignContainersStay(t *testing.T) {
	s := newStage(t)
	outside := s.root + "-elsewhere"
	t.Cleanup(func() { require.NoError(t, s.host.Remove(context.Background(), outside)) })
	foreign := map[string]string{
		"committed from ours": s.start(s.create(s.id, "a", func(c *engine.ContainerSpec) { c.Name = "dce-test-" + uuid.NewString()[:8] })),
		"runs elsewhere":      s.start(s.create(s.id, "b", func(c *engine.ContainerSpec) { c.Host.CgroupParent = outside })),
		"another run's":       s.start(s.create(s.id, "c", func(c *engine.ContainerSpec) { c.Host.CgroupParent = s.root + "/another-run" })),
		"half labelled":       s.create(s.id, "d", func(c *engine.ContainerSpec) { delete(c.Config.Labels, labels.Task) }),
		"ids that don't fit":  s.create(s.id, "e", func(c *engine.ContainerSpec) { c.Config.Labels[labels.Agent] = "x" }),
	}
	ours := s.start(s.create(s.id, "ours", nil))
	report, err := Sweep(t.Context(), s.docker, s.host, s.match())
	for what, id := range foreign {
		require.True(t, s.exists(id), what)
	}
	require.False(t, s.exists(ours))
	require.Len(t, report.Left, len(foreign))
	// The one with the wrong name runs in the run's cgroup, which therefore can't go: said with its process, not forced.
	var busy *cgroup.BusyError
	require.ErrorAs(t, err, &busy)
	require.ErrorContains(t, err, fmt.Sprintf("cgroup %s is not removed", s.group(s.id)))
}

// Containers of another agent on the same host, with the same ids but another work_dir.
func TestAnotherScopeStays(t *testing.T) {
	s := newStage(t)
	other := s.id
	other.Scope = "/somewhere/else"
	theirs := s.start(s.create(other, "web", func(c *engine.ContainerSpec) { c.Host.CgroupParent = s.root + "/theirs" }))
	report, err := Sweep(t.Context(), s.docker, s.host, s.match())
	require.NoError(t, err)
	require.Empty(t, report.Left)
	require.True(t, s.exists(theirs))
}
