package launch

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHierarchical(t *testing.T) {
	for name, c := range map[string]struct {
		mode, before string
		children     bool
		after        string
		ours         bool
		fails        string
		warns        string
	}{
		"already":              {mode: "enforce", before: "1", after: "1"},
		"enforced":             {mode: "enforce", before: "0", after: "1"},
		"too late":             {mode: "enforce", before: "0", children: true, after: "0", fails: "has children (other)"},
		"required":             {mode: "require", before: "0", after: "0", fails: "before the first child is made"},
		"required, and had":    {mode: "require", before: "1", after: "1"},
		"warned":               {mode: "warn", before: "0", children: true, after: "0", warns: "has children (other)"},
		"nothing to warn of":   {mode: "warn", before: "1", children: true, after: "1"},
		"nobody wants to know": {mode: "off", before: "0", after: "0"},
		"our own":              {mode: "require", ours: true, before: "0", after: "1"},
	} {
		t.Run(name, func(t *testing.T) {
			root, host := fakeHost(t, "30 1 0:30 / /cg rw shared:9 - cgroup cgroup rw,memory\n", "1:memory:/\n", map[string]string{"cg/mesos/c/memory.use_hierarchy": c.before})
			if c.children {
				require.NoError(t, os.Mkdir(filepath.Join(root, "cg/mesos/c/other"), 0o755))
			}
			unbound, err := hierarchical(host, parent{Path: "/mesos/c", ours: c.ours}, c.mode)
			if c.fails == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.fails)
			}
			if c.warns == "" {
				require.NoError(t, unbound)
			} else {
				require.ErrorContains(t, unbound, c.warns)
			}
			now, err := os.ReadFile(filepath.Join(root, "cg/mesos/c/memory.use_hierarchy"))
			require.NoError(t, err)
			require.Equal(t, c.after, string(now))
		})
	}
}
