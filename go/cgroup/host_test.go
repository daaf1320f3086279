package cgroup

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/fakehost"
)

func TestOpenClassifies(t *testing.T) {
	for name, c := range map[string]struct {
		mounts []mount
		self   string
		want   Version
		task   string
		where  map[string]string // controller to directory
	}{
		"v1, a mount for each controller": {separate, "1:cpu:/\n2:cpuacct:/\n3:memory:/mesos/c1\n4:cpuset:/\n", V1, "/mesos/c1",
			map[string]string{"cpu": "cpu", "cpuacct": "cpuacct", "memory": "memory"}},
		"v1, mounted together, with a named one": {comounted, "3:cpu,cpuacct:/a\n4:memory:/mesos/c1\n1:name=systemd:/\n", V1, "/mesos/c1",
			map[string]string{"cpu": "cpu,cpuacct", "cpuacct": "cpu,cpuacct", "name=systemd": "systemd"}},
		"hybrid": {hybrid, selfV1, Hybrid, "/mesos/c1",
			map[string]string{"memory": "memory", "": "unified"}},
		"v2": {unified, "0::/system.slice/x\n", V2, "/system.slice/x",
			map[string]string{"memory": "", "": ""}},
		"v2 in which systemd keeps a named v1 hierarchy": {append(unified[:1:1], mount{"/run/named", "/", "v1:name=elogind"}),
			"1:name=elogind:/x\n0::/y\n", V2, "/y", map[string]string{"memory": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			h := fake(t, c.mounts, c.self, map[string]string{"/sys/fs/cgroup/cgroup.controllers": "cpu memory pids\n",
				"/sys/fs/cgroup/unified/cgroup.controllers": "hugetlb\n"})
			require.Equal(t, c.want, h.Version())
			task, err := h.TaskPath()
			require.NoError(t, err)
			require.Equal(t, c.task, task)
			for controller, dir := range c.where {
				hi, err := h.Hierarchy(controller)
				require.NoError(t, err)
				_, rel, _ := strings.Cut(hi.Dir, "/sys/fs/cgroup")
				require.Equal(t, dir, strings.TrimPrefix(rel, "/"), controller)
			}
			_, err = h.Hierarchy("rdma")
			var missing *NotMountedError
			require.ErrorAs(t, err, &missing)
			require.ErrorContains(t, err, "rdma is not mounted")
			require.ErrorContains(t, err, missing.File)
		})
	}
}

func TestOpenPrefersTheWholeTree(t *testing.T) {
	h := fake(t, []mount{
		{"/in/a/container", "/docker/abc", "v1:memory"}, {"/sys/fs/cgroup/memory", "/", "v1:memory"},
		{"/covered", "/", "v1:cpu"}, {"/sys/fs/cgroup/cpu", "/", "v1:cpu"}, {"/covered", "/", "tmpfs"},
	}, selfV1, nil)
	require.Len(t, h.Hierarchies(), 2)
	for _, hi := range h.Hierarchies() {
		require.Equal(t, "/", hi.Root)
		require.Contains(t, hi.Dir, "/sys/fs/cgroup/")
	}
}

func TestMountThatShowsAPart(t *testing.T) {
	h := fake(t, []mount{{"/sys/fs/cgroup/memory", "/docker/abc", "v1:memory"}}, "1:memory:/docker/abc/x\n",
		map[string]string{"/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "12\n"})
	limit, err := h.ReadUint("memory", "/docker/abc/x", "memory.limit_in_bytes")
	require.NoError(t, err)
	require.EqualValues(t, 12, limit)
	_, err = h.Read("memory", "/docker/abcd/x", "memory.limit_in_bytes")
	require.ErrorContains(t, err, "shows only what is below the cgroup /docker/abc")
	require.NoError(t, h.Create("/docker/abc/y/z", "memory"))
	names, err := h.List("/docker/abc")
	require.NoError(t, err)
	require.Equal(t, []string{"/docker/abc/x", "/docker/abc/y", "/docker/abc/y/z"}, names)
	require.NoError(t, h.Remove(t.Context(), "/docker/abc/y"))
	require.NoError(t, h.Remove(t.Context(), "/docker/abc")) // the mount itself can't be removed from here
	names, err = h.List("/docker/abc")
	require.NoError(t, err)
	require.Equal(t, []string{"/docker/abc/x"}, names)
}

func TestOpenNamesTheFile(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, proc string)
		file   string
		is     error
	}{
		"no proc":             {func(t *testing.T, p string) { require.NoError(t, os.RemoveAll(p)) }, "self/cgroup", fs.ErrNotExist},
		"no mount table":      {func(t *testing.T, p string) { require.NoError(t, os.Remove(p+"/self/mountinfo")) }, "self/mountinfo", fs.ErrNotExist},
		"unreadable":          {func(t *testing.T, p string) { require.NoError(t, os.Chmod(p+"/self/mountinfo", 0)) }, "self/mountinfo", fs.ErrPermission},
		"garbage mount table": {func(t *testing.T, p string) { fakehost.Put(t, p, "self/mountinfo", "what?\n") }, "self/mountinfo", nil},
		"garbage cgroup file": {func(t *testing.T, p string) { fakehost.Put(t, p, "self/cgroup", "what?\n") }, "self/cgroup", nil},
		"empty cgroup file":   {func(t *testing.T, p string) { fakehost.Put(t, p, "self/cgroup", "") }, "self/cgroup", nil},
		"relative path":       {func(t *testing.T, p string) { fakehost.Put(t, p, "self/cgroup", "1:memory:mesos\n") }, "self/cgroup", nil},
		"a line without end": {func(t *testing.T, p string) {
			fakehost.Put(t, p, "self/cgroup", "1:memory:/"+strings.Repeat("a", 1<<17))
		}, "self/cgroup", nil},
		"no cgroups mounted": {func(t *testing.T, p string) { fakehost.Put(t, p, "self/mountinfo", "") }, "self/mountinfo", nil},
		"a directory in place": {func(t *testing.T, p string) {
			require.NoError(t, os.Remove(p+"/self/cgroup"))
			fakehost.Put(t, p, "self/cgroup/", "")
		}, "self/cgroup", nil},
	} {
		t.Run(name, func(t *testing.T) {
			root := fakeRoot(t, separate, "1:memory:/\n", nil)
			proc := filepath.Join(root, "proc")
			c.change(t, proc)
			fakehost.AsNobody(t, func() {
				_, err := Open(Options{Root: root})
				require.ErrorContains(t, err, filepath.Join(proc, c.file))
				if c.is != nil {
					require.ErrorIs(t, err, c.is)
				}
			})
		})
	}
}

func TestTaskPathWithoutMemory(t *testing.T) {
	h := fake(t, separate[:3], "1:cpu:/x\n", nil)
	_, err := h.TaskPath()
	var missing *NotMountedError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, "memory", missing.Controller)
}

func TestOfPidThatEnded(t *testing.T) {
	h := fake(t, separate, selfV1, nil)
	_, err := h.OfPid("4711")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "proc/4711/cgroup")
}

func FuzzMountTable(f *testing.F) {
	f.Add("30 1 0:30 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n")
	f.Add(`36 35 98:0 / /mnt\040x rw - cgroup2 cgroup2 rw` + "\n")
	f.Add("1 2 3 4 5 6 - - - -\n - \n")
	f.Fuzz(func(t *testing.T, table string) {
		mounts, err := mountinfo.GetMountsFromReader(strings.NewReader(table), nil)
		if err != nil {
			return
		}
		for _, h := range hierarchies(mounts, map[string]string{"memory": "/", "name=x": "/"}, "/root") {
			require.NotEmpty(t, h.Controllers)
			require.True(t, h.Dir == "/root" || strings.HasPrefix(h.Dir, "/root/"), h.Dir)
		}
	})
}

func FuzzProcCgroup(f *testing.F) {
	f.Add("4:memory:/a\n0::/\n")
	f.Add("1:name=systemd:/a:b\n")
	f.Add("::\n:::\n\x00")
	dir := f.TempDir()
	require.NoError(f, os.Mkdir(filepath.Join(dir, "1"), 0o755))
	h := &Host{proc: dir}
	f.Fuzz(func(t *testing.T, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "1", "cgroup"), []byte(content), 0o600))
		paths, err := h.OfPid("1")
		if err != nil {
			require.ErrorContains(t, err, filepath.Join(dir, "1", "cgroup"))
			return
		}
		for _, p := range paths {
			require.True(t, strings.HasPrefix(p, "/"))
		}
	})
}
