package launch

import (
	"errors"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/pod"
	"github.com/dce-go/dce/go/qos"
)

func TestCheckLimits(t *testing.T) {
	has := func(name string, init bool, mb int64, cpus float64) engine.ContainerSpec {
		return engine.ContainerSpec{Service: name, Init: init, Host: &container.HostConfig{Resources: container.Resources{Memory: mb << 20, NanoCPUs: int64(cpus * 1e9)}}}
	}
	quota := engine.ContainerSpec{Service: "q", Host: &container.HostConfig{Resources: container.Resources{CPUQuota: 150_000}}}
	mb := func(memory uint64, cpus float64) grant {
		r := qos.Resources{CPUs: cpus, Memory: memory << 20}
		return grant{Bounds: qos.Bounds{Request: r, Limit: qos.Resources{Memory: r.Memory}}, cpus: cpus}
	}
	reserves := func(name string, init bool, mb int64) engine.ContainerSpec {
		return engine.ContainerSpec{Service: name, Init: init, Host: &container.HostConfig{Resources: container.Resources{MemoryReservation: mb << 20}}}
	}
	for name, c := range map[string]struct {
		services []engine.ContainerSpec
		task     grant
		warning  string
		fails    string
	}{
		"nothing limited":        {[]engine.ContainerSpec{has("a", false, 0, 0), {}}, mb(32, 1), "", ""},
		"exactly":                {[]engine.ContainerSpec{has("a", false, 32, 0.5), has("b", false, 32, 0.5)}, mb(64, 1), "", ""},
		"the task has no limit":  {[]engine.ContainerSpec{has("a", false, 9999, 99)}, grant{}, "", ""},
		"one is more":            {[]engine.ContainerSpec{has("a", false, 65, 0), has("b", false, 0, 0)}, mb(64, 1), "", "add up to 65 MB (a 65 MB) and the task has 64 MB"},
		"the sum, with replicas": {[]engine.ContainerSpec{has("a", false, 32, 0), has("a", false, 32, 0), has("b", false, 1, 0)}, mb(64, 1), "", "65 MB (a 32 MB + a 32 MB + b 1 MB) and the task has 64 MB: give"},
		"CPUs":                   {[]engine.ContainerSpec{has("a", false, 0, 0.75), quota}, mb(64, 2), "add up to 2.25 (a 0.75 + q 1.5) and the task has 2:", ""},
		"init is not added":      {[]engine.ContainerSpec{has("a", false, 60, 0), has("i", true, 60, 0)}, mb(64, 1), "", ""},
		"init alone is too much": {[]engine.ContainerSpec{has("a", false, 60, 0), has("i", true, 70, 0)}, mb(64, 1), "", "(i 70 MB, which runs before the others)"},
		"a little more":          {[]engine.ContainerSpec{{Service: "a", Host: &container.HostConfig{Resources: container.Resources{Memory: 64<<20 + 4096}}}}, mb(64, 1), "", "add up to 64.004 MB (a 64 MB) and the task has 64.000 MB"},
		"reservations":           {[]engine.ContainerSpec{reserves("a", false, 40), reserves("b", false, 25)}, mb(64, 1), "", "the memory reservations of the services add up to 65 MB (a 40 MB + b 25 MB) and the task has 64 MB: give"},
		"reserved before":        {[]engine.ContainerSpec{reserves("a", false, 40), reserves("b", true, 64)}, mb(64, 1), "", ""},
		"reserved, of none":      {[]engine.ContainerSpec{reserves("a", false, 40)}, grant{}, "", ""},
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

func TestCheckPids(t *testing.T) {
	spec := engine.PodSpec{Infra: &engine.ContainerSpec{}, Services: make([]engine.ContainerSpec, 3)}
	for limit, warned := range map[uint64]bool{0: false, 31: true, 32: false, 100: false} {
		log, said := test.NewNullLogger()
		checkPids(spec, limit, log)
		require.Equal(t, warned, len(said.AllEntries()) == 1, limit)
		if warned {
			require.Contains(t, said.LastEntry().Message, "pids.limit is 31, and the pod has 4 containers")
			require.Contains(t, said.LastEntry().Message, "32 would be safe")
		}
	}
}

// A pod that its task's limits can't bind is launched and says so, or is refused, as limits.unbound has it.
func TestWhatDoesNotBind(t *testing.T) {
	const sentence = "memory of the task does not bind its pod as a whole; run the executor as root"
	for name, c := range map[string]struct {
		setting    string
		why, err   error
		says, told string
	}{
		"bound":               {setting: "fail"},
		"launched":            {setting: "warn", why: errors.New(sentence), told: sentence},
		"refused":             {setting: "fail", why: errors.New(sentence), says: sentence + ", or set limits.unbound to warn"},
		"another error":       {setting: "fail", why: errors.New(sentence), err: errors.New("no cgroup"), says: "no cgroup"},
		"another error alone": {setting: "warn", err: errors.New("no cgroup"), says: "no cgroup"},
	} {
		t.Run(name, func(t *testing.T) {
			log, _ := test.NewNullLogger()
			o := &order{cfg: &config.Config{}, report: newReport("p", "task", pod.Service, "", filesOf(t.TempDir(), "p", true), log)}
			o.cfg.Limits.Unbound = c.setting
			err := o.unbound(c.why, c.err)
			require.Equal(t, c.told, o.report.pod.Unbound)
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.says)
		})
	}
}
