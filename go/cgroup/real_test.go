package cgroup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// realGroup gives a test a cgroup of its own below the root of this machine's cgroups, and removes it.
func realGroup(t *testing.T, patience time.Duration) (*Host, string) {
	t.Helper()
	require.Zero(t, os.Geteuid(), "this test makes cgroups on this machine: run it as root")
	h, err := Open(Options{Patience: patience})
	require.NoError(t, err, "this test needs a machine with cgroups that it may write")
	path := fmt.Sprintf("/dce-test-%d-%s", os.Getpid(), strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")))
	require.NoError(t, h.Create(path, "memory"))
	t.Cleanup(func() { // after those that end processes
		clean, err := Open(Options{Patience: 10 * time.Second})
		require.NoError(t, err)
		require.NoError(t, clean.Remove(context.Background(), path))
	})
	return h, path
}

// sleeper starts a process that is reaped at the end of the test.
func sleeper(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("sleep", "300")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

func TestRealMachine(t *testing.T) {
	h, path := realGroup(t, 50*time.Millisecond)
	file := "memory.limit_in_bytes"
	if h.Version() == V2 {
		file = "memory.max"
	}
	require.NoError(t, h.Write("memory", path, file, "67108864"))
	limit, err := h.ReadUint("memory", path, file)
	require.NoError(t, err)
	require.EqualValues(t, 64<<20, limit)
	require.Error(t, h.Write("memory", path, file, "lots"))
	require.NoError(t, h.EnforceHierarchy(path))
	require.NoError(t, h.CheckParent(DriverCgroupfs, path))

	// A process in a child, in every hierarchy.
	child := path + "/child"
	require.NoError(t, h.Create(child))
	pid := sleeper(t)
	require.NoError(t, h.AddProc(child, pid))
	of, err := h.OfPid(fmt.Sprint(pid))
	require.NoError(t, err)
	for _, hi := range h.Hierarchies() {
		for _, c := range hi.Controllers {
			require.Equal(t, child, of[c], "controller %q", c)
		}
	}
	pids, err := h.Procs(child)
	require.NoError(t, err)
	require.Equal(t, []int{pid}, pids)

	// Occupied: named and left, in every hierarchy. What is empty beside it goes.
	require.NoError(t, h.Create(path+"/empty/deep"))
	var busy *BusyError
	require.ErrorAs(t, h.Remove(t.Context(), path), &busy)
	require.Len(t, busy.Busy, len(h.Hierarchies()))
	for _, b := range busy.Busy {
		require.Equal(t, []int{pid}, b.Pids)
		require.True(t, strings.HasSuffix(b.Dir, child), b.Dir)
	}
	require.ErrorContains(t, busy, fmt.Sprintf("has process %d", pid))
	names, err := h.List(path)
	require.NoError(t, err)
	require.Equal(t, []string{child}, names)
	names, err = h.Children(path)
	require.NoError(t, err)
	require.Equal(t, []string{"child"}, names)

	// Empty: gone everywhere.
	require.NoError(t, h.AddProc("/", pid))
	require.NoError(t, h.Remove(t.Context(), path))
	there, err := h.Exists(path)
	require.NoError(t, err)
	require.False(t, there)
}

// A process that ends while Remove waits: it comes back at once, by the kernel's event where the unified hierarchy has one.
func TestRemoveWaitsForTheDying(t *testing.T) {
	for _, c := range []string{"memory", ""} {
		t.Run("controller "+c, func(t *testing.T) {
			h, path := realGroup(t, 20*time.Second)
			if _, err := h.Hierarchy(c); err != nil {
				require.Equal(t, V1, h.Version(), "a host without the unified hierarchy has only the first half of this test")
				return
			}
			sub := path + "/sub"
			require.NoError(t, h.Create(sub, c))
			cmd := exec.Command("sleep", "300")
			require.NoError(t, cmd.Start())
			require.NoError(t, h.AddProc(sub, cmd.Process.Pid, c))
			ended := make(chan time.Time, 1)
			go func() {
				time.Sleep(200 * time.Millisecond)
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				ended <- time.Now()
			}()
			require.NoError(t, h.Remove(t.Context(), sub))
			require.Less(t, time.Since(<-ended), 10*time.Second, "it waits for the end, and not much longer")
		})
	}
}

func TestThreadOnV1(t *testing.T) {
	h, path := realGroup(t, time.Second)
	if h.Version() == V2 {
		require.Error(t, h.AddThread(path, os.Getpid(), "memory"))
		return
	}
	pid := sleeper(t) // its main thread
	require.NoError(t, h.AddThread(path, pid, "memory"))
	pids, err := h.Procs(path)
	require.NoError(t, err)
	require.True(t, slices.Contains(pids, pid))
}
