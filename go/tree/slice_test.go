package tree

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/tree/bustest"
)

const unit = `dce-a\x2d1.slice`

// machine is a host with cgroup files in a directory, and a systemd that makes the cgroup of a slice.
func machine(t *testing.T, v2 bool) (*cgroup.Host, *bustest.Bus, string) {
	root, host := fakeHost(t, v2)
	bus := bustest.Start(t)
	dir := filepath.Join(root, "cg", "dce.slice", unit)
	if !v2 {
		dir = filepath.Join(root, "cg/memory", "dce.slice", unit)
	}
	bus.Behave(bustest.Behaviour{OnStart: func(string) {
		require.NoError(t, os.MkdirAll(dir, 0o755))
		for file, value := range map[string]string{"memory.max": "max", "memory.limit_in_bytes": "9223372036854771712", "memory.soft_limit_in_bytes": "-"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(value), 0o644))
		}
	}})
	return host, bus, dir
}

func TestSlice(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	host, bus, _ := machine(t, true)
	ctx := context.Background()
	tree, err := New(host, cgroup.DriverSystemd, "a-1")
	require.NoError(t, err)
	require.Equal(t, Tree{host, unit, "/dce.slice/" + unit}, tree)

	require.NoError(t, tree.Make(ctx, Limits{Memory: 64 << 20, MemoryLow: 32 << 20, CPUs: 0.5, Quota: 2, Pids: 50}))
	limits := map[string]any{
		"MemoryMax": uint64(64 << 20), "MemoryLow": uint64(32 << 20), "CPUWeight": uint64(50),
		"CPUQuotaPerSecUSec": uint64(2_000_000), "TasksMax": uint64(50),
	}
	made := map[string]any{"Description": "pod of a Mesos task", "DefaultDependencies": false, "MemoryAccounting": true, "CPUAccounting": true, "TasksAccounting": true, "IOAccounting": true}
	for name, value := range limits {
		made[name] = value
	}
	require.Equal(t, []bustest.Call{{Method: "StartTransientUnit", Unit: unit, Properties: made}}, bus.Calls())

	// A second pod, or an executor that was started again: the slice is there and is given the limits.
	require.NoError(t, tree.Make(ctx, Limits{Memory: 64 << 20, MemoryLow: 32 << 20, CPUs: 0.5, Quota: 2, Pids: 50}))
	calls := bus.Calls()
	require.Len(t, calls, 3)
	require.Equal(t, bustest.Call{Method: "SetUnitProperties", Unit: unit, Properties: limits}, calls[1])
	require.Equal(t, bustest.Call{Method: "StartUnit", Unit: unit}, calls[2], "it may have been stopped")

	require.NoError(t, tree.Set(ctx, Limits{Pids: 60}, Pids))
	require.Equal(t, []bustest.Call{{Method: "SetUnitProperties", Unit: unit, Properties: map[string]any{"TasksMax": uint64(60)}}}, bus.Calls())

	found, there, err := Find(host, "a-1")
	require.NoError(t, err)
	require.True(t, there)
	require.Equal(t, tree, found)
	require.True(t, bus.Knows(unit))
	bus.Calls()
}

// The limits of v1 have other names, and the reservation is in a file that systemd leaves alone.
func TestSliceOnV1(t *testing.T) {
	host, bus, dir := machine(t, false)
	tree, err := New(host, cgroup.DriverSystemd, "a-1")
	require.NoError(t, err)
	require.NoError(t, tree.Make(context.Background(), Limits{Memory: 64 << 20, MemoryLow: 48 << 20, CPUs: 0.5}))
	asked := bus.Calls()[0].Properties
	require.Equal(t, uint64(64<<20), asked["MemoryLimit"])
	require.Equal(t, uint64(512), asked["CPUShares"])
	require.NotContains(t, asked, "MemoryLow")
	require.NotContains(t, asked, "IOAccounting")
	got, err := os.ReadFile(filepath.Join(dir, "memory.soft_limit_in_bytes"))
	require.NoError(t, err)
	require.Equal(t, "50331648", string(got))
}

// What systemd answers, and what is said of it.
func TestSliceThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		method  string
		fail    string
		result  string
		says    []string
		unbound bool
	}{
		"access denied": {method: "StartTransientUnit", fail: "org.freedesktop.DBus.Error.AccessDenied", unbound: true,
			says: []string{"the memory limit of the task does not bind its pod as a whole", "Says systemd.", "run the executor as root"}},
		"nobody to ask": {method: "StartTransientUnit", fail: "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", unbound: true},
		"no systemd on the bus": {method: "StartTransientUnit", fail: "org.freedesktop.DBus.Error.ServiceUnknown",
			says: []string{"systemd did not make the slice " + unit, "Says systemd.", "journal"}},
		"no reply": {method: "StartTransientUnit", fail: "org.freedesktop.DBus.Error.NoReply", says: []string{"systemctl list-jobs"}},
		"failed":   {result: "failed", says: []string{`its job ended as "failed"`, "systemctl status"}},
		"timeout":  {result: "timeout", says: []string{`its job ended as "timeout"`}},
	} {
		t.Run(name, func(t *testing.T) {
			host, bus, _ := machine(t, true)
			as := bustest.Behaviour{Result: c.result}
			if c.method != "" {
				as.Fail = map[string]string{c.method: c.fail}
			}
			bus.Behave(as)
			tree, err := New(host, cgroup.DriverSystemd, "a-1")
			require.NoError(t, err)
			err = tree.Make(context.Background(), Limits{Memory: 64 << 20})
			require.Error(t, err)
			for _, s := range c.says {
				require.ErrorContains(t, err, s)
			}
			require.NotContains(t, err.Error(), "\n")
			var unbound *UnboundError
			require.Equal(t, c.unbound, asUnbound(err, &unbound))
			var systemd *SystemdError
			require.ErrorAs(t, err, &systemd)
			require.Equal(t, "REASON_CONTAINER_LAUNCH_FAILED", systemd.Reason())
		})
	}
}

func TestSliceWithoutABus(t *testing.T) {
	_, host := fakeHost(t, true)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	tree, err := New(host, cgroup.DriverSystemd, "a-1")
	require.NoError(t, err)
	err = tree.Make(context.Background(), Limits{})
	require.ErrorContains(t, err, "native.cgroupdriver=cgroupfs")
	require.ErrorContains(t, err, "/run/dbus/system_bus_socket")
	require.NoError(t, tree.Remove(context.Background()), "there is nothing that anybody would have to forget")
}

// A job that never ends is given up.
func TestSliceThatHangs(t *testing.T) {
	host, bus, _ := machine(t, true)
	bus.Behave(bustest.Behaviour{Silent: true})
	tree, err := New(host, cgroup.DriverSystemd, "a-1")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	err = tree.Make(ctx, Limits{})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "systemctl list-jobs")
}

func TestSliceIsRemoved(t *testing.T) {
	host, bus, dir := machine(t, true)
	tree, err := New(host, cgroup.DriverSystemd, "a-1")
	require.NoError(t, err)
	require.NoError(t, tree.Make(context.Background(), Limits{}))
	emptied(t, dir)
	bus.Calls()
	require.NoError(t, tree.Remove(context.Background()))
	require.NoDirExists(t, dir)
	calls := bus.Calls()
	require.Equal(t, "StopUnit", calls[0].Method)
	require.False(t, bus.Knows(unit))

	require.NoError(t, tree.Remove(context.Background()), "again")

	bus.Behave(bustest.Behaviour{Fail: map[string]string{"StopUnit": "org.freedesktop.DBus.Error.AccessDenied"}})
	err = tree.Remove(context.Background())
	require.ErrorContains(t, err, "systemd did not remove the slice")
}

// A slice with a process is left to it, and systemd, which would end the process, is not asked.
func TestSliceWithAProcessIsLeft(t *testing.T) {
	host, bus, dir := machine(t, true)
	tree, err := New(host, cgroup.DriverSystemd, "a-1")
	require.NoError(t, err)
	require.NoError(t, tree.Make(context.Background(), Limits{}))
	bus.Calls()
	require.Error(t, tree.Remove(context.Background()), "a directory with files can't be removed, as one with processes can't")
	require.DirExists(t, dir)
	require.Empty(t, bus.Calls())
}
