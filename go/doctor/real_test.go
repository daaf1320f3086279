package doctor

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	networks "github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/tests/box"
)

// realHost is the host of a real engine.
func realHost(t *testing.T) (Options, *engine.Docker) {
	t.Helper()
	host := os.Getenv(box.EnvHost)
	require.NotEmpty(t, host, "this test needs a Docker engine: run `make test`, or set %s", box.EnvHost)
	docker, err := engine.Connect(t.Context(), engine.ConnectOptions{Host: host})
	require.NoError(t, err)
	t.Cleanup(func() { _ = docker.Close() })
	return Options{DockerHost: host, WorkDir: t.TempDir(), Age: time.Nanosecond}, docker
}

func finding(t *testing.T, f Facts, name string) Finding {
	t.Helper()
	for _, one := range Decide(f).Findings {
		if one.Check == name {
			return one
		}
	}
	t.Fatalf("there is no check %s", name)
	return Finding{}
}

func TestARealHost(t *testing.T) {
	o, docker := realHost(t)
	f := Gather(t.Context(), o)
	require.NoError(t, f.Engine.Err)
	require.Equal(t, docker.Host(), f.Engine.Value.Host)
	require.True(t, f.Engine.Value.Local)
	for _, name := range []string{"engine", "api-version", "storage-driver", "cgroup-version", "cgroup-driver", "kernel", "settings"} {
		found := finding(t, f, name)
		require.Equal(t, OK, found.Level, "%s: %s", name, found)
	}
	require.Equal(t, Warn, finding(t, f, "live-restore").Level, "private engines have it off")
	for _, name := range []string{"controllers", "use-hierarchy", "swap-accounting", "clock", "disk", "network", "limits", "leftovers"} {
		require.NotEqual(t, Unknown, finding(t, f, name).Level, "%s: %s", name, finding(t, f, name))
	}
	require.True(t, Decide(f).PodRuns)
	require.Equal(t, f.Engine.Value.RootDir, f.DockerDir.Value.Path)
}

func TestLeftoversOfARealHost(t *testing.T) {
	o, docker := realHost(t)
	id := labels.Identity{Scope: o.WorkDir, Agent: "a", Framework: "f", Executor: "e", Container: "c-" + filepath.Base(o.WorkDir), Task: "t"}
	name := id.PodID() + "_net"
	networkID, err := docker.CreateNetwork(t.Context(), engine.NetworkSpec{Name: name, Options: networks.CreateOptions{Labels: id.Labels("1")}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = docker.Remove(t.Context(), engine.KindNetwork, networkID) })
	foreign := "not-" + id.PodID()
	require.NoError(t, docker.CreateVolume(t.Context(), engine.VolumeSpec{Options: volume.CreateOptions{Name: foreign, Labels: id.Labels("1")}}))
	remove := func() { _ = docker.Remove(t.Context(), engine.KindVolume, foreign) }

	o.Age = time.Hour
	f := Gather(t.Context(), o)
	require.NoError(t, f.Leftovers.Err)
	require.NotContains(t, f.Leftovers.Value.Scopes, o.WorkDir)
	require.GreaterOrEqual(t, f.Leftovers.Value.Young[engine.KindNetwork], 1, "it is young")

	o.Age = time.Nanosecond
	f = Gather(t.Context(), o)
	require.NoError(t, f.Leftovers.Err)
	require.Contains(t, f.Leftovers.Value.Scopes, o.WorkDir)
	require.GreaterOrEqual(t, f.Leftovers.Value.Counts[engine.KindNetwork], 1)
	require.GreaterOrEqual(t, f.Leftovers.Value.Foreign[engine.KindVolume], 1)
	require.Equal(t, Warn, finding(t, f, "leftovers").Level)
	seen, err := docker.Objects(t.Context(), engine.KindNetwork, labels.Scope+"="+o.WorkDir)
	require.NoError(t, err)
	require.Len(t, seen, 1, "a doctor removes nothing")

	require.NoError(t, docker.Remove(t.Context(), engine.KindNetwork, networkID))
	f = Gather(t.Context(), o)
	require.NotContains(t, f.Leftovers.Value.Scopes, o.WorkDir, "what is not proved to be a pod's is nobody's to reap")
	remove()
}

// A second engine, configured as many distributions do, and then stopped in its tracks.
func TestAnotherEngine(t *testing.T) {
	b := box.ForTest(t, box.Options{Systemd: true, LiveRestore: true})
	o := Options{DockerHost: b.Host(), WorkDir: t.TempDir(), Patience: 3 * time.Second}
	f := Gather(t.Context(), o)
	require.NoError(t, f.Engine.Err)
	require.Equal(t, OK, finding(t, f, "live-restore").Level)
	found := finding(t, f, "cgroup-driver")
	require.Contains(t, found.Saw, "systemd")
	if f.Systemd.Err != nil { // where systemd runs, pods become slices
		require.Equal(t, Fail, found.Level)
		require.Contains(t, found.Fix, "native.cgroupdriver=cgroupfs")
		require.False(t, Decide(f).PodRuns)
	} else {
		require.Equal(t, OK, found.Level)
	}

	require.NoError(t, b.Pause())
	o.Patience = 300 * time.Millisecond
	begin := time.Now()
	f = Gather(t.Context(), o)
	require.Less(t, time.Since(begin), 10*time.Second)
	require.NoError(t, b.Resume())
	found = finding(t, f, "engine")
	require.Equal(t, Fail, found.Level)
	require.Contains(t, found.String(), "did not answer within 300ms")
	require.Contains(t, found.String(), b.Host())

	require.NoError(t, b.Down())
	f = Gather(t.Context(), o)
	found = finding(t, f, "engine")
	require.Equal(t, Fail, found.Level)
	require.Contains(t, found.String(), "start dockerd")
}
