package launch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
)

func TestLimitTree(t *testing.T) {
	v1 := "30 1 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n31 1 0:31 / /cg/cpu rw - cgroup cgroup rw,cpu\n"
	v2 := "30 1 0:30 / /cg rw - cgroup2 cgroup2 rw\n"
	for name, c := range map[string]struct {
		mounts string
		task   budget
		want   map[string]string
	}{
		"v1":                 {v1, budget{64 << 20, 0.5}, map[string]string{"memory/p/memory.limit_in_bytes": "67108864", "cpu/p/cpu.shares": "512"}},
		"v1, the least":      {v1, budget{1, 0.0001}, map[string]string{"memory/p/memory.limit_in_bytes": "33554432", "cpu/p/cpu.shares": "2"}},
		"v1, no limit":       {v1, budget{}, map[string]string{"memory/p/memory.limit_in_bytes": "-1", "cpu/p/cpu.shares": "-"}},
		"v2":                 {v2, budget{64 << 20, 0.5}, map[string]string{"p/memory.max": "67108864", "p/cpu.weight": "50"}},
		"v2, the most":       {v2, budget{0, 1000}, map[string]string{"p/memory.max": "max", "p/cpu.weight": "10000"}},
		"v2, tasks together": {v2, budget{64 << 20, 0.5}.plus(budget{32 << 20, 1}), map[string]string{"p/memory.max": "100663296", "p/cpu.weight": "150"}},
		"v2, one unlimited":  {v2, budget{64 << 20, 0.5}.plus(budget{0, 1}), map[string]string{"p/memory.max": "max", "p/cpu.weight": "150"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			put := func(file, content string) {
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755))
				require.NoError(t, os.WriteFile(filepath.Join(root, file), []byte(content), 0o644))
			}
			put("proc/self/cgroup", "2:memory:/\n1:cpu:/\n0::/\n")
			put("proc/self/mountinfo", c.mounts)
			put("cg/cgroup.controllers", "memory cpu\n")
			for file := range c.want {
				put("cg/"+file, "-")
			}
			host, err := cgroup.Open(cgroup.Options{Root: root})
			require.NoError(t, err)
			require.NoError(t, limitTree(host, "/p", c.task))
			for file, want := range c.want {
				got, err := os.ReadFile(filepath.Join(root, "cg", file))
				require.NoError(t, err)
				require.Equal(t, want, string(got), file)
			}
			require.ErrorContains(t, limitTree(host, "/nowhere", c.task), "/nowhere")
			if host.Version() == cgroup.V2 {
				require.Equal(t, []string{"memory", "cpu"}, treeControllers(host))
			} else {
				require.Empty(t, treeControllers(host))
			}
		})
	}
}

func TestLimitTreeOnThisMachine(t *testing.T) {
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	path := fmt.Sprintf("/dce-test-%d-tree", os.Getpid())
	require.NoError(t, host.Create(path, treeControllers(host)...), "this test makes cgroups on this machine: run it as root")
	t.Cleanup(func() { require.NoError(t, host.Remove(context.Background(), path)) })
	for _, task := range []budget{{64 << 20, 0.5}, {}, {48 << 20, 1}} {
		require.NoError(t, limitTree(host, path, task))
		u, err := host.Usage(path)
		require.NoError(t, err)
		want := task.memory
		if want == 0 {
			want = cgroup.NoLimit
		}
		require.Equal(t, want, u.Memory.Limit)
	}
}
