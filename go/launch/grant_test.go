package launch

import (
	"math"
	"testing"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/qos"
	"github.com/dce-go/dce/go/tree"
)

func scalar(name string, v float64) mesos.Resource {
	return mesos.Resource{Name: name, Scalar: &mesos.Value_Scalar{Value: v}}
}

func TestGrantOf(t *testing.T) {
	const mb = 1 << 20
	revocable := func(r mesos.Resource) mesos.Resource {
		r.Revocable = &mesos.Resource_RevocableInfo{}
		return r
	}
	limits := func(mem, cpus float64) map[string]mesos.Value_Scalar {
		return map[string]mesos.Value_Scalar{"mem": {Value: mem}, "cpus": {Value: cpus}}
	}
	both := []mesos.Resource{scalar("mem", 64), scalar("cpus", 0.5), scalar("disk", 10), scalar("mem", 32)}
	sure := qos.Resources{CPUs: 0.5, Memory: 96 * mb}
	for name, c := range map[string]struct {
		task mesos.TaskInfo
		more []mesos.Resource
		want grant
		most float64
	}{
		"nothing":   {mesos.TaskInfo{}, nil, grant{}, 0},
		"resources": {mesos.TaskInfo{Resources: both}, nil, grant{Bounds: qos.Bounds{Request: sure, Limit: qos.Resources{Memory: 96 * mb}}, cpus: 0.5}, 0.5},
		"with the executor": {mesos.TaskInfo{Resources: both}, both[:2],
			grant{Bounds: qos.Bounds{Request: qos.Resources{CPUs: 1, Memory: 160 * mb}, Limit: qos.Resources{Memory: 160 * mb}}, cpus: 1}, 1},
		"limits of the task": {mesos.TaskInfo{Resources: both, Limits: limits(200, 3)}, nil,
			grant{Bounds: qos.Bounds{Request: sure, Limit: qos.Resources{CPUs: 3, Memory: 200 * mb}}, cpus: 0.5, stated: true}, 3},
		"limits, and the executor": {mesos.TaskInfo{Resources: both, Limits: limits(200, 3)}, both[:2],
			grant{Bounds: qos.Bounds{Request: qos.Resources{CPUs: 1, Memory: 160 * mb}, Limit: qos.Resources{CPUs: 3.5, Memory: 264 * mb}}, cpus: 1, stated: true}, 3.5},
		"no limit at all": {mesos.TaskInfo{Resources: both, Limits: limits(math.Inf(1), math.Inf(1))}, both[1:2],
			grant{Bounds: qos.Bounds{Request: qos.Resources{CPUs: 1, Memory: 96 * mb}}, cpus: 1, stated: true, endless: true}, 0},
		"one limit": {mesos.TaskInfo{Resources: both, Limits: map[string]mesos.Value_Scalar{"mem": {Value: 100}}}, nil,
			grant{Bounds: qos.Bounds{Request: sure, Limit: qos.Resources{Memory: 100 * mb}}, cpus: 0.5}, 0.5},
		"revocable": {mesos.TaskInfo{Resources: []mesos.Resource{revocable(both[0]), revocable(both[1])}}, nil,
			grant{Bounds: qos.Bounds{Limit: qos.Resources{Memory: 64 * mb}}, cpus: 0.5}, 0.5},
		"nonsense": {mesos.TaskInfo{Resources: []mesos.Resource{scalar("mem", math.NaN()), scalar("cpus", -1)}}, nil, grant{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := grantOf(&c.task, c.more)
			require.Equal(t, c.want, got)
			require.InDelta(t, c.most, got.mostCPUs(), 0)
		})
	}
}

func TestLimitsOfAPod(t *testing.T) {
	g := grant{Bounds: qos.Bounds{Request: qos.Resources{CPUs: 1, Memory: 64}, Limit: qos.Resources{Memory: 96}}, cpus: 1.5}
	require.Equal(t, tree.Limits{Memory: 96, MemoryLow: 64, CPUs: 1.5}, g.limits(0))
	require.Equal(t, tree.Limits{Memory: 96, MemoryLow: 64, CPUs: 1.5, Quota: 1.5, Pids: 7}, g.throttled().limits(7))
	g.Limit.CPUs = 3
	require.InDelta(t, 3, g.throttled().limits(0).Quota, 0, "what the task says of itself stays")
	require.Equal(t, tree.Limits{}, grant{}.throttled().limits(0))
}

func TestTheQuotaThatIsThere(t *testing.T) {
	v1 := "31 1 0:31 / /cg/cpu rw - cgroup cgroup rw,cpu\n"
	v2 := "30 1 0:30 / /cg rw - cgroup2 cgroup2 rw\n"
	for name, c := range map[string]struct {
		mounts string
		files  map[string]string
		want   float64
	}{
		"v1":             {v1, map[string]string{"cg/cpu/p/cpu.cfs_quota_us": "150000\n", "cg/cpu/p/cpu.cfs_period_us": "100000\n"}, 1.5},
		"v1, none":       {v1, map[string]string{"cg/cpu/p/cpu.cfs_quota_us": "-1\n", "cg/cpu/p/cpu.cfs_period_us": "100000\n"}, 0},
		"v1, no files":   {v1, nil, 0},
		"v1, garbage":    {v1, map[string]string{"cg/cpu/p/cpu.cfs_quota_us": "x\n", "cg/cpu/p/cpu.cfs_period_us": "0\n"}, 0},
		"v1, no cpu":     {"30 1 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n", nil, 0},
		"v2":             {v2, map[string]string{"cg/p/cpu.max": "50000 100000\n"}, 0.5},
		"v2, none":       {v2, map[string]string{"cg/p/cpu.max": "max 100000\n"}, 0},
		"v2, no control": {v2, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if c.files == nil {
				c.files = map[string]string{}
			}
			c.files["cg/cgroup.controllers"] = "cpu\n"
			_, host := fakeHost(t, c.mounts, "2:memory:/\n1:cpu:/\n0::/\n", c.files)
			got, _ := host.CPULimit("/p")
			require.InDelta(t, c.want, got, 0)
		})
	}
}

// A quota is the agent's business where it sets one; else it is set for the pods of those that ask, and lifted when one comes that
// does not.
func TestTheQuotaOfTheTasksOwnCgroup(t *testing.T) {
	const mounts = "30 1 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n31 1 0:31 / /cg/cpu rw - cgroup cgroup rw,cpu\n"
	take := func(t *testing.T, quota string, wanted ...float64) (string, float64) {
		root, host := fakeHost(t, mounts, "2:memory:/mesos/c\n1:cpu:/mesos/c\n", map[string]string{
			"cg/memory/mesos/c/cgroup.procs": "", "cg/memory/mesos/c/memory.limit_in_bytes": "67108864\n",
			"cg/cpu/mesos/c/cpu.cfs_quota_us": quota, "cg/cpu/mesos/c/cpu.cfs_period_us": "100000\n",
		})
		p := parents{host: host, used: map[string]parent{}, has: map[string]tree.Limits{}}
		var at parent
		for _, q := range wanted {
			var unbound, err error
			at, unbound, err = p.take(t.Context(), "", cgroup.DriverCgroupfs, labels.Identity{Container: "c"}, tree.Limits{Memory: 64 << 20, Quota: q}, tree.Quota, tree.Pids)
			require.NoError(t, err)
			require.NoError(t, unbound)
		}
		got, err := host.Read("cpu", "/mesos/c", "cpu.cfs_quota_us")
		require.NoError(t, err, root)
		return got, at.quota
	}
	for name, c := range map[string]struct {
		agent  string
		wanted []float64
		want   string
		quota  float64
	}{
		"asked for":                 {"-1\n", []float64{0.5}, "50000", 0},
		"not asked for":             {"-1\n", []float64{0}, "-1", 0},
		"the agent has one":         {"150000\n", []float64{0.5}, "150000", 1.5},
		"two pods":                  {"-1\n", []float64{0.5, 1}, "150000", 0},
		"the second does not ask":   {"-1\n", []float64{0.5, 0}, "-1", 0},
		"two pods, and the agent's": {"150000\n", []float64{0.5, 0}, "150000", 1.5},
	} {
		t.Run(name, func(t *testing.T) {
			got, quota := take(t, c.agent, c.wanted...)
			require.Equal(t, c.want, got)
			require.InDelta(t, c.quota, quota, 0)
		})
	}
}
