package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/aurora/auroratest"
	"github.com/dce-go/dce/tests/harness"
)

// TestTheKindOfAPod is what the end of the only service with code 0 means, by who says so.
func TestTheKindOfAPod(t *testing.T) {
	assigned := func(isService bool) func(*mesos.TaskInfo) {
		return func(info *mesos.TaskInfo) {
			info.Data = auroratest.Task{ID: info.TaskID.Value, Service: isService, Executor: "{}"}.Encode()
		}
	}
	for _, c := range []struct {
		name    string
		app     app
		change  func(*mesos.TaskInfo)
		want    mesos.TaskState
		because string
	}{
		{"the default", app{}, nil, mesos.TASK_FAILED, "that is the default"},
		{"Aurora's service", app{}, assigned(true), mesos.TASK_FAILED, "its job in Aurora is a service"},
		{"Aurora's job", app{}, assigned(false), mesos.TASK_FINISHED, "its job in Aurora is no service"},
		{"a label over Aurora", app{labels: map[string]string{"dce.pod.kind": "service"}}, assigned(false), mesos.TASK_FAILED, "pod.kind is set (label dce.pod.kind)"},
		{"Aurora over Marathon", app{env: map[string]string{"MARATHON_APP_ID": "/shop"}}, assigned(false), mesos.TASK_FINISHED, "its job in Aurora is no service"},
		{"Marathon", app{env: map[string]string{"MARATHON_APP_ID": "/shop"}}, nil, mesos.TASK_FAILED, "it is an app of Marathon"},
		{"the executor's environment over Marathon", app{env: map[string]string{"MARATHON_APP_ID": "/shop", "DCE_POD_KIND": "job"}}, nil,
			mesos.TASK_FINISHED, "pod.kind is set (DCE_POD_KIND)"},
		{"another task of Aurora's", app{}, func(info *mesos.TaskInfo) { info.Data = auroratest.Task{ID: "another"}.Encode() },
			mesos.TASK_FAILED, "that is the default"},
		{"data that is not Thrift", app{}, func(info *mesos.TaskInfo) { info.Data = []byte("\x0b\x00\x01\x7f\xff\xff\xff hello") },
			mesos.TASK_FAILED, "that is the default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.app.files = map[string]string{"compose.yaml": service("command: ['true']")}
			change := c.change
			if change == nil {
				change = func(*mesos.TaskInfo) {}
			}
			l := launchAs(t, c.app, change)
			l.await(c.want)
			l.gone()
			require.Equal(t, c.because, parse[told](t, l.file("pod.json")).Because)
		})
	}
}

func TestAurorasPortsBearNames(t *testing.T) {
	admin, http := harness.FreePort(t), harness.FreePort(t)
	a := app{ports: []uint64{http, admin}, files: map[string]string{"compose.yaml": service(
		"command: [sleep, '1000']", "init: true",
		`ports: [{name: admin, target: 81}, {name: http, target: 80}]`)}}
	l := launchAs(t, a, func(info *mesos.TaskInfo) {
		info.Data = auroratest.Task{ID: info.TaskID.Value, Service: true, Ports: map[string]int32{"http": int32(http), "admin": int32(admin)}}.Encode()
	})
	l.await(mesos.TASK_RUNNING)
	published := map[uint16]uint64{}
	for _, p := range l.containers()["infra"].Ports {
		published[p.PrivatePort] = uint64(p.PublicPort)
	}
	require.Equal(t, map[uint16]uint64{80: http, 81: admin}, published)
	l.kill()
}

func TestSidecarsEndWithThePod(t *testing.T) {
	l := launch(t, app{labels: map[string]string{"dce.pod.kind": "job"}, files: map[string]string{"compose.yaml": `
services:
  work: {image: dce-test/busybox, command: [sh, -c, "` + awaits("done") + `"], labels: {io.dce.essential: "true"}, ` + flags + `}
  log: {image: dce-test/busybox, command: [sleep, "1000"], stop_grace_period: 0s}
  brittle: {image: dce-test/busybox, command: [sh, -c, "` + awaits("break") + `; exit 9"], ` + flags + `}
`}})
	l.await(mesos.TASK_RUNNING)
	l.flag("break")
	l.told(func(p told) bool {
		return slices.ContainsFunc(p.Services, func(s toldService) bool { return s.Service == "brittle" && s.State == "exited" })
	})
	l.flag("done")
	status := l.await(mesos.TASK_FINISHED)
	l.gone()
	require.Equal(t, "exited 9", labelsOf(status)["io.dce.service.brittle.state"])
	require.Equal(t, []string{"STARTING", "RUNNING", "FINISHED"}, l.states())
}

// runs counts the runs of the service web by its output.
func (l *launched) runs() int { return strings.Count(l.file("logs/web.log"), "run\n") }

func TestOnFailureGivesUpInTheEnd(t *testing.T) {
	l := launch(t, app{files: map[string]string{"compose.yaml": service(
		"command: [sh, -c, 'echo run; exit 4']", "restart: on-failure:2")}})
	status := l.await(mesos.TASK_FAILED)
	require.Contains(t, status.GetMessage(), "Service web exited with code 4 after 2 restarts.")
	l.gone()
	require.Equal(t, 3, l.runs(), "the first run and two more")
	whole := parse[told](t, l.file("pod.json"))
	require.Equal(t, 2, whole.Services[0].Restarts)
}

func TestAlwaysRestartsAfterSuccess(t *testing.T) {
	l := launch(t, app{files: map[string]string{"compose.yaml": service(
		"command: [sh, -c, 'echo run; [ -e /again ] && exec sleep 1000; touch /again']", "restart: always", "init: true")}})
	l.await(mesos.TASK_RUNNING)
	first := l.containers()["web"]
	l.told(func(p told) bool {
		return len(p.Services) == 1 && p.Services[0].Restarts == 1 && p.Services[0].State == "running"
	})
	require.Equal(t, first.ID, l.containers()["web"].ID, "the same container, with what it has written")
	l.writes("web", "run\nrun\n")
	l.kill()
	require.Equal(t, "KILLED", l.states()[len(l.states())-1])
	require.Equal(t, 2, l.runs())
}

// TestJobsAreBroughtBackUntilTheySucceed has also an init container that fails at first.
func TestJobsAreBroughtBackUntilTheySucceed(t *testing.T) {
	l := launch(t, app{labels: map[string]string{"dce.pod.kind": "job"}, files: map[string]string{"compose.yaml": `
services:
  web:
    image: dce-test/busybox
    restart: on-failure
    depends_on: {prepare: {condition: service_completed_successfully}}
    command: [sh, -c, "echo run; echo x >> /runs; [ $$(wc -l < /runs) = 3 ]"]
  prepare:
    image: dce-test/busybox
    deploy: {restart_policy: {condition: on-failure, delay: 100ms, max_attempts: 5, window: 1m}}
    command: [sh, -c, "[ -e /again ] || { touch /again; exit 1; }"]
`}})
	l.await(mesos.TASK_FINISHED)
	l.gone()
	require.Equal(t, 3, l.runs())
	whole := parse[told](t, l.file("pod.json"))
	require.Equal(t, 1, whole.Services[0].Restarts)
	require.Equal(t, 2, whole.Services[1].Restarts)
}

func TestKillDuringBackoff(t *testing.T) {
	l := launch(t, app{files: map[string]string{"compose.yaml": service(
		"command: [sh, -c, 'echo run; sleep 1; exit 1']", "deploy: {restart_policy: {condition: any, delay: 1h}}")}})
	l.await(mesos.TASK_RUNNING)
	l.told(func(p told) bool { return len(p.Services) == 1 && p.Services[0].State == "restarting" })
	l.kill() // which waits for far less than the hour
	require.Equal(t, 1, l.runs())
}

func TestRestartPoliciesCanBeIgnored(t *testing.T) {
	for _, policy := range []string{"always", "on-failure:3"} {
		t.Run(policy, func(t *testing.T) {
			l := launch(t, app{labels: map[string]string{"dce.restart.policy": "ignore"}, files: map[string]string{"compose.yaml": service(
				"command: [sh, -c, 'echo run; "+awaits("end")+"; exit 6']", flags, fmt.Sprintf("restart: %s", policy))}})
			l.await(mesos.TASK_RUNNING)
			l.flag("end")
			status := l.await(mesos.TASK_FAILED)
			require.Contains(t, status.GetMessage(), "Service web exited with code 6.")
			l.gone()
			require.Equal(t, 1, l.runs())
		})
	}
}

// TestARestartedServiceIsUnhealthyUntilItIsHealthyAgain has Mesos see what happens to a service with a healthcheck.
func TestARestartedServiceIsUnhealthyUntilItIsHealthyAgain(t *testing.T) {
	l := launch(t, app{files: map[string]string{"compose.yaml": service(
		`command: [sh, -c, "echo run; touch /up; [ -e /again ] && exec sleep 1000; touch /again; `+awaits("end")+`; rm /up; exit 1"]`, "init: true",
		flags, "restart: on-failure", "healthcheck: {test: [CMD, test, -e, /up], interval: 300ms, retries: 1000}")}})
	running := l.await(mesos.TASK_RUNNING)
	require.True(t, running.GetHealthy())
	l.flag("end")
	var seen []string
	updates := l.Updates(t.Context())
	for len(seen) < 3 {
		select {
		case u := <-updates:
			if u.Status.GetState() == mesos.TASK_RUNNING {
				seen = append(seen, fmt.Sprint(u.Status.GetHealthy()))
			}
		case <-time.After(patience):
			t.Fatalf("saw %v", seen)
		}
	}
	require.Equal(t, []string{"true", "false", "true"}, seen)
	l.kill()
	require.Equal(t, 2, l.runs())
}
