package qos

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const mb = 1 << 20

func res(cpus float64, megabytes uint64) Resources { return Resources{cpus, megabytes * mb} }

// has is a service that requests and may use so much.
func has(name string, request, limit Resources) Service {
	return Service{Name: name, Bounds: Bounds{request, limit}}
}

var (
	none    = Resources{}
	task    = Bounds{Request: res(1, 256), Limit: res(0, 256)} // of an agent without CPU quotas
	throttl = Bounds{Request: res(1, 256), Limit: res(1, 256)}
	infra   = Service{Name: "infra", Infra: true}
)

func TestDecide(t *testing.T) {
	same := has("a", res(0.5, 64), res(0.5, 64))
	for name, c := range map[string]struct {
		pod   Pod
		class Class
		fails map[Class]string // of those that are asked for
	}{
		"nothing said": {
			Pod{Task: task, Services: []Service{infra, has("a", none, none)}}, Burstable,
			map[Class]string{Guaranteed: "but service a has no memory limit (deploy.resources.limits.memory), nor does the task as a whole have " +
				"limits that are its requests: the CPUs of the task have no limit (cpu.cfs_quota gives them one); correct"},
		},
		"nothing said, with a CPU quota": {Pod{Task: throttl, Services: []Service{has("a", none, none)}}, Burstable, nil},
		"the task says how far":          {Pod{Task: throttl, Stated: true, Services: []Service{has("a", none, none)}}, Guaranteed, nil},
		"the task says further": {
			Pod{Task: Bounds{res(1, 256), res(2, 512)}, Stated: true, Services: []Service{has("a", none, none)}}, Burstable,
			map[Class]string{Guaranteed: "the task requests 256 MB of memory and may use 512 MB"},
		},
		"the task may use all there is": {
			Pod{Task: Bounds{res(1, 256), none}, Stated: true, Services: []Service{has("a", res(0, 1), none)}}, Burstable,
			map[Class]string{Guaranteed: "the memory of the task has no limit", BestEffort: "but service a reserves memory: take"},
		},
		"the task may use more CPUs": {
			Pod{Task: Bounds{res(1, 256), res(1.5, 256)}, Stated: true, Services: []Service{has("a", none, none)}}, Burstable,
			map[Class]string{Guaranteed: "the task requests 1 CPUs and may use 1.5"},
		},
		"revocable": {
			Pod{Task: Bounds{none, res(0, 256)}, Services: []Service{has("a", none, none)}}, BestEffort,
			map[Class]string{Guaranteed: "the task is not sure of its memory", Burstable: "neither the task nor a service is sure of anything"},
		},
		"revocable CPUs": {
			Pod{Task: Bounds{res(0, 256), res(0, 256)}, Services: []Service{has("a", none, none)}}, Burstable,
			map[Class]string{Guaranteed: "the task is not sure of its CPUs"},
		},
		"revocable, and a limit": {
			Pod{Services: []Service{has("a", none, res(0, 64))}}, Burstable,
			map[Class]string{Guaranteed: "service a has no CPU limit", BestEffort: "service a has a memory limit"},
		},
		"each is what it may use": {
			Pod{Task: task, Services: []Service{infra, same, has("b", none, res(0.5, 64))}}, Guaranteed,
			map[Class]string{BestEffort: "but service a reserves memory"},
		},
		"more than the task has": {
			Pod{Task: task, Services: []Service{same, has("b", none, res(0.25, 200))}}, Burstable,
			map[Class]string{Guaranteed: "the services request 264 MB of memory together and the task has 256 MB", BestEffort: "service a"},
		},
		"a byte more than the task has": {
			Pod{Task: task, Services: []Service{same, has("b", none, Resources{0.25, 192*mb + 1})}}, Burstable,
			map[Class]string{Guaranteed: "the services request 256.000001 MB of memory together and the task has 256.000000 MB", BestEffort: "service a"},
		},
		"more CPUs than the task has": {
			Pod{Task: task, Services: []Service{same, has("b", none, res(0.501, 64))}}, Burstable,
			map[Class]string{Guaranteed: "the services request 1.001 CPUs together and the task has 1.000", BestEffort: "service a"},
		},
		"those that run before do not count": {
			Pod{Task: task, Services: []Service{same, {Name: "i", Init: true, Bounds: Bounds{Limit: res(1, 256)}}}}, Guaranteed,
			map[Class]string{BestEffort: "service a"},
		},
		"but have to have limits": {
			Pod{Task: task, Services: []Service{same, {Name: "i", Init: true}}}, Burstable,
			map[Class]string{Guaranteed: "service i has no memory limit", BestEffort: "service a"},
		},
		"one without CPU limit": {
			Pod{Task: task, Services: []Service{same, has("b", none, res(0, 64))}}, Burstable,
			map[Class]string{Guaranteed: "service b has no CPU limit (deploy.resources.limits.cpus)", BestEffort: "service a"},
		},
		"memory may burst": {
			Pod{Task: task, Services: []Service{has("a", res(0.5, 32), res(0.5, 64))}}, Burstable,
			map[Class]string{Guaranteed: "service a reserves 32 MB of memory and may use 64 MB", BestEffort: "service a"},
		},
		"CPUs may burst": {
			Pod{Task: task, Services: []Service{has("a", res(0.25, 64), res(0.5, 64))}}, Burstable,
			map[Class]string{Guaranteed: "service a reserves 0.25 CPUs and may use 0.5", BestEffort: "service a"},
		},
		"CPUs are reserved": {
			Pod{Task: task, Services: []Service{has("a", res(0.25, 0), none)}}, Burstable,
			map[Class]string{Guaranteed: "no memory limit", BestEffort: "but service a reserves CPUs"},
		},
		"CPUs are limited": {
			Pod{Task: task, Services: []Service{has("a", none, res(0.25, 0))}}, Burstable,
			map[Class]string{Guaranteed: "no memory limit", BestEffort: "but service a has a CPU limit"},
		},
		"no service": {Pod{Task: task, Services: []Service{infra}}, Burstable, map[Class]string{Guaranteed: "the pod has no service"}},
		"reserved beyond the limit": {
			Pod{Task: task, Services: []Service{has("a", res(0, 64), res(0, 32))}}, "",
			map[Class]string{
				"": "service a reserves 64 MB of memory and its limit is 32 MB: lower", Guaranteed: "lower", Burstable: "lower", BestEffort: "lower",
			},
		},
		"no such class": {Pod{Task: task}, Burstable, map[Class]string{"gold": `"gold", which is none of guaranteed, burstable, best-effort`, Guaranteed: "no service"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, asked := range []Class{"", Guaranteed, Burstable, BestEffort, "gold"} {
				want, fails := asked, c.fails[asked]
				if asked == "" {
					want = c.class
				}
				if asked == "gold" && fails == "" {
					continue
				}
				got, err := c.pod.Decide(asked)
				if fails == "" {
					require.NoError(t, err, "asked for %q", asked)
					require.Equal(t, want, got)
					continue
				}
				require.ErrorContains(t, err, fails, "asked for %q", asked)
				var contradicted *ContradictionError
				require.ErrorAs(t, err, &contradicted)
				require.Equal(t, "REASON_TASK_INVALID", contradicted.Reason())
			}
		})
	}
}

func TestSettings(t *testing.T) {
	scored := func(s Service, score int) Service { s.Score = score; return s }
	shared := func(s Service, shares int64) Service { s.Shares = shares; return s }
	for name, c := range map[string]struct {
		pod   Pod
		class Class
		host  Host
		want  []Setting
	}{
		"nothing said: equal parts": {
			Pod{Task: task, Services: []Service{infra, has("a", none, none), has("b", none, none)}}, Burstable, Host{Memory: 8192 * mb},
			[]Setting{{Score: -998, Shares: 2}, {Score: 500, Shares: 512}, {Score: 500, Shares: 512}},
		},
		"one alone has all": {
			Pod{Task: task, Services: []Service{has("a", none, none)}}, Burstable, Host{}, []Setting{{Score: 3, Shares: 1024}},
		},
		"what is reserved, and what is left": {
			Pod{Task: task, Services: []Service{has("db", res(0.5, 128), none), has("web", none, none)}}, Burstable, Host{},
			[]Setting{{Score: 250, Shares: 512, Reservation: 128 * mb}, {Score: 750, Shares: 512}},
		},
		"a limit is a request": {
			Pod{Task: task, Services: []Service{has("db", none, res(0.25, 192)), has("web", res(0.1, 64), res(1, 64))}}, Burstable, Host{},
			[]Setting{{Score: 250, Shares: 256}, {Score: 750, Shares: 102, Reservation: 64 * mb}},
		},
		"more is requested than is there": {
			Pod{Task: task, Services: []Service{has("db", none, res(4, 512)), has("web", none, none)}}, Burstable, Host{},
			[]Setting{{Score: 3, Shares: 4096}, {Score: 999, Shares: 512}},
		},
		"no limit: measured with the host": {
			Pod{Task: Bounds{Request: res(1, 256)}, Services: []Service{has("a", none, none)}}, Burstable, Host{Memory: 1024 * mb}, []Setting{{Score: 750, Shares: 1024}},
		},
		"bursts beyond its request": {
			Pod{Task: Bounds{res(1, 256), res(2, 512)}, Services: []Service{has("a", none, none)}}, Burstable, Host{}, []Setting{{Score: 500, Shares: 1024}},
		},
		"guaranteed": {
			Pod{Task: task, Services: []Service{infra, has("a", none, res(0.5, 64))}}, Guaranteed, Host{},
			[]Setting{{Score: -998, Shares: 2}, {Score: -997, Shares: 512, Reservation: 64 * mb}},
		},
		"best effort": {
			Pod{Task: task, Services: []Service{infra, has("a", none, none)}}, BestEffort, Host{}, []Setting{{Score: -998, Shares: 2}, {Score: 1000, Shares: 2}},
		},
		"the file's own score": {
			Pod{Task: task, Services: []Service{scored(has("a", none, none), -500), scored(has("b", none, none), 7)}}, Guaranteed, Host{},
			[]Setting{{Score: -500, Shares: 512}, {Score: 7, Shares: 512}},
		},
		"not below the executor": {
			Pod{Task: task, Services: []Service{scored(has("a", none, none), -1000)}}, Burstable, Host{},
			[]Setting{{Score: -998, Shares: 1024, Warning: "Service a asks for oom_score_adj -1000 and gets -998: the executor, with -999, has to outlive it to report its end."}},
		},
		"an executor that is not root": {
			Pod{Task: task, Services: []Service{infra, has("a", none, none), scored(has("b", none, none), -5)}}, Guaranteed, Host{Executor: 10},
			[]Setting{{Score: 11, Shares: 2}, {Score: 11, Shares: 512},
				{Score: 11, Shares: 512, Warning: "Service b asks for oom_score_adj -5 and gets 11: the executor, with 10, has to outlive it to report its end."}},
		},
		"an executor that goes first anyway": {
			Pod{Task: task, Services: []Service{has("a", none, none)}}, Guaranteed, Host{Executor: 1000}, []Setting{{Score: 1000, Shares: 1024}},
		},
		"the file speaks in shares": {
			Pod{Task: task, Services: []Service{infra, shared(has("a", none, none), 100), has("b", res(0.5, 0), none)}}, Burstable, Host{},
			[]Setting{{Score: -998}, {Score: 500, Shares: 100}, {Score: 500}},
		},
		"those that run before": {
			Pod{Task: task, Services: []Service{{Name: "i", Init: true}, has("a", none, none)}}, Burstable, Host{},
			[]Setting{{Score: 3, Shares: 1024}, {Score: 3, Shares: 1024}},
		},
		"nothing at all": {Pod{Services: []Service{has("a", none, none)}}, Burstable, Host{}, []Setting{{Score: 3, Shares: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.host.Executor == 0 {
				c.host.Executor = ExecutorScore
			}
			require.Equal(t, c.want, c.pod.Settings(c.class, c.host))
		})
	}
}

func TestNumbersForPeople(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", 10: "10", 0.5: "0.5", 1.256: "1.26", 0.0004: "0.0004", 100.001: "100"} {
		require.Equal(t, want, Decimal(v))
	}
	require.Equal(t, "1.5 MB", Megabytes(uint64(3*mb/2)))
}
