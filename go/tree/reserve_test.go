package tree

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/tree/bustest"
	"github.com/dce-go/dce/tests/fakehost"
)

// pods are trees /dce/a and /dce/b on v2, with what has all of them.
func pods(t *testing.T) (root string, a, b Tree, above func() string) {
	t.Helper()
	root, host := fakeHost(t, true)
	for _, name := range []string{"", "a/", "b/"} {
		for file, content := range filesV2 {
			fakehost.Put(t, root, "cg/dce/"+name+file, content)
		}
	}
	return root, At(host, "/dce/a"), At(host, "/dce/b"), func() string {
		text, err := os.ReadFile(filepath.Join(root, "cg/dce/memory.low"))
		require.NoError(t, err)
		return string(text)
	}
}

// What pods are sure of is had only where what is above them is sure of as much.
func TestTheSumIsReserved(t *testing.T) {
	root, a, b, above := pods(t)
	require.NoError(t, a.Make(t.Context(), Limits{MemoryLow: 48 << 20}))
	require.Equal(t, "50331648", above())
	require.NoError(t, b.Make(t.Context(), Limits{MemoryLow: 32 << 20}))
	require.Equal(t, "83886080", above())
	require.NoError(t, b.Set(t.Context(), Limits{MemoryLow: 64 << 20, Pids: 10}, Pids))
	require.Equal(t, "83886080", above(), "that is not what was to be changed")
	require.NoError(t, b.Set(t.Context(), Limits{MemoryLow: 64 << 20}, MemoryLow))
	require.Equal(t, "117440512", above())

	fakehost.Put(t, root, "cg/dce/memory.low", "4096") // as where an agent made b
	require.NoError(t, b.Add(t.Context(), Limits{}, Pids))
	require.Equal(t, "117440512", above())

	fakehost.Put(t, root, "cg/dce/c/memory.low", "max")
	require.NoError(t, b.Set(t.Context(), Limits{}, MemoryLow))
	require.Equal(t, "max", above())
	require.NoError(t, os.RemoveAll(filepath.Join(root, "cg/dce/c")))
	require.NoError(t, b.Set(t.Context(), Limits{MemoryLow: 64 << 20}, MemoryLow))
	emptied(t, filepath.Join(root, "cg/dce/b"))
	require.NoError(t, b.Remove(t.Context()))
	require.Equal(t, "50331648", above())

	require.NoError(t, At(a.Host, "/dce").Set(t.Context(), Limits{MemoryLow: 64 << 20}, MemoryLow))
	_, err := os.Stat(filepath.Join(root, "cg/memory.low"))
	require.ErrorIs(t, err, os.ErrNotExist, "what is above somebody else's cgroup is not touched")
}

func TestTheSumThatMayNotBeReserved(t *testing.T) {
	root, a, _, above := pods(t)
	require.NoError(t, os.Chmod(filepath.Join(root, "cg/dce/a/memory.low"), 0o666))
	fakehost.AsNobody(t, func() {
		var unbound *UnboundError
		require.ErrorAs(t, a.Set(t.Context(), Limits{MemoryLow: 64 << 20}, MemoryLow), &unbound)
		require.Equal(t, []Part{MemoryLow}, unbound.Parts)
		require.ErrorContains(t, unbound, filepath.Join(root, "cg/dce/memory.low"))
		require.ErrorAs(t, a.Add(t.Context(), Limits{}), &unbound)
		require.NoError(t, a.Set(t.Context(), Limits{}, MemoryLow))
		require.NoError(t, a.Add(t.Context(), Limits{}))
	})
	require.Equal(t, "0", above())
}

// Of slices systemd writes it.
func TestTheSumOfSlices(t *testing.T) {
	host, bus, dir := machine(t, true)
	slices := filepath.Dir(dir)
	tree, err := New(host, cgroup.DriverSystemd, "a-1")
	require.NoError(t, err)
	require.NoError(t, tree.Make(t.Context(), Limits{}))
	for file, low := range map[string]string{"memory.low": "0", unit + "/memory.low": "33554432", "dce-other.slice/memory.low": "4096"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(slices, file)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(slices, file), []byte(low), 0o644))
	}
	bus.Calls()
	require.NoError(t, tree.Set(t.Context(), Limits{MemoryLow: 32 << 20}, MemoryLow))
	require.Equal(t, []bustest.Call{
		{Method: "SetUnitProperties", Unit: unit, Properties: map[string]any{"MemoryLow": uint64(32 << 20)}},
		{Method: "SetUnitProperties", Unit: "dce.slice", Properties: map[string]any{"MemoryLow": uint64(32<<20 + 4096)}},
	}, bus.Calls(), "once, although systemd writes the file when it likes")

	emptied(t, dir)
	require.NoError(t, tree.Remove(t.Context()))
	calls := bus.Calls()
	require.Equal(t, bustest.Call{Method: "SetUnitProperties", Unit: "dce.slice", Properties: map[string]any{"MemoryLow": uint64(4096)}}, calls[len(calls)-1])
}
