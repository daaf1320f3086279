package cgroup

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/fakehost"
)

var v1Usage = map[string]string{
	"cpuacct/p/cpuacct.usage": "1500000000\n", "cpuacct/p/cpuacct.stat": "user 100\nsystem 40\n",
	"cpu/p/cpu.stat":         "nr_periods 10\nnr_throttled 4\nthrottled_time 5000000\n",
	"cpu/p/cpu.cfs_quota_us": "50000\n", "cpu/p/cpu.cfs_period_us": "100000\n",
	"memory/p/memory.limit_in_bytes": "67108864\n", "memory/p/memory.usage_in_bytes": "5000\n", "memory/p/memory.max_usage_in_bytes": "6000\n",
	"memory/p/memory.stat": "cache 1\nrss 1\ntotal_cache 3000\ntotal_rss 2000\ntotal_swap 7\n",
}

var v2Usage = map[string]string{
	"p/cpu.stat":    "usage_usec 1500000\nuser_usec 1000000\nsystem_usec 400000\nnr_periods 10\nnr_throttled 4\nthrottled_usec 5000\n",
	"p/cpu.max":     "50000 100000\n",
	"p/memory.stat": "anon 2000\nfile 3000\n", "p/memory.max": "67108864\n", "p/memory.current": "5000\n", "p/memory.peak": "6000\n",
	"p/memory.swap.current": "7\n",
	"p/pids.current":        "3\n", "p/pids.max": "max\n",
	"p/io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2 rios=3 wios=4\n\n",
}

func usageRoot(t *testing.T, mounts []mount, files map[string]string) (*Host, string) {
	t.Helper()
	all := map[string]string{"/sys/fs/cgroup/cgroup.controllers": "cpu memory pids io\n"}
	for name, content := range files {
		all["/sys/fs/cgroup/"+name] = content
	}
	root := fakeRoot(t, mounts, selfV1, all)
	h, err := Open(Options{Root: root})
	require.NoError(t, err)
	return h, root
}

func TestUsage(t *testing.T) {
	cpu := &CPUUsage{Time: 1500 * time.Millisecond, User: time.Second, System: 400 * time.Millisecond, Limit: 0.5, Periods: 10, Throttled: 4,
		ThrottledTime: 5 * time.Millisecond}
	memory := &MemoryUsage{Usage: 5000, Cache: 3000, Anon: 2000, Swap: 7, Peak: 6000, Limit: 64 << 20}
	h, _ := usageRoot(t, separate, v1Usage)
	u, err := h.Usage("/p")
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), u.At, time.Minute)
	u.At = time.Time{}
	require.Equal(t, Usage{CPU: cpu, Memory: memory}, u, "pids and blkio are not mounted")

	h, root := usageRoot(t, unified, v2Usage)
	u, err = h.Usage("/p")
	require.NoError(t, err)
	u.At = time.Time{}
	require.Equal(t, Usage{CPU: cpu, Memory: memory, Pids: &PidsUsage{3, NoLimit}, IO: &IOUsage{11, 22, 4, 6}}, u)

	for name, content := range v2Usage {
		fakehost.Put(t, root, "/sys/fs/cgroup/p/web/"+filepath.Base(name), content)
	}
	fakehost.Put(t, root, "/sys/fs/cgroup/p/web/cpu.max", "max 100000\n")
	_, children, err := h.UsageBelow("/p")
	require.NoError(t, err)
	require.Len(t, children, 1)
	require.Zero(t, children["web"].CPU.Limit)
	_, err = h.Usage("/nowhere")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, _, err = h.UsageBelow("/nowhere")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// Every file of both versions, missing, garbage and unreadable: an error that names it, or a part that is left out.
func TestUsageOfBrokenFiles(t *testing.T) {
	optional := []string{"memory.peak", "memory.swap.current", "cpu.max", "pids.max", "cpu.cfs_quota_us"}
	for _, c := range []struct {
		mounts []mount
		files  map[string]string
	}{{separate, v1Usage}, {unified, v2Usage}} {
		for name := range c.files {
			for _, fault := range []string{"missing", "garbage", "unreadable"} {
				t.Run(name+" "+fault, func(t *testing.T) {
					h, root := usageRoot(t, c.mounts, c.files)
					file := filepath.Join(root, "/sys/fs/cgroup", name)
					switch fault {
					case "missing":
						require.NoError(t, os.Remove(file))
					case "garbage":
						require.NoError(t, os.WriteFile(file, []byte("rbytes=x\n"), 0o644))
					case "unreadable":
						require.NoError(t, os.Chmod(file, 0))
					}
					var u Usage
					var err error
					fakehost.AsNobody(t, func() { u, err = h.Usage("/p") })
					switch {
					case fault == "missing" || strings.HasSuffix(name, "cpu.stat") && fault == "garbage" || strings.HasSuffix(name, "memory.stat") && fault == "garbage":
						require.NoError(t, err) // the part, or what the file would say of it, is left out
						if !strings.Contains(strings.Join(optional, " "), filepath.Base(name)) && fault == "missing" && !strings.HasPrefix(name, "cpuacct") {
							require.True(t, u.CPU == nil || u.Memory == nil || u.Pids == nil || u.IO == nil)
						}
					default:
						require.ErrorContains(t, err, file)
					}
				})
			}
		}
	}
}

// What the kernel says of real processes.
func TestUsageOfRealProcesses(t *testing.T) {
	h, p := realGroup(t, 5*time.Second)
	require.NoError(t, h.Create(p+"/web"))
	limitMemory(t, h, p, 64<<20)
	cmd := exec.Command("sh", "-c", "read go; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; head -c 20m /dev/zero | tail -c 20m >/dev/null; sleep 300")
	e := start(t, cmd)
	require.NoError(t, h.AddProc(p+"/web", cmd.Process.Pid))
	e.begin(t)
	var all Usage
	var children map[string]Usage
	require.Eventually(t, func() bool {
		var err error
		all, children, err = h.UsageBelow(p)
		require.NoError(t, err)
		return all.Memory.Peak > 20<<20
	}, 20*time.Second, 10*time.Millisecond)
	for name, u := range map[string]Usage{"the pod": all, "its service": children["web"]} {
		require.Greater(t, u.CPU.Time, 10*time.Millisecond, name)
		require.Less(t, u.Memory.Usage, uint64(64<<20), name)
		require.Greater(t, u.Memory.Usage, uint64(0), name)
		require.GreaterOrEqual(t, u.Memory.Usage, u.Memory.Anon, name)
		require.GreaterOrEqual(t, u.Pids.Now, uint64(1), name)
		require.NotNil(t, u.IO, name)
	}
	require.EqualValues(t, 64<<20, all.Memory.Limit)
	require.Equal(t, NoLimit, children["web"].Memory.Limit)
	interfaces, err := h.Network(cmd.Process.Pid)
	require.NoError(t, err)
	for _, i := range interfaces {
		require.NotEqual(t, "lo", i.Name)
	}
	_, err = h.Network(1 << 30)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestNetDev(t *testing.T) {
	got, err := parseNetDev("/f", `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
  eth0:1000 10 1 2 0 0 0 0 2000 20 3 4 0 0 0 0
`)
	require.NoError(t, err)
	require.Equal(t, []NetworkUsage{{Name: "eth0", ReceivedBytes: 1000, ReceivedPackets: 10, ReceiveErrors: 1, ReceiveDropped: 2,
		SentBytes: 2000, SentPackets: 20, SendErrors: 3, SendDropped: 4}}, got)
}

// Each network is counted once, and that of the host is nobody's.
func TestInterfaces(t *testing.T) {
	h, root := usageRoot(t, unified, map[string]string{"p/none/cgroup.procs": ""})
	require.NoError(t, os.MkdirAll(filepath.Join(root, "proc/self/ns"), 0o755))
	require.NoError(t, os.Symlink("net:[1]", filepath.Join(root, "proc/self/ns/net")))
	for i, network := range []string{"1", "2", "2", "3", ""} {
		pid := fmt.Sprint(10 + i)
		fakehost.Put(t, root, "/sys/fs/cgroup/p/"+pid+"/cgroup.procs", pid+"\n")
		fakehost.Put(t, root, "/proc/"+pid+"/net/dev", fmt.Sprintf("eth0: 1%s 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", strings.Repeat("0", i)))
		require.NoError(t, os.MkdirAll(filepath.Join(root, "proc", pid, "ns"), 0o755))
		if network != "" { // else this user may not see it
			require.NoError(t, os.Symlink("net:["+network+"]", filepath.Join(root, "proc", pid, "ns/net")))
		}
	}
	for _, c := range []struct {
		of    string
		want  uint64
		known bool
	}{
		{"", 0, false}, {"10", 0, false}, {"11", 10, true}, {"11 12", 10, true}, {"11 12 13", 1010, true}, {"10 13 11", 1010, true}, {"14", 10000, true},
		{"none", 0, false}, {"gone", 0, false}, {"none gone 13", 1000, true},
	} {
		var paths []string
		for _, name := range strings.Fields(c.of) {
			paths = append(paths, "/p/"+name)
		}
		sum, known, err := h.Interfaces(paths...)
		require.NoError(t, err, c.of)
		require.Equal(t, c.known, known, c.of)
		require.Equal(t, NetworkUsage{ReceivedBytes: c.want}, sum, c.of)
	}
	fakehost.Put(t, root, "/proc/13/net/dev", "eth0: what\n")
	_, known, err := h.Interfaces("/p/11", "/p/13")
	require.ErrorContains(t, err, "/proc/13/net/dev holds")
	require.True(t, known)
}

func FuzzUsageParsers(f *testing.F) {
	f.Add("8:0 Read 1\n8:0 rbytes=1\n")
	f.Add("50000 100000")
	f.Add("max 0")
	f.Add("eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16")
	f.Fuzz(func(t *testing.T, s string) {
		_, _, err1 := parseBlkio("/f", s)
		_, err2 := parseIOStat("/f", s)
		_, err3 := parseNetDev("/f", s)
		limit, err4 := parseCPUMax("/f", s)
		require.GreaterOrEqual(t, limit, 0.0)
		for _, err := range []error{err1, err2, err3, err4} {
			if err != nil {
				require.ErrorContains(t, err, "/f holds")
			}
		}
		require.GreaterOrEqual(t, duration(uint64(len(s))<<56, time.Second), time.Duration(0))
	})
}
