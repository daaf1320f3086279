package health

import (
	"math"
	"testing"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
)

func TestOfTask(t *testing.T) {
	checks, err := OfTask(&mesos.TaskInfo{})
	require.NoError(t, err)
	require.Empty(t, checks)

	checks, err = OfTask(&mesos.TaskInfo{
		HealthCheck: &mesos.HealthCheck{Type: mesos.HealthCheck_COMMAND, Command: &mesos.CommandInfo{Value: new("test -e /up")}},
		Check:       &mesos.CheckInfo{Type: mesos.CheckInfo_TCP, TCP: &mesos.CheckInfo_Tcp{Port: 6379}},
	})
	require.NoError(t, err)
	timing := Timing{Delay: 15 * time.Second, Interval: 10 * time.Second, Timeout: 20 * time.Second} // mesos.proto's defaults
	require.Equal(t, []Check{
		{
			Type: Command, Timing: timing, Health: &Tolerance{Grace: 10 * time.Second, Failures: 3},
			Command: []string{"/bin/sh", "-c", "test -e /up"},
		},
		{Type: TCP, Timing: timing, Port: 6379},
	}, checks)

	checks, err = OfTask(&mesos.TaskInfo{
		HealthCheck: &mesos.HealthCheck{
			Type: mesos.HealthCheck_HTTP, DelaySeconds: new(0.0), IntervalSeconds: new(0.5), TimeoutSeconds: new(0.0),
			GracePeriodSeconds: new(1e300), ConsecutiveFailures: new(uint32(0)),
			HTTP: &mesos.HealthCheck_HTTPCheckInfo{
				Protocol: mesos.IPv6.Enum(), Scheme: new("https"), Port: 8443, Path: new("/up?deep=1"), Statuses: []uint32{204},
			},
		},
		Check: &mesos.CheckInfo{Type: mesos.CheckInfo_COMMAND, Command: &mesos.CheckInfo_Command{Command: mesos.CommandInfo{
			Shell: new(false), Value: new("/bin/check"), Arguments: []string{"-v", "$HOME"},
			Environment: &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "A", Value: new("1 2")}}},
		}}},
	})
	require.NoError(t, err)
	require.Equal(t, "https://[::1]:8443/up?deep=1", checks[0].url())
	require.Equal(t, []int{204}, checks[0].Statuses)
	require.Equal(t, Timing{Interval: 500 * time.Millisecond}, checks[0].Timing)
	require.Equal(t, 100*365*24*time.Hour, checks[0].Health.Grace)
	require.Zero(t, checks[0].Health.Failures)
	require.Equal(t, []string{"/bin/check", "-v", "$HOME"}, checks[1].Command)
	require.Equal(t, []string{"A=1 2"}, checks[1].Env)
}

func TestChecksThatCantBeMade(t *testing.T) {
	httpCheck := func(scheme, path string, port uint32) *mesos.TaskInfo {
		return &mesos.TaskInfo{HealthCheck: &mesos.HealthCheck{Type: mesos.HealthCheck_HTTP, HTTP: &mesos.HealthCheck_HTTPCheckInfo{
			Scheme: new(scheme), Path: new(path), Port: port,
		}}}
	}
	command := func(c mesos.CommandInfo) *mesos.TaskInfo {
		return &mesos.TaskInfo{Check: &mesos.CheckInfo{Type: mesos.CheckInfo_COMMAND, Command: &mesos.CheckInfo_Command{Command: c}}}
	}
	timed := func(c mesos.HealthCheck) *mesos.TaskInfo {
		c.Type, c.TCP = mesos.HealthCheck_TCP, &mesos.HealthCheck_TCPCheckInfo{Port: 80}
		return &mesos.TaskInfo{HealthCheck: &c}
	}
	for want, task := range map[string]*mesos.TaskInfo{
		`the task's health_check has the scheme "gopher"`:      httpCheck("gopher", "/", 80),
		`the task's health_check has the path "up"`:            httpCheck("http", "up", 80),
		`the task's health_check has the path "/%zz"`:          httpCheck("http", "/%zz", 80),
		`the task's health_check has the port 0;`:              httpCheck("http", "/", 0),
		`the task's health_check has the port 65536;`:          httpCheck("http", "/", 65536),
		`the task's health_check is of type UNKNOWN without`:   {HealthCheck: &mesos.HealthCheck{}},
		`the task's health_check is of type TCP without`:       {HealthCheck: &mesos.HealthCheck{Type: mesos.HealthCheck_TCP}},
		`the task's check is of type HTTP without`:             {Check: &mesos.CheckInfo{Type: mesos.CheckInfo_HTTP}},
		`the task's check has an empty command`:                command(mesos.CommandInfo{}),
		`the task's check has the variable KEY of type SECRET`: command(mesos.CommandInfo{Value: new("true"), Environment: &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "KEY", Secret: &mesos.Secret{}}}}}),
		`the task's health_check has delay_seconds -1;`:        timed(mesos.HealthCheck{DelaySeconds: new(-1.0)}),
		`the task's health_check has interval_seconds NaN;`:    timed(mesos.HealthCheck{IntervalSeconds: new(math.NaN())}),
		`the task's health_check has timeout_seconds -Inf;`:    timed(mesos.HealthCheck{TimeoutSeconds: new(math.Inf(-1))}),
		`the task's health_check has grace_period_seconds -2`:  timed(mesos.HealthCheck{GracePeriodSeconds: new(-2.0)}),
	} {
		_, err := OfTask(task)
		require.ErrorContains(t, err, want)
		var reason interface{ Reason() string }
		require.ErrorAs(t, err, &reason)
		require.Equal(t, "REASON_TASK_INVALID", reason.Reason())
	}
}

func TestPasses(t *testing.T) {
	for _, c := range []struct {
		check  Check
		passes []int
		fails  []int
	}{
		{Check{Type: Command}, []int{0}, []int{1, 127, 137}},
		{Check{Type: HTTP}, []int{200, 204, 302, 399}, []int{0, 100, 199, 400, 404, 500}},
		{Check{Type: HTTP, Statuses: []int{404, 500}}, []int{404, 500}, []int{200, 302, 503}},
		{Check{Type: TCP}, []int{1}, []int{0}},
	} {
		for _, v := range c.passes {
			require.True(t, c.check.passes(Result{Value: v}), "%s %d", c.check.Type, v)
		}
		for _, v := range c.fails {
			require.False(t, c.check.passes(Result{Value: v}), "%s %d", c.check.Type, v)
		}
	}
}
