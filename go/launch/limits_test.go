package launch

import (
	"math"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

func TestTaskBudget(t *testing.T) {
	scalar := func(name string, v float64) mesos.Resource {
		return mesos.Resource{Name: name, Scalar: &mesos.Value_Scalar{Value: v}}
	}
	both := []mesos.Resource{scalar("mem", 64), scalar("cpus", 0.5), scalar("disk", 10), scalar("mem", 32)}
	for name, c := range map[string]struct {
		task mesos.TaskInfo
		more []mesos.Resource
		want budget
	}{
		"nothing":            {mesos.TaskInfo{}, nil, budget{}},
		"resources":          {mesos.TaskInfo{Resources: both}, nil, budget{96 << 20, 0.5}},
		"with the executor":  {mesos.TaskInfo{Resources: both}, both[:2], budget{160 << 20, 1}},
		"limits of the task": {mesos.TaskInfo{Resources: both, Limits: map[string]mesos.Value_Scalar{"mem": {Value: 200}, "cpus": {Value: 3}}}, nil, budget{200 << 20, 3}},
		"no limit at all":    {mesos.TaskInfo{Resources: both, Limits: map[string]mesos.Value_Scalar{"mem": {Value: math.Inf(1)}, "cpus": {Value: math.Inf(1)}}}, nil, budget{}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, taskBudget(&c.task, c.more))
		})
	}
}

func TestCheckLimits(t *testing.T) {
	has := func(name string, init bool, mb int64, cpus float64) engine.ContainerSpec {
		return engine.ContainerSpec{Service: name, Init: init, Host: &container.HostConfig{Resources: container.Resources{Memory: mb << 20, NanoCPUs: int64(cpus * 1e9)}}}
	}
	quota := engine.ContainerSpec{Service: "q", Host: &container.HostConfig{Resources: container.Resources{CPUQuota: 150_000}}}
	for name, c := range map[string]struct {
		services []engine.ContainerSpec
		task     budget
		warning  string
		fails    string
	}{
		"nothing limited":        {[]engine.ContainerSpec{has("a", false, 0, 0), {}}, budget{32 << 20, 1}, "", ""},
		"exactly":                {[]engine.ContainerSpec{has("a", false, 32, 0.5), has("b", false, 32, 0.5)}, budget{64 << 20, 1}, "", ""},
		"the task has no limit":  {[]engine.ContainerSpec{has("a", false, 9999, 99)}, budget{}, "", ""},
		"one is more":            {[]engine.ContainerSpec{has("a", false, 65, 0), has("b", false, 0, 0)}, budget{64 << 20, 1}, "", "add up to 65 MB (a 65 MB) and the task has 64 MB"},
		"the sum, with replicas": {[]engine.ContainerSpec{has("a", false, 32, 0), has("a", false, 32, 0), has("b", false, 1, 0)}, budget{64 << 20, 1}, "", "65 MB (a 32 MB + a 32 MB + b 1 MB) and the task has 64 MB: give"},
		"CPUs":                   {[]engine.ContainerSpec{has("a", false, 0, 0.75), quota}, budget{64 << 20, 2}, "add up to 2.25 (a 0.75 + q 1.5) and the task has 2:", ""},
		"init is not added":      {[]engine.ContainerSpec{has("a", false, 60, 0), has("i", true, 60, 0)}, budget{64 << 20, 1}, "", ""},
		"init alone is too much": {[]engine.ContainerSpec{has("a", false, 60, 0), has("i", true, 70, 0)}, budget{64 << 20, 1}, "", "(i 70 MB, which runs before the others)"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := engine.PodSpec{Services: c.services}
			log, said := test.NewNullLogger()
			require.NoError(t, allow(spec, c.task, "warn", log))
			require.Equal(t, c.warning != "" || c.fails != "", len(said.AllEntries()) == 1)
			warning, err := checkLimits(spec, c.task)
			require.Equal(t, err, allow(spec, c.task, "fail", log))
			require.Contains(t, warning, c.warning)
			require.Equal(t, c.warning == "", warning == "", warning)
			if c.fails == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.fails)
			var le *LimitsError
			require.ErrorAs(t, err, &le)
			require.Equal(t, "REASON_TASK_INVALID", le.Reason())
		})
	}
}
