package core

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
	"github.com/dce-go/dce/go/tree"
	"github.com/dce-go/dce/go/tree/bustest"
	"github.com/dce-go/dce/tests/fakehost"
)

func cpusAnd(cpus float64, megabytes int64) resources {
	bytes := megabytes << 20
	return resources{CPUs: &cpus, MemBytes: &bytes}
}

func TestLimitsOf(t *testing.T) {
	none, all := -1.0, int64(-1)
	some := []tree.Part{tree.Memory, tree.MemoryLow}
	for name, c := range map[string]struct {
		requests, limits resources
		want             tree.Limits
		parts            []tree.Part
	}{
		"nothing":   {want: tree.Limits{}, parts: some},
		"requests":  {requests: cpusAnd(0.5, 64), want: tree.Limits{Memory: 64 << 20, MemoryLow: 64 << 20, CPUs: 0.5}, parts: append(some[:2:2], tree.CPUs)},
		"limits":    {requests: cpusAnd(0.5, 64), limits: cpusAnd(2, 128), want: tree.Limits{Memory: 128 << 20, MemoryLow: 64 << 20, CPUs: 0.5, Quota: 2}, parts: append(some[:2:2], tree.CPUs, tree.Quota)},
		"unlimited": {requests: cpusAnd(0.5, 64), limits: resources{CPUs: &none, MemBytes: &all}, want: tree.Limits{MemoryLow: 64 << 20, CPUs: 0.5}, parts: append(some[:2:2], tree.CPUs, tree.Quota)},
	} {
		t.Run(name, func(t *testing.T) {
			got, parts := limitsOf(c.requests, c.limits)
			require.Equal(t, c.want, got)
			require.Equal(t, c.parts, parts)
		})
	}
}

func TestStatisticsOf(t *testing.T) {
	u := cgroup.Usage{
		CPU:    &cgroup.CPUUsage{User: 1500 * time.Millisecond, System: 250 * time.Millisecond, Limit: 1.5, Periods: 1 << 40, Throttled: 3, ThrottledTime: time.Second},
		Memory: &cgroup.MemoryUsage{Usage: 10, Cache: 4, Anon: 6, Swap: 1, Limit: 64},
		Pids:   &cgroup.PidsUsage{Now: 5},
		IO:     &cgroup.IOUsage{ReadBytes: 4096, WriteBytes: 8192, Reads: 1, Writes: 2},
	}
	text, err := json.Marshal(statisticsOf(u, 2))
	require.NoError(t, err)
	require.JSONEq(t, `{"processes":2,"threads":5,"cpus_user_time_secs":1.5,"cpus_system_time_secs":0.25,"cpus_limit":1.5,"cpus_nr_periods":4294967295,
		"cpus_nr_throttled":3,"cpus_throttled_time_secs":1,"mem_total_bytes":10,"mem_limit_bytes":64,"mem_rss_bytes":6,"mem_anon_bytes":6,"mem_cache_bytes":4,
		"mem_file_bytes":4,"mem_swap_bytes":1,"blkio_statistics":{"throttling":[{"io_serviced":[{"op":"READ","value":1},{"op":"WRITE","value":2}],
		"io_service_bytes":[{"op":"READ","value":4096},{"op":"WRITE","value":8192}]}]}}`, string(text))
	u.Memory.Limit, u.CPU.Limit, u.IO = cgroup.NoLimit, 0, nil
	text, err = json.Marshal(statisticsOf(u, 0))
	require.NoError(t, err)
	require.NotContains(t, string(text), "limit")
	require.NotContains(t, string(text), "processes")
	require.NotContains(t, string(text), "blkio")
}

func (s *stage) ours(container string, requests, limits resources) prepareInput {
	in := prepareInput{Container: container, Sandbox: s.sandbox(container),
		Framework: "f", Executor: "e", Requests: requests, Limits: limits}
	in.Command.Value = "./dce-executor"
	return in
}

// On this machine, where the agent made no cgroup for the container, the pod has one of its own from before the launch until the
// cleanup: limited, updated and measured.
func TestTheModuleKeepsATree(t *testing.T) {
	s := newStage(t)
	s.isolated()
	container := s.root + "-c1" // of this test alone
	t.Cleanup(func() { require.NoError(t, s.host.Remove(t.Context(), "/dce/"+container)) })
	out, err := s.prepare(t.Context(), s.ours(container, cpusAnd(0.5, 64), resources{}))
	require.NoError(t, err)
	require.Equal(t, launchInfo{environment{[]variable{{parentVariable, "/dce/" + container}}}}, out)
	owned, err := tree.Owned(s.host)
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(owned, func(one tree.Claimed) bool {
		return one.Owner == tree.Owner{Scope: s.scope, Framework: "f", Executor: "e", Container: container}
	}), "it says whose it is, for when the agent dies: %v", owned)
	usage := func() cgroup.Usage {
		u, err := s.host.Usage("/dce/" + container)
		require.NoError(t, err)
		return u
	}
	require.EqualValues(t, 64<<20, usage().Memory.Limit)
	require.Zero(t, usage().CPU.Limit)

	for _, step := range []struct {
		requests, limits resources
		memory           uint64
		cpus             float64
	}{
		{cpusAnd(1, 128), resources{}, 128 << 20, 0},
		{cpusAnd(0.5, 64), resources{}, 128 << 20, 0}, // never lowered under a pod that runs
		{cpusAnd(0.5, 64), cpusAnd(0.75, 256), 256 << 20, 0.75},
	} {
		_, err := s.update(t.Context(), updateInput{Container: container, Requests: step.requests, Limits: step.limits})
		require.NoError(t, err)
		require.Equal(t, step.memory, usage().Memory.Limit)
		require.Equal(t, step.cpus, usage().CPU.Limit)
	}

	cmd := exec.Command("sleep", "100")
	require.NoError(t, cmd.Start())
	require.NoError(t, s.host.AddProc("/dce/"+container, cmd.Process.Pid))
	got, err := s.usage(t.Context(), containerOnly{container})
	require.NoError(t, err)
	stats := got.(statistics)
	require.EqualValues(t, 1, stats.Processes)
	require.EqualValues(t, 256<<20, stats.MemLimit)
	require.Equal(t, 0.75, stats.CPUsLimit)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()

	_, err = s.cleanup(t.Context(), containerOnly{container})
	require.NoError(t, err)
	there, err := s.host.Exists("/dce/" + container)
	require.NoError(t, err)
	require.False(t, there)
	got, err = s.usage(t.Context(), containerOnly{container})
	require.NoError(t, err)
	require.Equal(t, networkStatistics{}, got)
	_, err = s.update(t.Context(), updateInput{Container: container, Requests: cpusAnd(1, 1)})
	require.NoError(t, err, "a container without a tree is the agent's to limit")
}

// Nothing holds up a launch: where the engine does not say its driver, the executor makes the tree.
func TestALaunchWithoutTheEngine(t *testing.T) {
	s := newStage(t)
	s.isolated()
	s.fake.Fail(engine.MethodInfo, os.ErrDeadlineExceeded, 1)
	out, err := s.prepare(t.Context(), s.ours(s.root+"-c2", cpusAnd(0.5, 64), resources{}))
	require.NoError(t, err)
	require.Equal(t, nothing{}, out)
}

// v2 has systemd's slices as its parents, and what can't be made is said.
func TestTheModuleKeepsASlice(t *testing.T) {
	root := fakehost.Root(t, map[string]string{
		"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": "30 1 0:30 / /cg rw - cgroup2 cgroup2 rw\n", "cg/cgroup.controllers": "memory"})
	host, err := cgroup.Open(cgroup.Options{Root: root, Patience: 1})
	require.NoError(t, err)
	c := &Core{parameters: parameters{roots: []string{"/mesos"}, useHierarchy: hierarchyEnforce}, host: host}
	systemd := cgroup.DriverSystemd
	c.known.Store(&systemd)
	bus := bustest.Start(t)
	parent, err := c.bindPod(t.Context(), "c-1", tree.Limits{Memory: 64 << 20})
	require.NoError(t, err)
	require.Equal(t, `dce-c\x2d1.slice`, parent)
	require.Equal(t, uint64(64<<20), bus.Calls()[0].Properties["MemoryMax"])

	bus.Behave(bustest.Behaviour{Result: "failed"})
	_, err = c.bindPod(t.Context(), "c-2", tree.Limits{})
	require.Equal(t, Failed, statusOf(err))
	require.ErrorContains(t, err, "the executor will try too")
}

// Where the module launches what its executor would refuse by itself, the executor is told.
func TestTheExecutorIsToldToLaunch(t *testing.T) {
	for mode, want := range map[string]string{hierarchyEnforce: "{}", hierarchyRequire: "{}",
		hierarchyWarn: `{"environment":{"variables":[{"name":"DCE_CGROUP_USE_HIERARCHY","value":"warn"}]}}`,
		hierarchyOff:  `{"environment":{"variables":[{"name":"DCE_CGROUP_USE_HIERARCHY","value":"off"}]}}`,
	} {
		s := newStage(t, "use_hierarchy", mode)
		s.fake.Fail(engine.MethodInfo, errdefs.ErrUnavailable, enginetest.Always) // so that the executor is left to find the parent
		s.isolated()
		e := s.do("prepare", s.launched("c1"))
		require.Equal(t, OK, e.status, e.text)
		require.JSONEq(t, want, e.text)
	}
}

// A limit that can't bind any more: what is in the way is named, and the metric says that it does not bind.
func TestHierarchyThatIsTooLate(t *testing.T) {
	for mode, refused := range map[string]bool{hierarchyEnforce: true, hierarchyRequire: true, hierarchyWarn: false, hierarchyOff: false} {
		root := fakehost.Root(t, map[string]string{"proc/self/cgroup": "1:memory:/\n", "proc/self/mountinfo": "30 1 0:30 / /cg rw - cgroup cgroup rw,memory\n",
			"cg/mesos/c/memory.use_hierarchy": "0", "cg/mesos/c/other/memory.use_hierarchy": "0"})
		host, err := cgroup.Open(cgroup.Options{Root: root})
		require.NoError(t, err)
		log, said := logtest.NewNullLogger()
		c := &Core{parameters: parameters{roots: []string{"/mesos"}, useHierarchy: mode}, host: host, log: log}
		c.metrics.hierarchy.Store(true)
		parent, err := c.bindPod(t.Context(), "c", tree.Limits{})
		require.Equal(t, mode == hierarchyWarn, !c.metrics.hierarchy.Load(), mode)
		if refused {
			require.Equal(t, Refused, statusOf(err), mode)
			require.ErrorContains(t, err, "other")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, "/mesos/c", parent)
		require.Equal(t, mode == hierarchyWarn, len(said.AllEntries()) == 1)
	}
}
