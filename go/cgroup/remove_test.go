package cgroup

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRemoveStaysBelowItsPath(t *testing.T) {
	root := fakeRoot(t, separate, selfV1, map[string]string{
		"/sys/fs/cgroup/memory/mesos/c1/d1/e/": "", "/sys/fs/cgroup/memory/mesos/c1/d2/": "", "/sys/fs/cgroup/memory/mesos/c10/": "",
		"/sys/fs/cgroup/cpu/mesos/c1/d1/": "", "/elsewhere/keep/": "",
	})
	require.NoError(t, os.Symlink(root+"/elsewhere", root+"/sys/fs/cgroup/cpu/link"))
	h, err := Open(Options{Root: root})
	require.NoError(t, err)
	require.NoError(t, h.Remove(t.Context(), "/mesos/c1"))
	require.NoError(t, h.Remove(t.Context(), "/mesos/c1"), "what is gone is no error")
	names, err := h.List("/")
	require.NoError(t, err)
	require.Equal(t, []string{"/mesos", "/mesos/c10"}, names)

	require.Error(t, h.Remove(t.Context(), "/link/keep"))
	require.ErrorContains(t, h.Remove(t.Context(), "/link"), "cpu/link")
	require.DirExists(t, root+"/elsewhere/keep")
	require.DirExists(t, root+"/sys/fs/cgroup/cpu/mesos")
}

func TestRemoveGoesOnBesideALink(t *testing.T) {
	root := fakeRoot(t, separate, selfV1, map[string]string{"/sys/fs/cgroup/cpu/p/a/": "", "/sys/fs/cgroup/cpu/p/b/": "", "/elsewhere/keep/": ""})
	require.NoError(t, os.Symlink(root+"/elsewhere", root+"/sys/fs/cgroup/cpu/p/link"))
	h, err := Open(Options{Root: root})
	require.NoError(t, err)
	require.ErrorContains(t, h.Remove(t.Context(), "/p"), "sys/fs/cgroup/cpu/p")
	require.DirExists(t, root+"/elsewhere/keep")
	names, err := h.List("/p")
	require.NoError(t, err)
	require.Empty(t, names)
}

func TestRemoveEndsWithItsContext(t *testing.T) {
	h, path := realGroup(t, time.Minute)
	require.NoError(t, h.Create(path+"/sub", "memory"))
	pid := sleeper(t)
	require.NoError(t, h.AddProc(path+"/sub", pid, "memory"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := h.Remove(ctx, path)
	var busy *BusyError
	require.ErrorAs(t, err, &busy)
	require.Less(t, time.Since(start), 5*time.Second)
	require.Len(t, busy.Busy, 1)
	require.Equal(t, []int{pid}, busy.Busy[0].Pids)
}
