package cgroup

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/tests/fakehost"
)

func TestPathsThatAreRefused(t *testing.T) {
	h := fake(t, separate, selfV1, nil)
	for _, p := range []string{"", "..", "/a/../b", "/a/..", "../a", "a\x00b"} {
		var bad *PathError
		require.ErrorAs(t, h.Create(p), &bad, "%q", p)
		require.ErrorAs(t, h.Remove(t.Context(), p), &bad, "%q", p)
		require.ErrorAs(t, h.Write("memory", p, "x", "1"), &bad, "%q", p)
		require.ErrorAs(t, h.EnforceHierarchy(p), &bad, "%q", p)
		require.ErrorAs(t, h.CheckParent(DriverCgroupfs, p), &bad, "%q", p)
		_, err := h.List(p)
		require.ErrorAs(t, err, &bad, "%q", p)
		_, err = h.Procs(p)
		require.ErrorAs(t, err, &bad, "%q", p)
	}
	for _, p := range []string{"/", "//", "/./"} {
		require.ErrorContains(t, h.Create(p), "root of the hierarchy")
		require.ErrorContains(t, h.Remove(t.Context(), p), "root of the hierarchy")
	}
	for _, file := range []string{"", ".", "..", "../x", "/etc/passwd"} {
		require.ErrorContains(t, h.Write("memory", "/a", file, "1"), "control file")
	}
	require.ErrorContains(t, h.AddProc("/", 0), "can't take process 0")
}

func TestCreateInTheNamedHierarchiesOnly(t *testing.T) {
	root := fakeRoot(t, separate, selfV1, map[string]string{
		"/sys/fs/cgroup/cpuset/cpuset.cpus": "0-3\n", "/sys/fs/cgroup/cpuset/cpuset.mems": "0\n",
	})
	h, err := Open(Options{Root: root})
	require.NoError(t, err)
	require.NoError(t, h.Create("mesos/c1", "memory", "cpu"))
	require.NoError(t, h.Create("/mesos/c1", "memory"), "what exists is no error")
	require.DirExists(t, root+"/sys/fs/cgroup/memory/mesos/c1")
	require.DirExists(t, root+"/sys/fs/cgroup/cpu/mesos/c1")
	require.NoDirExists(t, root+"/sys/fs/cgroup/cpuacct/mesos")

	// the fake has no files where a kernel makes them, so a new cpuset lacks what it would inherit into
	err = h.Create("/x", "cpuset")
	require.ErrorContains(t, err, "/sys/fs/cgroup/cpuset/x/cpuset.cpus")
	fakehost.Put(t, root, "/sys/fs/cgroup/cpuset/x/cpuset.cpus", "\n")
	fakehost.Put(t, root, "/sys/fs/cgroup/cpuset/x/cpuset.mems", "1\n")
	require.NoError(t, h.Create("/x", "cpuset"))
	cpus, err := h.Read("cpuset", "/x", "cpuset.cpus")
	require.NoError(t, err)
	require.Equal(t, "0-3", cpus)
	mems, err := h.Read("cpuset", "/x", "cpuset.mems")
	require.NoError(t, err)
	require.Equal(t, "1", mems, "what is set stays")
}

func TestFilesThatAreWrong(t *testing.T) {
	root := fakeRoot(t, separate, selfV1, map[string]string{
		"/sys/fs/cgroup/memory/a/readonly": "0\n", "/sys/fs/cgroup/memory/a/hidden": "0\n",
		"/sys/fs/cgroup/memory/a/directory/": "", "/sys/fs/cgroup/memory/a/garbage": "many\n",
		"/sys/fs/cgroup/memory/a/huge": strings.Repeat("1", maxFile+1), "/secret": "s",
		"/sys/fs/cgroup/memory/a/cgroup.procs": "12\nx\n",
	})
	dir := root + "/sys/fs/cgroup/memory/a"
	require.NoError(t, os.Chmod(dir+"/readonly", 0o444))
	require.NoError(t, os.Chmod(dir+"/hidden", 0))
	require.NoError(t, os.Symlink(root+"/secret", dir+"/link"))
	require.NoError(t, os.Symlink(dir, root+"/sys/fs/cgroup/memory/linked"))
	h, err := Open(Options{Root: root})
	require.NoError(t, err)
	fakehost.AsNobody(t, func() {
		for file, is := range map[string]error{"missing": fs.ErrNotExist, "hidden": fs.ErrPermission, "directory": nil, "link": nil} {
			_, err := h.Read("memory", "/a", file)
			var fe *FileError
			require.ErrorAs(t, err, &fe, file)
			require.Equal(t, filepath.Join(dir, file), fe.File)
			if is != nil {
				require.ErrorIs(t, err, is)
			}
			require.ErrorAs(t, h.Write("memory", "/a", file, "1"), &fe, file)
			require.Equal(t, filepath.Join(dir, file), fe.File)
		}
		require.ErrorIs(t, h.Write("memory", "/a", "readonly", "1"), fs.ErrPermission)
		for _, file := range []string{"garbage", "huge"} {
			_, err := h.ReadUint("memory", "/a", file)
			var ve *ValueError
			require.ErrorAs(t, err, &ve)
			require.Equal(t, filepath.Join(dir, file), ve.File)
		}
		_, err = h.Procs("/a")
		require.ErrorContains(t, err, dir+`/cgroup.procs holds "x"`)
		_, err = h.Read("memory", "/linked", "garbage")
		require.ErrorContains(t, err, "memory/linked")
		_, err = h.Procs("/nowhere")
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
	require.FileExists(t, root+"/secret")
}

func TestV2EnablesControllersOnTheWay(t *testing.T) {
	root := fakeRoot(t, unified, "0::/\n", map[string]string{
		"/sys/fs/cgroup/cgroup.controllers": "cpu memory\n", "/sys/fs/cgroup/cgroup.subtree_control": "",
		"/sys/fs/cgroup/dce/cgroup.subtree_control": "",
	})
	h, err := Open(Options{Root: root})
	require.NoError(t, err)
	require.NoError(t, h.Create("/dce/c1", "memory"))
	for _, dir := range []string{"", "/dce"} {
		data, err := os.ReadFile(root + "/sys/fs/cgroup" + dir + "/cgroup.subtree_control")
		require.NoError(t, err)
		require.Equal(t, "+memory", string(data))
	}
	require.ErrorContains(t, h.AddThread("/dce/c1", 1, "memory"), "can't move a thread into")
	require.ErrorContains(t, h.Create("/dce/c2", "hugetlb"), "cgroup.controllers")
}

func TestEnforceHierarchy(t *testing.T) {
	const file = "/sys/fs/cgroup/memory/mesos/memory.use_hierarchy"
	for name, c := range map[string]struct {
		mounts []mount
		files  map[string]string
		after  string
		fails  string
	}{
		"already":            {separate, map[string]string{file: "1\n", "/sys/fs/cgroup/memory/mesos/c1/": ""}, "1\n", ""},
		"v2":                 {unified, map[string]string{"/sys/fs/cgroup/cgroup.controllers": "memory"}, "", ""},
		"off, no children":   {separate, map[string]string{file: "0\n"}, "1", ""},
		"off, with children": {separate, map[string]string{file: "0\n", "/sys/fs/cgroup/memory/mesos/c2/": "", "/sys/fs/cgroup/memory/mesos/c1/": ""}, "0\n", "has children (c1, c2)"},
		"garbage":            {separate, map[string]string{file: "2\n"}, "2\n", `holds "2" where 0 or 1 is expected`},
		"missing":            {separate, map[string]string{"/sys/fs/cgroup/memory/mesos/": ""}, "", "no such file"},
		"no such cgroup":     {separate, nil, "", "no such file"},
		"no memory":          {separate[:3], nil, "", "memory is not mounted"},
	} {
		t.Run(name, func(t *testing.T) {
			root := fakeRoot(t, c.mounts, "1:memory:/\n2:cpu:/\n0::/\n", c.files)
			h, err := Open(Options{Root: root})
			require.NoError(t, err)
			checked := h.CheckHierarchy("/mesos")
			err = h.EnforceHierarchy("/mesos")
			if name != "off, no children" { // what can be enforced, and is not yet
				require.Equal(t, err, checked)
			} else {
				require.ErrorContains(t, checked, file+" is 0, so that the limit does not bind")
			}
			if c.fails == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.fails)
			}
			if c.after != "" {
				data, err := os.ReadFile(root + file)
				require.NoError(t, err)
				require.Equal(t, c.after, string(data))
			}
		})
	}
	t.Run("read-only", func(t *testing.T) {
		root := fakeRoot(t, separate, "1:memory:/\n", map[string]string{file: "0\n"})
		require.NoError(t, os.Chmod(root+file, 0o444))
		h, err := Open(Options{Root: root})
		require.NoError(t, err)
		fakehost.AsNobody(t, func() {
			err := h.EnforceHierarchy("/mesos")
			require.ErrorIs(t, err, fs.ErrPermission)
			require.ErrorContains(t, err, root+file)
			require.ErrorContains(t, err, "as root")
		})
	})
}

// What was written and is not there afterwards is told with both values. The file is a pipe, behind which somebody says 0 whatever
// is written.
func TestHierarchyThatIsWrittenInVain(t *testing.T) {
	const file = "/sys/fs/cgroup/memory/mesos/memory.use_hierarchy"
	root := fakeRoot(t, separate, "1:memory:/\n", map[string]string{"/sys/fs/cgroup/memory/mesos/": ""})
	require.NoError(t, unix.Mkfifo(root+file, 0o600))
	h, err := Open(Options{Root: root})
	require.NoError(t, err)
	written := make(chan string, 1)
	go func() { // each of these waits for the other side
		_ = os.WriteFile(root+file, []byte("0\n"), 0)
		text, _ := os.ReadFile(root + file)
		_ = os.WriteFile(root+file, []byte("0\n"), 0)
		written <- string(text)
	}()
	err = h.EnforceHierarchy("/mesos")
	require.Equal(t, "1", <-written)
	var off *HierarchyError
	require.ErrorAs(t, err, &off)
	require.Equal(t, "REASON_CONTAINER_LAUNCH_FAILED", off.Reason())
	require.ErrorContains(t, err, `memory.use_hierarchy holds "0" where the 1 that was written is expected; set it`)
}

func TestCheckParent(t *testing.T) {
	memory := "/sys/fs/cgroup/memory"
	h := fake(t, separate, selfV1, map[string]string{memory + "/mesos/c1/cgroup.procs": "", memory + "/dce.slice/cgroup.procs": "",
		memory + "/notacgroup/": ""})
	require.NoError(t, h.CheckParent(DriverCgroupfs, "/mesos/c1"))
	require.NoError(t, h.CheckParent(DriverSystemd, "/dce.slice"))
	require.NoError(t, h.CheckParent(DriverSystemd, "/"))
	for p, c := range map[string]struct{ driver, want, file string }{
		"/mesos/c1":   {DriverSystemd, "takes only a slice", ""},
		"/mesos/c2":   {DriverCgroupfs, "can't be opened (no such file", memory + "/mesos/c2"},
		"/notacgroup": {DriverCgroupfs, "can't be written (no such file", memory + "/notacgroup/cgroup.procs"},
	} {
		err := h.CheckParent(c.driver, p)
		var pe *ParentError
		require.ErrorAs(t, err, &pe, p)
		require.ErrorContains(t, err, c.want)
		require.True(t, strings.HasSuffix(pe.File, c.file), pe.File)
		require.Contains(t, err.Error(), c.file)
		require.Equal(t, "REASON_CONTAINER_LAUNCH_FAILED", pe.Reason())
		require.NotEmpty(t, pe.Fix)
	}
	root := fakeRoot(t, unified, "0::/\n", map[string]string{"/sys/fs/cgroup/cgroup.controllers": "memory",
		"/sys/fs/cgroup/t/cgroup.procs": "", "/sys/fs/cgroup/t/cgroup.type": "threaded\n",
		"/sys/fs/cgroup/d/cgroup.procs": "", "/sys/fs/cgroup/d/cgroup.type": "domain\n"})
	h2, err := Open(Options{Root: root})
	require.NoError(t, err)
	require.ErrorContains(t, h2.CheckParent(DriverCgroupfs, "/t"), "cgroup.type says threaded")
	require.NoError(t, h2.CheckParent(DriverCgroupfs, "/d"))
}

func TestParentPath(t *testing.T) {
	for _, c := range []struct{ driver, parent, want string }{
		{DriverSystemd, "dce.slice", "/dce.slice"},
		{DriverSystemd, "dce-a-b.slice", "/dce.slice/dce-a.slice/dce-a-b.slice"},
		{DriverSystemd, "-.slice", "/"},
		{DriverSystemd, "/a/b.slice", "/a/b.slice"},
		{DriverSystemd, ".slice", ".slice"},
		{DriverCgroupfs, "dce-a.slice", "dce-a.slice"},
		{DriverCgroupfs, "/mesos/c1", "/mesos/c1"},
	} {
		require.Equal(t, c.want, ParentPath(c.driver, c.parent))
	}
	h := fake(t, separate, selfV1, map[string]string{"/sys/fs/cgroup/memory/dce.slice/dce-a.slice/cgroup.procs": ""})
	require.NoError(t, h.CheckParent(DriverSystemd, "dce-a.slice"))
	require.ErrorContains(t, h.CheckParent(DriverSystemd, "dce-b.slice"), "dce.slice/dce-b.slice")
}

func FuzzParsePids(f *testing.F) {
	f.Add("1\n2\n")
	f.Add("-1")
	f.Add("99999999999999999999")
	f.Fuzz(func(t *testing.T, s string) {
		pids, err := parsePids("/f", s)
		if err != nil {
			require.ErrorContains(t, err, "/f holds")
		}
		for _, p := range pids {
			require.GreaterOrEqual(t, p, 0)
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add("/a/../b")
	f.Add("a//b/./")
	f.Add("/a\x00")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := cleanOwn(s)
		if err != nil {
			return
		}
		require.True(t, strings.HasPrefix(p, "/") && p != "/" && !strings.HasSuffix(p, "/"), p)
		for _, part := range parts(p) {
			require.NotContains(t, []string{"", ".", ".."}, part)
		}
	})
}
