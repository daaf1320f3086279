package launch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/tree"
	"github.com/dce-go/dce/go/tree/bustest"
	"github.com/dce-go/dce/tests/fakehost"
)

func TestFindParent(t *testing.T) {
	const (
		cgroupfs = cgroup.DriverCgroupfs
		systemd  = cgroup.DriverSystemd
	)
	dir := parent{Parent: "/dce/c-1", Path: "/dce/c-1", ours: true}
	slice := parent{Parent: `dce-c\x2d1.slice`, Path: `/dce.slice/dce-c\x2d1.slice`, ours: true}
	by := func(p parent) parent { p.limited = true; return p }
	own := parent{Parent: "/mesos/c-1", Path: "/mesos/c-1", limited: true}
	docker := "/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for name, c := range map[string]struct {
		fromModule, own string
		version         cgroup.Version
		driver          string
		want            parent
	}{
		"v1, the task's own":                       {"", "/mesos/c-1", cgroup.V1, cgroupfs, own},
		"hybrid, the task's own":                   {"", "/mesos/c-1", cgroup.Hybrid, cgroupfs, own},
		"v1, the module says the same":             {"/mesos/c-1", "/mesos/c-1", cgroup.V1, cgroupfs, own},
		"v1, posix isolators":                      {"", "/", cgroup.V1, cgroupfs, dir},
		"v1, the agent's service":                  {"", "/system.slice/mesos-slave.service", cgroup.V1, cgroupfs, dir},
		"v1, an executor in a Docker container":    {"", docker, cgroup.V1, cgroupfs, dir},
		"v1, the same with systemd":                {"", "/system.slice/docker-0123.scope", cgroup.V1, cgroupfs, dir},
		"v1, the cgroup of another container":      {"", "/mesos/c-2", cgroup.V1, cgroupfs, dir},
		"v1, posix isolators and the module":       {"/dce/c-1", "/", cgroup.V1, cgroupfs, by(dir)},
		"v1, slices":                               {"", "/mesos/c-1", cgroup.V1, systemd, slice},
		"v1, slices, and the module knows of none": {"/mesos/c-1", "/mesos/c-1", cgroup.V1, systemd, slice},
		"v2":                        {"", "/mesos/c-1/leaf", cgroup.V2, cgroupfs, dir},
		"v2, no cgroup of its own":  {"", "/", cgroup.V2, cgroupfs, dir},
		"v2, and the module":        {"/dce/c-1", "/mesos/c-1/leaf", cgroup.V2, cgroupfs, by(dir)},
		"v2, slices":                {"", "/mesos/c-1/leaf", cgroup.V2, systemd, slice},
		"v2, slices and the module": {`dce-c\x2d1.slice`, "/", cgroup.V2, systemd, by(slice)},
		"v2, slices, and the module knows of none": {"/dce/c-1", "/", cgroup.V2, systemd, slice},
		"v2, a slice for an engine without":        {`dce-c\x2d1.slice`, "/", cgroup.V2, cgroupfs, dir},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := findParent(c.fromModule, c.own, c.version, c.driver, "c-1")
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	_, err := findParent("", "/", cgroup.V2, cgroupfs, "a/b")
	require.ErrorContains(t, err, `"a/b" can't name a cgroup`)
}

// fakeHost is a machine in a directory, with files in it.
func fakeHost(t *testing.T, mountinfo, self string, files map[string]string) (string, *cgroup.Host) {
	t.Helper()
	root := fakehost.Root(t, files)
	fakehost.Put(t, root, "proc/self/cgroup", self)
	fakehost.Put(t, root, "proc/self/mountinfo", mountinfo)
	host, err := cgroup.Open(cgroup.Options{Root: root, Patience: 1})
	require.NoError(t, err)
	return root, host
}

const v2Mount = "30 1 0:30 / /cg rw - cgroup2 cgroup2 rw\n"

var (
	v2Controllers = map[string]string{"cg/cgroup.controllers": "memory cpu pids", "cg/cgroup.subtree_control": "", "cg/dce/cgroup.subtree_control": ""}
	v2Files       = []string{"memory.max", "memory.low", "cpu.weight", "cpu.max", "pids.max", "cgroup.procs"}
)

// v2Host has an empty tree for container c, as the kernel would fill it.
func v2Host(t *testing.T) (string, *parents) {
	files := map[string]string{"cg/dce/c/cgroup.type": "domain"}
	for file, content := range v2Controllers {
		files[file] = content
	}
	for _, file := range v2Files {
		files["cg/dce/c/"+file] = ""
	}
	root, host := fakeHost(t, v2Mount, "0::/mesos/c/leaf\n", files)
	return root, &parents{host: host, used: map[string]parent{}, has: map[string]tree.Limits{}}
}

func content(t *testing.T, root, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	require.NoError(t, err)
	return string(text)
}

// Pods of one executor share a cgroup and have their limits together.
func TestTakeWritesLimits(t *testing.T) {
	root, p := v2Host(t)
	one := tree.Limits{Memory: 64 << 20, CPUs: 0.5, Pids: 10}
	at, unbound, err := p.take(t.Context(), "", cgroup.DriverCgroupfs, labels.Identity{Container: "c"}, one, tree.Pids)
	require.NoError(t, err)
	require.NoError(t, unbound)
	require.Equal(t, parent{Parent: "/dce/c", Path: "/dce/c", ours: true}, at)
	require.Equal(t, "67108864 50 10", content(t, root, "cg/dce/c/memory.max")+" "+content(t, root, "cg/dce/c/cpu.weight")+" "+content(t, root, "cg/dce/c/pids.max"))
	_, _, err = p.take(t.Context(), "", cgroup.DriverCgroupfs, labels.Identity{Container: "c"}, one, tree.Pids)
	require.NoError(t, err)
	require.Equal(t, "134217728 100 20", content(t, root, "cg/dce/c/memory.max")+" "+content(t, root, "cg/dce/c/cpu.weight")+" "+content(t, root, "cg/dce/c/pids.max"))
}

// A tree that was made, and whose limits then could not be written, goes with the executor: nobody has claimed it, so that nothing
// else would find it.
func TestAHalfMadeTreeIsRemoved(t *testing.T) {
	root, host := fakeHost(t, v2Mount, "0::/mesos/c/leaf\n", v2Controllers) // no file of a limit
	p := &parents{host: host, used: map[string]parent{}, has: map[string]tree.Limits{}}
	_, _, err := p.take(t.Context(), "", cgroup.DriverCgroupfs, labels.Identity{Container: "c"}, tree.Limits{Memory: 64 << 20})
	var limit *tree.LimitError
	require.ErrorAs(t, err, &limit)
	require.DirExists(t, filepath.Join(root, "cg/dce/c"))
	require.NoError(t, p.remove(t.Context()))
	require.NoDirExists(t, filepath.Join(root, "cg/dce/c"))

	// What was added to the task's own likewise.
	v1 := "30 1 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n31 1 0:31 / /cg/pids rw - cgroup cgroup rw,pids\n"
	root, host = fakeHost(t, v1, "2:memory:/mesos/c\n1:pids:/\n", map[string]string{"cg/memory/mesos/c/cgroup.procs": "", "cg/pids/cgroup.procs": ""})
	p = &parents{host: host, used: map[string]parent{}, has: map[string]tree.Limits{}}
	_, _, err = p.take(t.Context(), "", cgroup.DriverCgroupfs, labels.Identity{Container: "c"}, tree.Limits{Pids: 10}, tree.Pids)
	require.ErrorAs(t, err, &limit)
	require.DirExists(t, filepath.Join(root, "cg/pids/mesos/c"))
	require.NoError(t, p.remove(t.Context()))
	require.NoDirExists(t, filepath.Join(root, "cg/pids/mesos/c"))
	require.DirExists(t, filepath.Join(root, "cg/memory/mesos/c"), "the agent's")
}

// What the module wrote stays; what it can't know is added.
func TestTakeBesideTheModule(t *testing.T) {
	root, p := v2Host(t)
	require.NoError(t, os.WriteFile(filepath.Join(root, "cg/dce/c/memory.max"), []byte("99999744"), 0o644))
	for _, want := range []string{"10", "20"} {
		_, _, err := p.take(t.Context(), "/dce/c", cgroup.DriverCgroupfs, labels.Identity{Container: "c"}, tree.Limits{Memory: 64 << 20, CPUs: 0.5, Pids: 10}, tree.Pids)
		require.NoError(t, err)
		require.Equal(t, "99999744", content(t, root, "cg/dce/c/memory.max"))
		require.Empty(t, content(t, root, "cg/dce/c/cpu.weight"))
		require.Equal(t, want, content(t, root, "cg/dce/c/pids.max"))
	}
}

// In the task's own cgroup the agent sets the limits; the hierarchy of processes, which it does not use, is added.
func TestTakeOwnOnV1(t *testing.T) {
	v1 := "30 1 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n31 1 0:31 / /cg/pids rw - cgroup cgroup rw,pids\n"
	root, host := fakeHost(t, v1, "2:memory:/mesos/c\n1:pids:/\n", map[string]string{
		"cg/memory/mesos/c/memory.limit_in_bytes": "1", "cg/memory/mesos/c/cgroup.procs": "", "cg/pids/mesos/c/pids.max": "max",
	})
	p := &parents{host: host, used: map[string]parent{}, has: map[string]tree.Limits{}}
	at, unbound, err := p.take(t.Context(), "", cgroup.DriverCgroupfs, labels.Identity{Container: "c"}, tree.Limits{Memory: 64 << 20, Pids: 10}, tree.Pids)
	require.NoError(t, err)
	require.NoError(t, unbound)
	require.Equal(t, parent{Parent: "/mesos/c", Path: "/mesos/c", limited: true}, at)
	require.Equal(t, "1", content(t, root, "cg/memory/mesos/c/memory.limit_in_bytes"))
	require.Equal(t, "10", content(t, root, "cg/pids/mesos/c/pids.max"))
}

// An executor that is not root leaves the cgroup to the engine, and says what does not bind.
func TestTakeWithoutRights(t *testing.T) {
	files := map[string]string{}
	for file, content := range v2Controllers {
		files[file] = content
	}
	_, fake := fakeHost(t, v2Mount, "0::/user.slice\n", files)
	here, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	for name, host := range map[string]*cgroup.Host{"a fake one": fake, "this machine": here} {
		t.Run(name, func(t *testing.T) { takeWithoutRights(t, host) })
	}
}

func takeWithoutRights(t *testing.T, host *cgroup.Host) {
	p := &parents{host: host, used: map[string]parent{}, has: map[string]tree.Limits{}}
	fakehost.AsNobody(t, func() {
		for range 2 {
			at, unbound, fails := p.take(context.Background(), "", cgroup.DriverCgroupfs, labels.Identity{Container: "test-nobody"}, tree.Limits{Memory: 64 << 20, CPUs: 1})
			assert.NoError(t, fails)
			assert.NotNil(t, unbound)
			assert.True(t, at.absent)
			assert.Equal(t, "/dce/test-nobody", at.Parent)
			again, _ := hierarchical(host, at, "enforce")
			assert.Nil(t, again)
		}
	})
}

// An executor in a container of Docker's on v1, which sees its own cgroup alone: the pod is not put there.
func TestTakeWithAPartOfTheHierarchy(t *testing.T) {
	_, host := fakeHost(t, "30 1 0:30 /docker/0123 /cg ro - cgroup cgroup ro,memory\n", "1:memory:/docker/0123\n", map[string]string{"cg/memory.limit_in_bytes": "1"})
	p := &parents{host: host, used: map[string]parent{}, has: map[string]tree.Limits{}}
	at, unbound, err := p.take(t.Context(), "", cgroup.DriverCgroupfs, labels.Identity{Container: "c"}, tree.Limits{Memory: 64 << 20})
	require.NoError(t, err)
	require.Equal(t, parent{Parent: "/dce/c", Path: "/dce/c", ours: true, absent: true}, at)
	require.ErrorContains(t, unbound, "mount /sys/fs/cgroup of the host writable into the executor's container")
	require.ErrorContains(t, unbound, "shows only what is below the cgroup /docker/0123")
	again, err := hierarchical(host, at, "enforce")
	require.NoError(t, err)
	require.NoError(t, again)
	require.NoError(t, p.remove(t.Context()), "what is not seen is not ours to remove from here")
}

func TestTakeASlice(t *testing.T) {
	root, host := fakeHost(t, v2Mount, "0::/mesos/c/leaf\n", v2Controllers)
	bus := bustest.Start(t)
	bus.Behave(bustest.Behaviour{OnStart: func(unit string) {
		dir := filepath.Join(root, "cg/dce.slice", unit)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		for file, content := range map[string]string{"cgroup.procs": "", "cgroup.type": "domain", "memory.max": "max"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644))
		}
	}})
	p := &parents{host: host, used: map[string]parent{}, has: map[string]tree.Limits{}}
	at, unbound, err := p.take(t.Context(), "/dce/c", cgroup.DriverSystemd, labels.Identity{Container: "c"}, tree.Limits{Memory: 64 << 20})
	require.NoError(t, err)
	require.NoError(t, unbound)
	require.Equal(t, parent{Parent: "dce-c.slice", Path: "/dce.slice/dce-c.slice", ours: true}, at)
	require.True(t, bus.Knows("dce-c.slice"))
	require.Equal(t, uint64(64<<20), bus.Calls()[0].Properties["MemoryMax"])
	for _, file := range []string{"cgroup.procs", "cgroup.type", "memory.max"} {
		require.NoError(t, os.Remove(filepath.Join(root, "cg/dce.slice/dce-c.slice", file)))
	}
	require.NoError(t, p.remove(t.Context()))
	require.False(t, bus.Knows("dce-c.slice"))

	// Without systemd nothing is created, and the way out is named.
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(root, "none"))
	_, _, err = p.take(t.Context(), "", cgroup.DriverSystemd, labels.Identity{Container: "c"}, tree.Limits{})
	require.ErrorContains(t, err, "native.cgroupdriver=cgroupfs")
	var refused *tree.SystemdError
	require.ErrorAs(t, err, &refused)
}

// On this machine, whose test is in no container of Mesos: a tree of our own, with the limits of all pods, removed after them.
func TestTakeOnThisMachine(t *testing.T) {
	var p parents
	container := fmt.Sprintf("test-launch-%d", os.Getpid())
	for pods := uint64(1); pods <= 2; pods++ {
		at, unbound, err := p.take(t.Context(), "", cgroup.DriverCgroupfs, labels.Identity{Scope: "/s", Container: container}, tree.Limits{Memory: 64 << 20, CPUs: 0.5, Quota: 0.5})
		require.NoError(t, err, "this test makes cgroups on this machine: run it as root")
		require.NoError(t, unbound)
		require.Equal(t, "/dce/"+container, at.Path)
		owned, err := tree.Owned(p.host)
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(owned, func(one tree.Claimed) bool { return one.Owner == tree.Owner{Scope: "/s", Container: container} }))
		unbound, err = hierarchical(p.host, at, "require")
		require.NoError(t, err)
		require.NoError(t, unbound)
		u, err := p.host.Usage(at.Path)
		require.NoError(t, err)
		require.Equal(t, pods*64<<20, u.Memory.Limit)
		require.Equal(t, float64(pods)*0.5, u.CPU.Limit)
	}
	require.NoError(t, p.remove(context.Background()))
	there, err := p.host.Exists("/dce/" + container)
	require.NoError(t, err)
	require.False(t, there)
}
