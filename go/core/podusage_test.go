package core

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/tests/fakehost"
)

// Two pods, one in its task's own cgroup, and an executor that is none of ours.
func TestWhatPodsUse(t *testing.T) {
	netDev := "Inter-|\n face |\n  eth0: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n"
	files := map[string]string{
		"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": "30 1 0:30 / /cg rw - cgroup2 cgroup2 rw\n", "cg/cgroup.controllers": "memory cpu pids io",
		"proc/77/net/dev": netDev, "proc/78/net/dev": netDev, "proc/79/net/dev": netDev,
		"c-1/oom.json": `{"containers":{"i1":"infra","w1":"web","d1":"db","":"infra","../x":"infra","w1/deeper":"infra"},"kills":[]}`,
		"c-2/oom.json": `{"containers":{"i2":"infra"},"kills":[]}`, "c-3/stdout": "", "c-4/oom.json": `{"containers":{"i4":"infra"}}`,
		"cg/dce/c-1/i1/cgroup.procs": "77\n", "cg/dce/c-1/d1/cgroup.procs": "77\n",
		"cg/dce/c-1/w1/cgroup.procs": "79\n", "cg/dce/c-1/w1/deeper/cgroup.procs": "77\n", "cg/mesos/c-2/docker-i2.scope/cgroup.procs": "78\n",
	}
	for _, group := range []string{"dce/c-1", "mesos/c-2", "mesos/c-3", "mesos/c-4"} {
		maps.Copy(files, map[string]string{
			"cg/" + group + "/cpu.stat": "usage_usec 1500000\nnr_periods 1\nnr_throttled 1\nthrottled_usec 500000\n", "cg/" + group + "/memory.current": "100",
			"cg/" + group + "/memory.max": "max", "cg/" + group + "/memory.stat": "anon 60\nfile 30\n", "cg/" + group + "/pids.current": "4",
			"cg/" + group + "/pids.max": "max", "cg/" + group + "/io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=1\n", "cg/" + group + "/cgroup.procs": "77\n",
		})
	}
	root := fakehost.Root(t, files)
	for pid, namespace := range map[string]string{"self": "net:[1]", "77": "net:[2]", "78": "net:[1]", "79": "net:[3]"} { // db is in infra's, web in its own, the second pod in the host's
		require.NoError(t, os.MkdirAll(filepath.Join(root, "proc", pid, "ns"), 0o755))
		require.NoError(t, os.Symlink(namespace, filepath.Join(root, "proc", pid, "ns", "net")))
	}
	host, err := cgroup.Open(cgroup.Options{Root: root})
	require.NoError(t, err)
	c := &Core{parameters: parameters{roots: []string{"/mesos"}}, host: host, proc: filepath.Join(root, "proc")}
	c.census.open("/var/lib/mesos", c.proc)
	require.Zero(t, c.podsUse())
	for _, id := range []string{"c-1", "c-2", "c-3", "c-4"} {
		c.census.began(id, filepath.Join(root, id), known{foreign: id == "c-4"})
	}
	require.Zero(t, c.podsUse(), "what was read a moment ago serves")
	c.metrics.used.at = time.Time{}
	require.Equal(t, podMetrics{Pods: 2, CPUSeconds: 3, ThrottledSeconds: 1, MemoryBytes: 140, CacheBytes: 60, Pids: 8, BlockBytes: 60, NetworkBytes: 12}, c.podsUse())

	passed := networkStatistics{ReceivedBytes: 1, ReceivedPackets: 2, ReceiveErrors: 3, ReceiveDropped: 4, SentBytes: 5, SentPackets: 6, SendErrors: 7, SendDropped: 8}
	got, err := c.usage(t.Context(), containerOnly{"c-1"})
	require.NoError(t, err)
	require.Equal(t, networkStatistics{ReceivedBytes: 2, ReceivedPackets: 4, ReceiveErrors: 6, ReceiveDropped: 8, SentBytes: 10, SentPackets: 12, SendErrors: 14, SendDropped: 16},
		got.(statistics).networkStatistics, "of two interfaces")
	require.EqualValues(t, 100, got.(statistics).MemTotal)
	require.NoError(t, os.Remove(filepath.Join(root, "proc/78/ns/net")))
	got, err = c.usage(t.Context(), containerOnly{"c-2"})
	require.NoError(t, err)
	require.Equal(t, passed, got, "the agent measures the rest")
}
