package tree

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/tests/fakehost"
)

// fakeHost is a machine in a directory: cg is its only hierarchy, or cg/<controller> on v1.
func fakeHost(t *testing.T, v2 bool) (string, *cgroup.Host) {
	t.Helper()
	root := fakehost.Root(t, map[string]string{"proc/self/cgroup": "4:memory:/\n3:cpu:/\n2:pids:/\n1:cpuacct:/\n0::/\n"})
	table := ""
	if v2 {
		table = "30 1 0:30 / /cg rw - cgroup2 cgroup2 rw\n"
		fakehost.Put(t, root, "cg/cgroup.controllers", "memory cpu pids")
		fakehost.Put(t, root, "cg/cgroup.subtree_control", "")
	} else {
		for i, c := range []string{"memory", "cpu", "pids"} {
			table += fmt.Sprintf("%d 1 0:%d / /cg/%s rw - cgroup cgroup rw,%s\n", 30+i, 30+i, c, c)
			fakehost.Put(t, root, "cg/"+c+"/", "")
		}
	}
	fakehost.Put(t, root, "proc/self/mountinfo", table)
	host, err := cgroup.Open(cgroup.Options{Root: root, Patience: 1})
	require.NoError(t, err)
	return root, host
}

// emptied takes the files away that a kernel does not count.
func emptied(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		require.NoError(t, os.Remove(filepath.Join(dir, e.Name())))
	}
}

func asUnbound(err error, to **UnboundError) bool { return errors.As(err, to) }

// files of a tree, with what they held before.
var (
	filesV2 = map[string]string{"memory.low": "0", "memory.max": "max", "cpu.weight": "100", "cpu.max": "max 100000", "pids.max": "max", "cgroup.subtree_control": ""}
	filesV1 = map[string]string{"memory/memory.soft_limit_in_bytes": "9223372036854771712", "memory/memory.limit_in_bytes": "9223372036854771712",
		"cpu/cpu.shares": "1024", "cpu/cpu.cfs_period_us": "100000", "cpu/cpu.cfs_quota_us": "-1", "pids/pids.max": "max"}
)

// at is where a file of the tree /dce/c is.
func at(v2 bool, file string) string {
	if v2 {
		return "cg/dce/c/" + file
	}
	controller, file, _ := strings.Cut(file, "/")
	return "cg/" + controller + "/dce/c/" + file
}

func withTree(t *testing.T, v2 bool) (root string, tree Tree, read func() map[string]string) {
	root, host := fakeHost(t, v2)
	before := filesV1
	if v2 {
		before = filesV2
		fakehost.Put(t, root, "cg/dce/cgroup.subtree_control", "")
	}
	for file, content := range before {
		fakehost.Put(t, root, at(v2, file), content)
	}
	tree, err := New(host, cgroup.DriverCgroupfs, "c")
	require.NoError(t, err)
	require.Equal(t, Tree{host, "/dce/c", "/dce/c"}, tree)
	return root, tree, func() map[string]string {
		out := map[string]string{}
		for file := range before {
			content, err := os.ReadFile(filepath.Join(root, at(v2, file)))
			require.NoError(t, err)
			out[file] = string(content)
		}
		return out
	}
}

func TestMake(t *testing.T) {
	limits := Limits{Memory: 64 << 20, MemoryLow: 48 << 20, CPUs: 0.5, Quota: 1.5, Pids: 10}
	for v2, want := range map[bool]map[string]string{
		true: {"memory.low": "50331648", "memory.max": "67108864", "cpu.weight": "50", "cpu.max": "150000 100000", "pids.max": "10", "cgroup.subtree_control": ""},
		false: {"memory/memory.soft_limit_in_bytes": "50331648", "memory/memory.limit_in_bytes": "67108864", "cpu/cpu.shares": "512",
			"cpu/cpu.cfs_period_us": "100000", "cpu/cpu.cfs_quota_us": "150000", "pids/pids.max": "10"},
	} {
		t.Run(fmt.Sprint("v2 ", v2), func(t *testing.T) {
			root, tree, read := withTree(t, v2)
			require.NoError(t, tree.Make(t.Context(), limits))
			require.Equal(t, want, read())
			if v2 { // the last of "+memory", "+cpu", "+pids", each a write of its own
				enabled, err := os.ReadFile(filepath.Join(root, "cg/dce/cgroup.subtree_control"))
				require.NoError(t, err)
				require.Equal(t, "+pids", string(enabled))
			}
			found, there, err := Find(tree.Host, "c")
			require.NoError(t, err)
			require.True(t, there)
			require.Equal(t, tree, found)
			_, there, err = Find(tree.Host, "d")
			require.NoError(t, err)
			require.False(t, there)
		})
	}
}

// As Mesos: a memory limit that is there is raised and never lowered, everything else is set.
func TestSet(t *testing.T) {
	for v2, file := range map[bool]string{true: "memory.max", false: "memory/memory.limit_in_bytes"} {
		none := map[bool]string{true: "max", false: "-1"}[v2]
		_, tree, read := withTree(t, v2)
		require.NoError(t, tree.Make(t.Context(), Limits{Memory: 64 << 20}))
		for _, step := range []struct {
			limits Limits
			parts  []Part
			want   string
		}{
			{Limits{Memory: 48 << 20}, nil, "67108864"},
			{Limits{Memory: 96 << 20}, []Part{Pids}, "67108864"},
			{Limits{Memory: 96 << 20}, nil, "100663296"},
			{Limits{}, []Part{Memory}, none},
			{Limits{Memory: 96 << 20}, nil, none},
		} {
			require.NoError(t, tree.Set(t.Context(), step.limits, step.parts...))
			require.Equal(t, step.want, read()[file])
		}
	}
}

// Each file missing, and what then does not bind.
func TestWithoutAFile(t *testing.T) {
	limits := Limits{Memory: 64 << 20, MemoryLow: 48 << 20, CPUs: 0.5, Quota: 1.5, Pids: 10}
	fails := map[string]bool{"memory.max": true, "cpu.max": true, "pids.max": true,
		"memory/memory.limit_in_bytes": true, "cpu/cpu.cfs_period_us": true, "cpu/cpu.cfs_quota_us": true, "pids/pids.max": true}
	for v2, files := range map[bool]map[string]string{true: filesV2, false: filesV1} {
		for _, file := range slices.Sorted(maps.Keys(files)) {
			if file == "cgroup.subtree_control" {
				continue
			}
			t.Run(file, func(t *testing.T) {
				root, tree, _ := withTree(t, v2)
				require.NoError(t, os.Remove(filepath.Join(root, at(v2, file))))
				err := tree.Make(t.Context(), limits)
				var limit *LimitError
				require.Equal(t, fails[file], errors.As(err, &limit), "%v", err)
				if fails[file] {
					require.ErrorContains(t, err, filepath.Join(root, at(v2, file)))
					require.Equal(t, "REASON_CONTAINER_LAUNCH_FAILED", limit.Reason())
					require.ErrorContains(t, err, "; boot a kernel with ")
				}
				require.NoError(t, tree.Make(t.Context(), Limits{}), "what is not asked for is not missed")
			})
		}
	}
}

// Who may not write is told what does not bind; the rest is written.
func TestWithoutRights(t *testing.T) {
	root, tree, read := withTree(t, true)
	require.NoError(t, os.Chmod(filepath.Join(root, "cg/dce/c/pids.max"), 0o666))
	require.NoError(t, os.Chmod(filepath.Join(root, "cg/cgroup.subtree_control"), 0o666))
	require.NoError(t, os.Chmod(filepath.Join(root, "cg/dce/cgroup.subtree_control"), 0o666))
	fakehost.AsNobody(t, func() {
		err := tree.Make(t.Context(), Limits{Memory: 64 << 20, CPUs: 1, Pids: 10})
		var unbound *UnboundError
		require.ErrorAs(t, err, &unbound)
		require.Equal(t, []Part{Memory, CPUs}, unbound.Parts)
		require.ErrorIs(t, err, os.ErrPermission)
		require.EqualError(t, err, "the memory limit, the share of the CPUs of the task do not bind its pod as a whole, in the cgroup /dce/c: "+
			"can't open "+filepath.Join(root, "cg/dce/c/memory.max")+": permission denied; run the executor as root, or load the agent module")
		other, err := New(tree.Host, cgroup.DriverCgroupfs, "other")
		require.NoError(t, err)
		err = other.Make(t.Context(), Limits{Memory: 64 << 20})
		require.ErrorAs(t, err, &unbound)
		require.ErrorContains(t, err, "can't create")
		require.NoError(t, other.Make(t.Context(), Limits{}), "nothing is lost where nothing was asked for")
	})
	require.Equal(t, "10", read()["pids.max"])
}

// On this machine's kernel.
func TestReal(t *testing.T) {
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	tree, err := New(host, cgroup.DriverCgroupfs, fmt.Sprintf("test-%d", os.Getpid()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tree.Remove(context.Background())) })
	require.NoError(t, tree.Make(t.Context(), Limits{Memory: 64 << 20, MemoryLow: 48 << 20, CPUs: 0.5, Quota: 0.5, Pids: 100}),
		"this test makes cgroups on this machine: run it as root")
	u, err := host.Usage(tree.Path)
	require.NoError(t, err)
	require.EqualValues(t, 64<<20, u.Memory.Limit)
	require.Equal(t, 0.5, u.CPU.Limit)
	if u.Pids != nil {
		require.EqualValues(t, 100, u.Pids.Limit)
	}
	require.NoError(t, tree.Set(t.Context(), Limits{Memory: 32 << 20}))
	u, err = host.Usage(tree.Path)
	require.NoError(t, err)
	require.EqualValues(t, 64<<20, u.Memory.Limit)
	require.Zero(t, u.CPU.Limit)
	require.NoError(t, tree.Set(t.Context(), Limits{}))
	u, err = host.Usage(tree.Path)
	require.NoError(t, err)
	require.Equal(t, cgroup.NoLimit, u.Memory.Limit)
	require.NoError(t, tree.Remove(t.Context()))
	there, err := host.Exists(tree.Path)
	require.NoError(t, err)
	require.False(t, there)
}

// What the agent does not know of the task's own cgroup is added in the hierarchies that it does not use.
func TestAdd(t *testing.T) {
	root, host := fakeHost(t, false)
	fakehost.Put(t, root, "cg/memory/mesos/c/memory.limit_in_bytes", "1")
	fakehost.Put(t, root, "cg/pids/mesos/c/pids.max", "max")
	own := At(host, "/mesos/c")
	require.NoError(t, own.Add(t.Context(), Limits{Memory: 64 << 20, Pids: 10}, Pids))
	got, err := os.ReadFile(filepath.Join(root, "cg/pids/mesos/c/pids.max"))
	require.NoError(t, err)
	require.Equal(t, "10", string(got))
	require.NoError(t, own.Add(t.Context(), Limits{}, Pids), "nothing to add")
	require.NoError(t, At(host, "/mesos/d").Add(t.Context(), Limits{}, Pids))
	require.NoDirExists(t, filepath.Join(root, "cg/pids/mesos/d"))
	fakehost.AsNobody(t, func() {
		var unbound *UnboundError
		require.ErrorAs(t, At(host, "/mesos/d").Add(t.Context(), Limits{Pids: 10}, Pids), &unbound)
		require.ErrorContains(t, unbound, "the limit of processes of the task does not bind")
	})
}

// A tree that can't be made in one hierarchy is left in none.
func TestMakeIsNotHalfDone(t *testing.T) {
	root, host := fakeHost(t, false)
	for _, c := range []string{"memory", "cpu"} {
		require.NoError(t, os.Mkdir(filepath.Join(root, "cg", c, "dce"), 0o777))
		require.NoError(t, os.Chmod(filepath.Join(root, "cg", c, "dce"), 0o777))
	}
	tree, err := New(host, cgroup.DriverCgroupfs, "c")
	require.NoError(t, err)
	fakehost.AsNobody(t, func() { err = tree.Make(t.Context(), Limits{Memory: 64 << 20}) })
	var unbound *UnboundError
	require.ErrorAs(t, err, &unbound)
	require.ErrorContains(t, err, filepath.Join(root, "cg/pids/dce"))
	there, err := host.Exists(tree.Path)
	require.NoError(t, err)
	require.False(t, there)
}
