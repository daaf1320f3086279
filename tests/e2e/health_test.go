package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/tests/harness"
)

// inspected is a task with checks, and its updates as they come.
type inspected struct {
	*launched
	updates <-chan localagent.Update
}

// inspect launches a task that change adds checks to.
func inspect(t *testing.T, a app, change func(*mesos.TaskInfo), more ...func(*localagent.Options)) *inspected {
	t.Helper()
	l := launchAs(t, a, change, more...)
	return &inspected{l, l.Updates(t.Context())}
}

// next is the next update of the task.
func (i *inspected) next() mesos.TaskStatus {
	i.t.Helper()
	select {
	case u := <-i.updates:
		return u.Status
	case <-time.After(patience):
		require.FailNow(i.t, "no further update came")
		return mesos.TaskStatus{}
	}
}

// expect takes the next update, which must be of that state and reason.
func (i *inspected) expect(state mesos.TaskState, reason mesos.TaskStatus_Reason) *mesos.TaskStatus {
	i.t.Helper()
	s := i.next()
	require.Equal(i.t, state.String(), s.GetState().String(), "%s: %s", s.GetReason(), s.GetMessage())
	if reason != 0 {
		require.Equal(i.t, reason.String(), s.GetReason().String(), s.GetMessage())
	}
	return &s
}

// running takes the updates up to TASK_RUNNING, which says nothing of the task's health: no check was made yet.
func (i *inspected) running() {
	i.t.Helper()
	i.expect(mesos.TASK_STARTING, 0)
	require.Nil(i.t, i.expect(mesos.TASK_RUNNING, 0).Healthy)
}

// breakIt removes the file that the service needs to be healthy.
func (i *inspected) breakIt() {
	i.t.Helper()
	require.NoError(i.t, os.Remove(filepath.Join(i.run.Sandbox, "www", "up")))
}

const healthReason = mesos.REASON_TASK_HEALTH_CHECK_STATUS_UPDATED

// at is a health check that is made often.
func at(h mesos.HealthCheck) func(*mesos.TaskInfo) {
	h.DelaySeconds, h.IntervalSeconds = new(0.0), new(0.2)
	if h.GracePeriodSeconds == nil {
		h.GracePeriodSeconds = new(30.0) // the service may begin to listen after TASK_RUNNING
	}
	if h.ConsecutiveFailures == nil {
		h.ConsecutiveFailures = new(uint32(2))
	}
	return func(info *mesos.TaskInfo) { info.HealthCheck = &h }
}

func shell(command string) *mesos.CommandInfo { return &mesos.CommandInfo{Value: &command} }

// served is a pod whose services listen on 8080 (HTTP), 8443 (HTTPS) and, as long as it is healthy, on 8081.
func served(extra ...string) app {
	return app{files: map[string]string{"www/up": "up", "compose.yaml": `
services:
  web:
    image: dce-test/busybox
    command: [httpd, -f, -p, "127.0.0.1:8080", -h, /www]
    volumes: ["./www:/www"]
    stop_grace_period: 0s
    depends_on: [open]
  open:
    image: dce-test/busybox
    init: true
    command: [sh, -c, "httpd -f -p 127.0.0.1:8081 & while test -e /www/up; do usleep 50000; done; kill $$!; sleep 1000"]
    volumes: ["./www:/www"]
    stop_grace_period: 0s
` + strings.Join(extra, "")}}
}

// listening adds that the pod runs only once 8080 and 8081 are listened on.
const listening = `
  listening:
    image: dce-test/busybox
    command: [sh, -c, "until [ $$(busybox netstat -ltn | grep -c '127.0.0.1:808[01] ') = 2 ]; do usleep 20000; done"]
  last:
    image: dce-test/busybox
    command: [sleep, "1000"]
    stop_grace_period: 0s
    depends_on: {listening: {condition: service_completed_successfully}}
`

// secure adds a service that speaks HTTPS.
const secure = `
  secure:
    image: dce-test/busybox
    command: [/tlsd, "127.0.0.1:8443", /www]
    volumes: ["./www:/www", "./tlsd:/tlsd"]
    stop_grace_period: 0s
`

// withTLS puts the server into the sandbox.
func withTLS(t *testing.T, a app) func(*localagent.Options) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "tlsd")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./tlsd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	said, err := build.CombinedOutput()
	require.NoError(t, err, string(said))
	return func(o *localagent.Options) {
		prepare(a)(o)
		files := o.Prepare
		o.Prepare = func(sandbox string) error {
			content, err := os.ReadFile(program)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(sandbox, "tlsd"), content, 0o755); err != nil {
				return err
			}
			return files(sandbox)
		}
	}
}

func TestHealthChecksOfEveryType(t *testing.T) {
	for name, c := range map[string]struct {
		check mesos.HealthCheck
		fails string
	}{
		"COMMAND": {
			mesos.HealthCheck{Type: mesos.HealthCheck_COMMAND, Command: shell("test -e /www/up || { echo it is down >&2; exit 3; }")},
			"the command exits with code 3 (it is down)",
		},
		"HTTP": {
			mesos.HealthCheck{Type: mesos.HealthCheck_HTTP, HTTP: &mesos.HealthCheck_HTTPCheckInfo{Port: 8080, Path: new("/up")}},
			"http://127.0.0.1:8080/up answers with status 404",
		},
		"HTTPS": {
			mesos.HealthCheck{Type: mesos.HealthCheck_HTTP, HTTP: &mesos.HealthCheck_HTTPCheckInfo{Scheme: new("https"), Port: 8443, Path: new("/up")}},
			"https://127.0.0.1:8443/up answers with status 404",
		},
		"TCP": {
			mesos.HealthCheck{Type: mesos.HealthCheck_TCP, TCP: &mesos.HealthCheck_TCPCheckInfo{Port: 8081}},
			"127.0.0.1:8081 can't be connected to (connection refused)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := served()
			a.labels = map[string]string{"dce.health.service": "web"}
			more := func(*localagent.Options) {}
			if name == "HTTPS" {
				a = served(secure)
				more = withTLS(t, a)
			}
			i := inspect(t, a, at(c.check), more)
			i.running()
			passed := i.expect(mesos.TASK_RUNNING, healthReason)
			require.True(t, passed.GetHealthy())
			require.Contains(t, passed.GetMessage(), name+" health check passed")

			i.breakIt()
			failed := i.expect(mesos.TASK_RUNNING, healthReason)
			require.False(t, failed.GetHealthy())
			require.Contains(t, failed.GetMessage(), name+" health check failed (1 in a row, 2 end the pod): "+c.fails)
			require.False(t, i.expect(mesos.TASK_RUNNING, healthReason).GetHealthy())
			last := i.expect(mesos.TASK_KILLED, healthReason)
			require.NotNil(t, last.Healthy)
			require.False(t, last.GetHealthy())
			require.Contains(t, last.GetMessage(), "failed too often (2 in a row)")
			i.gone()
		})
	}
}

func TestHealthCheckThatNeverPasses(t *testing.T) {
	i := inspect(t, served(), at(mesos.HealthCheck{
		Type: mesos.HealthCheck_HTTP, HTTP: &mesos.HealthCheck_HTTPCheckInfo{Port: 9}, GracePeriodSeconds: new(5.0), ConsecutiveFailures: new(uint32(1)),
	}))
	i.running()
	i.Says("failed within its grace period of 5s, which does not count: .*connection refused")
	failed := i.expect(mesos.TASK_RUNNING, healthReason)
	require.Contains(t, failed.GetMessage(), "connection refused")
	i.expect(mesos.TASK_KILLED, healthReason)
	i.gone()
}

func TestHealthCheckThatTakesTooLong(t *testing.T) {
	for name, check := range map[string]mesos.HealthCheck{
		"COMMAND": {Type: mesos.HealthCheck_COMMAND, Command: shell("sleep 4321; true")},
		// It accepts, and says nothing.
		"HTTP": {Type: mesos.HealthCheck_HTTP, HTTP: &mesos.HealthCheck_HTTPCheckInfo{Port: 8080}},
	} {
		t.Run(name, func(t *testing.T) {
			check.TimeoutSeconds, check.GracePeriodSeconds, check.ConsecutiveFailures = new(1.0), new(0.0), new(uint32(2))
			i := inspect(t, app{labels: map[string]string{"dce.health.service": "web"}, files: map[string]string{"compose.yaml": service(
				`command: [nc, -ll, -p, "8080", -e, sleep, "1000"]`, "init: true", "stop_grace_period: 0s") + `
  listening:
    image: dce-test/busybox
    command: [sh, -c, "until busybox netstat -ltn | grep -q ':8080 '; do usleep 20000; done"]
  last:
    image: dce-test/busybox
    command: [sleep, "1000"]
    stop_grace_period: 0s
    depends_on: {listening: {condition: service_completed_successfully}}
`}}, at(check))
			i.running()
			failed := i.expect(mesos.TASK_RUNNING, healthReason)
			require.Contains(t, failed.GetMessage(), "it did not end within 1s")
			if name == "COMMAND" {
				top, err := world.docker.ContainerTop(context.Background(), i.containers()["web"].ID, nil)
				require.NoError(t, err)
				require.LessOrEqual(t, strings.Count(fmt.Sprint(top.Processes), " sleep 4321]"), 1, "what a command has started ends with it: %s", top.Processes)
			}
			// One that could not be ended would keep the next from being run.
			require.Contains(t, i.expect(mesos.TASK_RUNNING, healthReason).GetMessage(), "it did not end within 1s")
			i.expect(mesos.TASK_KILLED, healthReason)
			i.gone()
		})
	}
}

// TestHealthOfTheTaskAndOfTheFile has a service whose own healthcheck fails in the end, and is only to be reported.
func TestHealthOfTheTaskAndOfTheFile(t *testing.T) {
	a := app{
		labels: map[string]string{"dce.monitor.unhealthy": "report"},
		files: map[string]string{"www/up": "up", "compose.yaml": service(
			`command: [sleep, "1000"]`, `volumes: ["./www:/www"]`, "stop_grace_period: 0s",
			`healthcheck: {test: [CMD, test, -e, /www/up], interval: 500ms, retries: 1}`)},
	}
	i := inspect(t, a, at(mesos.HealthCheck{Type: mesos.HealthCheck_COMMAND, Command: shell("true")}))
	i.running()
	require.True(t, i.expect(mesos.TASK_RUNNING, healthReason).GetHealthy())
	i.breakIt()
	failed := i.expect(mesos.TASK_RUNNING, healthReason)
	require.False(t, failed.GetHealthy())
	require.Contains(t, failed.GetMessage(), "ervice web is unhealthy")
	i.kill()
}

// TestHealthCheckUnder24MB has the checks' processes in the pod's limit too, beside the executor.
func TestHealthCheckUnder24MB(t *testing.T) {
	a := served()
	n := newNode(t, prepare(a))
	n.limit("memory", "memory.limit_in_bytes", "25165824")
	info := n.task(a)
	at(mesos.HealthCheck{Type: mesos.HealthCheck_HTTP, HTTP: &mesos.HealthCheck_HTTPCheckInfo{Port: 8080, Path: new("/up")}, GracePeriodSeconds: new(5.0)})(&info)
	i := &inspected{n.begin(info), n.Updates(t.Context())}
	i.running()
	require.True(t, i.expect(mesos.TASK_RUNNING, healthReason).GetHealthy())
	require.Eventually(t, func() bool {
		return strings.Count(i.Stderr.String(), "HTTP health check passed") >= 20
	}, patience, pollEvery, "twenty checks")
	failed, err := n.Cgroups.Read("memory", "/"+n.Root, "memory.failcnt")
	require.NoError(t, err)
	require.Equal(t, "0", strings.TrimSpace(failed), "the limit was never met")
	i.kill()
}

func TestHealthCheckInTheHostsNetwork(t *testing.T) {
	port := harness.FreePort(t)
	a := app{files: map[string]string{"www/up": "up", "compose.yaml": service(
		fmt.Sprintf(`command: [httpd, -f, -p, "127.0.0.1:%d", -h, /www]`, port), "network_mode: host", `volumes: ["./www:/www"]`, "stop_grace_period: 0s")}}
	i := inspect(t, a, at(mesos.HealthCheck{Type: mesos.HealthCheck_HTTP, HTTP: &mesos.HealthCheck_HTTPCheckInfo{Port: uint32(port), Path: new("/up")}}))
	i.running()
	require.True(t, i.expect(mesos.TASK_RUNNING, healthReason).GetHealthy())
	i.kill()
}

func TestChecksOfEveryType(t *testing.T) {
	for name, c := range map[string]struct {
		check   mesos.CheckInfo
		without mesos.CheckStatusInfo
		first   mesos.CheckStatusInfo
		second  mesos.CheckStatusInfo
	}{
		"COMMAND": {
			mesos.CheckInfo{Type: mesos.CheckInfo_COMMAND, Command: &mesos.CheckInfo_Command{Command: mesos.CommandInfo{
				Shell: new(false), Value: new("test"), Arguments: []string{"-e", "/www/up"},
			}}},
			mesos.CheckStatusInfo{Command: &mesos.CheckStatusInfo_Command{}},
			mesos.CheckStatusInfo{Command: &mesos.CheckStatusInfo_Command{ExitCode: new(int32(0))}},
			mesos.CheckStatusInfo{Command: &mesos.CheckStatusInfo_Command{ExitCode: new(int32(1))}},
		},
		"HTTP": {
			mesos.CheckInfo{Type: mesos.CheckInfo_HTTP, HTTP: &mesos.CheckInfo_Http{Port: 8080, Path: new("/up")}},
			mesos.CheckStatusInfo{HTTP: &mesos.CheckStatusInfo_Http{}},
			mesos.CheckStatusInfo{HTTP: &mesos.CheckStatusInfo_Http{StatusCode: new(uint32(200))}},
			mesos.CheckStatusInfo{HTTP: &mesos.CheckStatusInfo_Http{StatusCode: new(uint32(404))}},
		},
		"TCP": {
			mesos.CheckInfo{Type: mesos.CheckInfo_TCP, TCP: &mesos.CheckInfo_Tcp{Port: 8081}},
			mesos.CheckStatusInfo{TCP: &mesos.CheckStatusInfo_Tcp{}},
			mesos.CheckStatusInfo{TCP: &mesos.CheckStatusInfo_Tcp{Succeeded: new(true)}},
			mesos.CheckStatusInfo{TCP: &mesos.CheckStatusInfo_Tcp{Succeeded: new(false)}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, s := range []*mesos.CheckStatusInfo{&c.without, &c.first, &c.second} {
				s.Type = &c.check.Type
			}
			c.check.DelaySeconds, c.check.IntervalSeconds = new(0.0), new(0.2)
			a := served(listening)
			a.labels = map[string]string{"dce.health.service": "web"}
			i := inspect(t, a, func(info *mesos.TaskInfo) { info.Check = &c.check })
			require.Equal(t, &c.without, i.expect(mesos.TASK_STARTING, 0).CheckStatus)
			require.Equal(t, &c.without, i.expect(mesos.TASK_RUNNING, 0).CheckStatus)
			require.Equal(t, &c.first, i.expect(mesos.TASK_RUNNING, mesos.REASON_TASK_CHECK_STATUS_UPDATED).CheckStatus)
			i.breakIt()
			second := i.expect(mesos.TASK_RUNNING, mesos.REASON_TASK_CHECK_STATUS_UPDATED)
			require.Equal(t, &c.second, second.CheckStatus)
			require.Nil(t, second.Healthy, "a check says nothing about health")
			require.NoError(t, i.Kill(i.id, nil))
			require.Equal(t, &c.second, i.await(mesos.TASK_KILLED).CheckStatus)
			i.gone()
		})
	}
}

func TestChecksThatCantBeMadeAreRefused(t *testing.T) {
	command := at(mesos.HealthCheck{Type: mesos.HealthCheck_COMMAND, Command: shell("true")})
	tcp := at(mesos.HealthCheck{Type: mesos.HealthCheck_TCP, TCP: &mesos.HealthCheck_TCPCheckInfo{Port: 80}})
	two := "services:\n  a: {image: dce-test/busybox}\n  b: {image: dce-test/busybox}\n"
	for want, c := range map[string]struct {
		file   string
		labels map[string]string
		change func(*mesos.TaskInfo)
	}{
		"a, b could be meant; name it by the label dce.health.service":    {two, nil, command},
		`dce.health.service names the service "c"`:                        {two, map[string]string{"dce.health.service": "c"}, command},
		"use a check of type COMMAND, or network.mode pod":                {two, map[string]string{"dce.network.mode": "none"}, tcp},
		"the task's health_check is of type HTTP without what that needs": {two, nil, at(mesos.HealthCheck{Type: mesos.HealthCheck_HTTP})},
	} {
		t.Run(want, func(t *testing.T) {
			i := inspect(t, app{name: "refused", labels: c.labels, files: map[string]string{"compose.yaml": c.file}}, c.change)
			status := i.await(mesos.TASK_FAILED)
			require.Contains(t, strings.ToLower(status.GetMessage()), strings.ToLower(want))
			require.Equal(t, mesos.REASON_TASK_INVALID, status.GetReason())
			i.gone()
		})
	}
}

func TestMaxCompletionTime(t *testing.T) {
	i := inspect(t, app{files: map[string]string{"compose.yaml": service(
		`command: [sh, -c, "trap '' TERM; while :; do sleep 1; done"]`, "stop_grace_period: 1h")}},
		func(info *mesos.TaskInfo) {
			info.MaxCompletionTime = &mesos.DurationInfo{Nanoseconds: int64(3 * time.Second)}
		})
	last := i.await(mesos.TASK_FAILED) // without the hour of grace, also where the machine is so slow that it does not run by then
	require.Equal(t, mesos.REASON_MAX_COMPLETION_TIME_REACHED.String(), last.GetReason().String())
	require.Contains(t, last.GetMessage(), "has not ended within 3s")
	i.gone()
}
