package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/fakehost"
)

// mount is one line of a fake mount table: "v1:cpu,cpuacct" or "v2", or any other file system.
type mount struct{ dir, root, what string }

var (
	separate = []mount{
		{"/", "/", "ext4"}, {"/sys/fs/cgroup", "/", "tmpfs"},
		{"/sys/fs/cgroup/cpu", "/", "v1:cpu"}, {"/sys/fs/cgroup/cpuacct", "/", "v1:cpuacct"},
		{"/sys/fs/cgroup/memory", "/", "v1:memory"}, {"/sys/fs/cgroup/cpuset", "/", "v1:cpuset"},
	}
	comounted = []mount{
		{"/sys/fs/cgroup/cpu,cpuacct", "/", "v1:cpu,cpuacct"}, {"/sys/fs/cgroup/memory", "/", "v1:memory"},
		{"/sys/fs/cgroup/systemd", "/", "v1:name=systemd,xattr"},
	}
	hybrid  = append(comounted[:len(comounted):len(comounted)], mount{"/sys/fs/cgroup/unified", "/", "v2"})
	unified = []mount{{"/sys/fs/cgroup", "/", "v2"}}
)

// fake makes a machine in a directory: its mounts, what /proc/self/cgroup says, and files (a name that ends in "/" is a
// directory).
func fake(t *testing.T, mounts []mount, self string, files map[string]string) *Host {
	t.Helper()
	h, err := Open(Options{Root: fakeRoot(t, mounts, self, files), Patience: 20 * time.Millisecond})
	require.NoError(t, err)
	return h
}

func fakeRoot(t *testing.T, mounts []mount, self string, files map[string]string) string {
	t.Helper()
	root := fakehost.Root(t, nil)
	var table strings.Builder
	for i, m := range mounts {
		kind, super := m.what, "rw"
		if c, ok := strings.CutPrefix(m.what, "v1:"); ok {
			kind, super = "cgroup", "rw,"+c
		} else if m.what == "v2" {
			kind, super = "cgroup2", "rw,nsdelegate"
		}
		fmt.Fprintf(&table, "%d 1 0:%d %s %s rw,relatime shared:9 - %s %s %s\n", i+30, i+30, m.root, m.dir, kind, kind, super)
		require.NoError(t, os.MkdirAll(filepath.Join(root, m.dir), 0o755))
	}
	fakehost.Put(t, root, "/proc/self/mountinfo", table.String())
	fakehost.Put(t, root, "/proc/self/cgroup", self)
	for name, content := range files {
		fakehost.Put(t, root, name, content)
	}
	return root
}

const selfV1 = "4:memory:/mesos/c1\n3:cpu,cpuacct:/mesos/c1\n3:cpu:/mesos/c1\n3:cpuacct:/mesos/c1\n2:cpuset:/\n1:name=systemd:/init\n0::/other\n"
