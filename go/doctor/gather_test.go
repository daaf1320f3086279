package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/tests/fakehost"
)

// fakeHost is a machine in a directory with these mounts, as type and options below /sys/fs/cgroup, and files.
func fakeHost(t *testing.T, mounts map[string]string, self string, files map[string]string) cgroup.Options {
	t.Helper()
	root := t.TempDir()
	var table strings.Builder
	for dir, options := range mounts {
		kind := "cgroup"
		if options == "" {
			kind = "cgroup2"
		}
		fmt.Fprintf(&table, "30 1 0:30 / /sys/fs/cgroup%s rw,relatime shared:9 - %s %s rw,%s\n", dir, kind, kind, options)
		require.NoError(t, os.MkdirAll(filepath.Join(root, "/sys/fs/cgroup", dir), 0o755))
	}
	fakehost.Put(t, root, "/proc/self/mountinfo", table.String())
	fakehost.Put(t, root, "/proc/self/cgroup", self)
	for name, content := range files {
		fakehost.Put(t, root, "/sys/fs/cgroup/"+name, content)
	}
	return cgroup.Options{Root: root}
}

const selfV1 = "5:pids:/user\n4:memory:/\n3:cpu,cpuacct:/\n3:cpu:/\n3:cpuacct:/\n"

var mountsV1 = map[string]string{"/memory": "memory", "/cpu": "cpu,cpuacct", "/pids": "pids"}

func TestCgroupsV1(t *testing.T) {
	host := fakeHost(t, mountsV1, selfV1, map[string]string{
		"memory/memory.use_hierarchy": "0\n", "memory/mesos/memory.use_hierarchy": "0\n", "memory/mesos/c1/memory.use_hierarchy": "0\n",
	})
	c, err := readCgroups(Options{CgroupsRoot: "/mesos", Cgroups: host})
	require.NoError(t, err)
	require.Equal(t, cgroup.V1, c.Version)
	require.False(t, c.SwapLimit)
	require.Equal(t, filepath.Join(host.Root, "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"), c.SwapFile)
	var off *cgroup.HierarchyError
	require.ErrorAs(t, c.AgentErr, &off)
	require.Equal(t, []string{"c1"}, off.Children)
	require.ErrorAs(t, c.RootErr, &off)
	require.ElementsMatch(t, []string{"blkio", "freezer"}, slices.Collect(maps.Keys(c.Missing)))

	fakehost.Put(t, host.Root, "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "9223372036854771712\n")
	fakehost.Put(t, host.Root, "/sys/fs/cgroup/memory/memory.use_hierarchy", "1\n")
	c, err = readCgroups(Options{CgroupsRoot: "/none", Cgroups: host})
	require.NoError(t, err)
	require.True(t, c.SwapLimit)
	require.NoError(t, c.RootErr)
	require.ErrorIs(t, c.AgentErr, fs.ErrNotExist)

	fakehost.Put(t, host.Root, "/sys/fs/cgroup/memory/memory.use_hierarchy", "garbage\n")
	c, err = readCgroups(Options{CgroupsRoot: "/none", Cgroups: host})
	require.NoError(t, err)
	require.ErrorContains(t, c.RootErr, "garbage")
}

func TestCgroupsV2(t *testing.T) {
	host := fakeHost(t, map[string]string{"": ""}, "0::/init\n", map[string]string{
		"cgroup.controllers": "cpu io memory pids\n", "init.scope/cgroup.procs": "", "system.slice/memory.max": "max\n", "system.slice/memory.swap.max": "max\n",
	})
	c, err := readCgroups(Options{CgroupsRoot: "/mesos", Cgroups: host})
	require.NoError(t, err)
	require.Equal(t, cgroup.V2, c.Version)
	require.True(t, c.SwapLimit)
	require.Equal(t, filepath.Join(host.Root, "/sys/fs/cgroup/system.slice/memory.swap.max"), c.SwapFile)
	require.Empty(t, c.Missing)
	require.NoError(t, os.Remove(c.SwapFile))
	c, err = readCgroups(Options{CgroupsRoot: "/mesos", Cgroups: host})
	require.NoError(t, err)
	require.False(t, c.SwapLimit)
	require.NotEmpty(t, c.SwapFile)
	require.NoError(t, os.RemoveAll(filepath.Dir(c.SwapFile)))
	c, err = readCgroups(Options{CgroupsRoot: "/mesos", Cgroups: host})
	require.NoError(t, err)
	require.False(t, c.SwapLimit)
	require.Empty(t, c.SwapFile, "nobody can tell")
}

func TestCgroupsHybrid(t *testing.T) {
	mounts := map[string]string{"/unified": "", "/cpu": "cpu,cpuacct", "/pids": "pids"}
	host := fakeHost(t, mounts, "3:cpu,cpuacct:/\n3:cpu:/\n3:cpuacct:/\n5:pids:/\n0::/\n", map[string]string{"unified/cgroup.controllers": "memory\n"})
	c, err := readCgroups(Options{CgroupsRoot: "/mesos", Cgroups: host})
	require.NoError(t, err)
	require.Equal(t, cgroup.Hybrid, c.Version)
	require.ErrorContains(t, c.Missing["memory"], "unified hierarchy of a hybrid host")
}

func TestNoCgroups(t *testing.T) {
	_, err := readCgroups(Options{CgroupsRoot: "/mesos", Cgroups: fakeHost(t, nil, selfV1, nil)})
	var missing *cgroup.NotMountedError
	require.ErrorAs(t, err, &missing)
	_, err = readCgroups(Options{CgroupsRoot: "/mesos", Cgroups: cgroup.Options{Root: t.TempDir()}})
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestPIDGroups(t *testing.T) {
	host := fakeHost(t, mountsV1, selfV1, map[string]string{"pids/user/pids.max": "100\n", "pids/user/pids.current": "90\n"})
	fakehost.Put(t, host.Root, "/proc/7/cgroup", "5:pids:/user/unbound\n")
	fakehost.Put(t, host.Root, "/sys/fs/cgroup/pids/user/unbound/pids.max", "max\n")
	groups, err := pidGroups(host, "7")
	require.NoError(t, err)
	require.Equal(t, []PIDGroup{{filepath.Join(host.Root, "/sys/fs/cgroup/pids/user/pids.max"), 90, 100}}, groups)
}

func TestAgents(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	proc := t.TempDir()
	fakehost.Put(t, proc, "1/cmdline", "/sbin/init\x00")
	fakehost.Put(t, proc, "7/cmdline", "/usr/sbin/mesos-agent\x00--work_dir=/w\x00--switch_user\x00--no-cgroups_limit_swap\x00stray\x00")
	fakehost.Put(t, proc, "7/environ", "PATH=/bin\x00MESOS_WORK_DIR=/env\x00MESOS_CGROUPS_ROOT=own\x00")
	fakehost.Put(t, proc, "7/maps", "7f00-7f01 r-xp 00000000 08:01 12 /lib/libc.so.6\n7f00-7f01 r-xp 00000000 08:01 12                 /x/with space.so\n7f00-7f01 rw-p 00000000 00:00 0 [heap]\n")
	fakehost.Put(t, proc, "7/root/lib/libc.so.6", "no ELF")
	require.NoError(t, os.MkdirAll(filepath.Join(proc, "7/root/x"), 0o755))
	require.NoError(t, os.Symlink(self, filepath.Join(proc, "7/root/x/with space.so"))) // Go built it
	fakehost.Put(t, proc, "8/cmdline", "/build/src/.libs/lt-mesos-slave\x00")
	fakehost.Put(t, proc, "9/cmdline", "vi\x00mesos-agent\x00")
	fakehost.Put(t, proc, "uptime", "")
	found, err := agents(proc)
	require.NoError(t, err)
	require.Len(t, found, 1, "process 8 ended before its environment could be read")
	require.Equal(t, map[string]string{"work_dir": "/w", "cgroups_root": "own", "switch_user": "true", "cgroups_limit_swap": "false"}, found[0].Flags)
	require.Len(t, found[0].Programs, 1)
	require.Equal(t, "/x/with space.so", found[0].Programs[0].Path)
	require.NotEmpty(t, found[0].Programs[0].Version)

	_, err = agents(filepath.Join(proc, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestWhatIsNotGivenIsTheAgents(t *testing.T) {
	a := &Agent{Flags: map[string]string{"work_dir": "/w", "cgroups_root": "own", "runtime_dir": "/run/x", "modules": "file:///m.json", "modules_dir": "/m"}}
	o := Options{}.complete(a)
	require.Equal(t, Options{CgroupsRoot: "/own", WorkDir: "/w", RuntimeDir: "/run/x", Modules: []string{"file:///m.json"}, ModulesDir: "/m"}, o)
	o = Options{WorkDir: "/v", ModulesDir: "/n"}.complete(a)
	require.Equal(t, Options{CgroupsRoot: "/own", WorkDir: "/v", RuntimeDir: "/run/x", ModulesDir: "/n"}, o)
	require.Equal(t, Options{CgroupsRoot: "/mesos", WorkDir: "/var/lib/mesos", RuntimeDir: "/var/run/mesos"}, Options{}.complete(nil))
}

func TestThisHost(t *testing.T) {
	k, err := readKernel("/proc")
	require.NoError(t, err)
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	require.NoError(t, err)
	require.Equal(t, strings.TrimSpace(string(release)), k.Release)
	require.Contains(t, []string{"0", "1"}, k.Forwards)

	self, err := os.Executable()
	require.NoError(t, err)
	c, err := readClock(self)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), c.Built, 24*time.Hour)

	l, err := readLimits(Options{Proc: "/proc"}, "self")
	require.NoError(t, err)
	require.NotZero(t, l.Processes)
	require.NotZero(t, l.MaxPIDs)
	require.NotZero(t, l.Threads)

	d, err := readDisk(filepath.Join(t.TempDir(), "to", "come"))
	require.NoError(t, err)
	require.NotZero(t, d.Free)
	require.Equal(t, filepath.Dir(filepath.Dir(d.Wanted)), d.Path)
	d, err = readDisk("/proc")
	require.NoError(t, err)
	require.Zero(t, d.Inodes)
	_, err = readDisk(fakehost.Put(t, t.TempDir(), "file", "") + "/below")
	require.ErrorContains(t, err, "not a directory")
}

func TestOpenFiles(t *testing.T) {
	dir := t.TempDir()
	n, err := openFiles(fakehost.Put(t, dir, "a", "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024                 4096                 files\n"))
	require.NoError(t, err)
	require.EqualValues(t, 1024, n)
	n, err = openFiles(fakehost.Put(t, dir, "b", "Max open files            unlimited            unlimited            files\n"))
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = openFiles(fakehost.Put(t, dir, "c", "Max open files            many\n"))
	require.Error(t, err)
}

func TestSettings(t *testing.T) {
	own := func(environ ...string) Options { return Options{Environ: environ} }
	s, err := readSettings(own("DCE_ENGINE_HOST=unix:///x.sock", "DCE_CGROUP_USE_HIERARCHY=require"), nil)
	require.NoError(t, err)
	require.Equal(t, Settings{"unix:///x.sock", "DCE_ENGINE_HOST", "require"}, s)
	_, err = readSettings(own("DCE_CGROUP_USE_HIERARCHY=maybe"), nil)
	require.ErrorContains(t, err, "maybe")
	s, err = readSettings(own("DOCKER_HOST=unix:///shell.sock"), nil)
	require.NoError(t, err)
	require.Empty(t, s.EngineHost, "the engine package looks there itself")

	// Executors have what the agent gives them, and nothing of a shell's.
	file := fakehost.Put(t, t.TempDir(), "env.json", `{"DOCKER_HOST": "unix:///agent.sock", "DCE_CGROUP_USE_HIERARCHY": "warn"}`)
	for _, given := range []string{file, "file://" + file, `{"DOCKER_HOST": "unix:///agent.sock", "DCE_CGROUP_USE_HIERARCHY": "warn"}`} {
		s, err = readSettings(own("DOCKER_HOST=unix:///shell.sock", "DCE_CGROUP_USE_HIERARCHY=off"), &Agent{Flags: map[string]string{executorVariables: given}})
		require.NoError(t, err)
		require.Equal(t, Settings{"unix:///agent.sock", "DOCKER_HOST in the agent's --" + executorVariables, "warn"}, s)
	}
	s, err = readSettings(own("DOCKER_HOST=unix:///shell.sock"), &Agent{})
	require.NoError(t, err)
	require.Equal(t, "unix:///var/run/docker.sock", s.EngineHost)
	require.Equal(t, "the agent's --"+executorVariables+", which has no DOCKER_HOST", s.EngineFrom)
	s, err = readSettings(own(), &Agent{})
	require.NoError(t, err)
	require.Empty(t, s.EngineHost)
	for given, says := range map[string]string{"/nowhere": "/nowhere", "{": "no JSON object", `{"A": 1}`: "no JSON object"} {
		_, err = readSettings(own(), &Agent{Flags: map[string]string{executorVariables: given}})
		require.ErrorContains(t, err, says)
	}
}

func TestWhatHangsIsLeftToItself(t *testing.T) {
	begin := time.Now()
	release := make(chan struct{})
	defer close(release)
	seen := within(t.Context(), 50*time.Millisecond, "the thing", func(context.Context) (int, error) {
		<-release
		return 1, nil
	})
	require.ErrorContains(t, seen.Err, "the thing could not be looked at within 50ms")
	require.True(t, errdefs.IsUnavailable(seen.Err))
	require.Less(t, time.Since(begin), 10*time.Second)
	require.Equal(t, Seen[int]{Value: 2}, within(t.Context(), time.Minute, "", func(context.Context) (int, error) { return 2, nil }))
}

// An engine that takes the connection and never answers costs its own lines, and no time beyond its patience.
func TestASilentEngine(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "docker.sock")
	hole, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer hole.Close()
	begin := time.Now()
	f := Gather(t.Context(), Options{DockerHost: "unix://" + socket, Patience: 200 * time.Millisecond, WorkDir: t.TempDir()})
	require.Less(t, time.Since(begin), 10*time.Second)
	require.True(t, errdefs.IsUnavailable(f.Engine.Err), "%v", f.Engine.Err)
	require.ErrorIs(t, f.Leftovers.Err, errNoEngine)
	r := Decide(f)
	require.False(t, r.PodRuns)
	at := map[string]Finding{}
	for _, one := range r.Findings {
		at[one.Check] = one
	}
	require.Equal(t, Fail, at["engine"].Level)
	require.Contains(t, at["engine"].String(), "unix://"+socket+" (from --docker-host)")
	require.Contains(t, at["engine"].String(), "did not answer within 200ms")
	require.Equal(t, Unknown, at["leftovers"].Level)
	require.Equal(t, OK, at["kernel"].Level)
}

func TestAnAddressThatIsNone(t *testing.T) {
	f := Gather(t.Context(), Options{DockerHost: "ssh://host", WorkDir: t.TempDir()})
	require.True(t, errdefs.IsInvalidArgument(f.Engine.Err), "%v", f.Engine.Err)
	require.Equal(t, Fail, engineAnswers(f).Level)
	require.Contains(t, engineAnswers(f).String(), "use unix:///path")
	require.False(t, errors.Is(f.Engine.Err, errNoEngine))
}
