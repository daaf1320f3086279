package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/tests/box"
)

// TestBadInput is what bad input gets: TASK_FAILED with the fitting reason and one sentence that names the service, the key or
// file, and the way out; and nothing is left behind.
func TestBadInput(t *testing.T) {
	taken, err := net.Listen("tcp", "0.0.0.0:0")
	require.NoError(t, err)
	defer taken.Close()
	port := uint64(taken.Addr().(*net.TCPAddr).Port)

	for _, c := range []struct {
		name   string
		app    app
		reason mesos.TaskStatus_Reason
		says   []string // all of it in the message
	}{
		{"no file at all", app{}, mesos.REASON_TASK_INVALID, []string{"compose"}},
		{"missing file", app{labels: map[string]string{"fileName": "absent.yml"}},
			mesos.REASON_TASK_INVALID, []string{"absent.yml"}},
		{"YAML that does not parse", one("services:\n  web: {image: x\n"),
			mesos.REASON_TASK_INVALID, []string{"compose.yaml", "line"}},
		{"unknown key", one(service("comand: [true]")),
			mesos.REASON_TASK_INVALID, []string{"compose.yaml", "web", "comand", "command"}},
		{"unknown setting", app{labels: map[string]string{"dce.pod.kid": "job"}, files: one("").files},
			mesos.REASON_TASK_INVALID, []string{"dce.pod.kid", "pod.kind"}},
		{"undefined image", one("services:\n  web: {image: 'localhost:1/no/such:image'}\n"),
			mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"web", "localhost:1/no/such:image"}},
		{"image that is never pulled", one("services:\n  web: {image: dce-test/absent, pull_policy: never}\n"),
			mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"web", "dce-test/absent"}},
		{"image name that is none", one("services:\n  web: {image: no image}\n"),
			mesos.REASON_TASK_INVALID, []string{"web", "key image", "no image"}},
		{"external network that is not there", one(service("networks: [n]") + "networks: {n: {external: true, name: no-such-network}}\n"),
			mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"no-such-network", "docker network create"}},
		{"external volume that is not there", one(service("volumes: ['vol:/v']") + "volumes: {vol: {external: true, name: no-such-volume}}\n"),
			mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"web", "no-such-volume", "docker volume create"}},
		{"port that is taken", app{ports: []uint64{port}, files: one(service(`ports: ["80:80"]`, "command: [sleep, '1000']")).files},
			mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"web", fmt.Sprint(port), "taken"}},
		{"more ports than offered", app{ports: []uint64{port}, files: one(service(`ports: ["80:80", "81:81"]`)).files},
			mesos.REASON_TASK_INVALID, []string{"web", "81", "offer"}},
		{"ports, and none offered", one(service(`ports: ["80:80"]`)),
			mesos.REASON_TASK_INVALID, []string{"web", "80", "ports.allow_static"}},
		{"service that exits at once", one(service("command: [sh, -c, 'echo because; exit 3']")),
			mesos.REASON_COMMAND_EXECUTOR_FAILED, []string{"web", "code 3"}},
		{"command that does not exist", one(service("command: [no-such-command]")),
			mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"web", "no-such-command"}},
		{"healthcheck that never passes", one(service("command: [sleep, '1000']", "stop_grace_period: 0s",
			"healthcheck: {test: [CMD, 'false'], interval: 100ms, retries: 2}")),
			mesos.REASON_TASK_HEALTH_CHECK_STATUS_UPDATED, []string{"web", "healthcheck"}},
		{"launch timeout", app{labels: map[string]string{"dce.launch.timeout": "5s"}, files: one(service("command: [sleep, '1000']",
			"stop_grace_period: 0s", "healthcheck: {test: [CMD, 'false'], interval: 100s}")).files},
			mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"web", "launch.timeout"}},
		{"dependency cycle", one(`
services:
  a: {image: dce-test/busybox, depends_on: [b]}
  b: {image: dce-test/busybox, depends_on: [a]}
`), mesos.REASON_TASK_INVALID, []string{"a", "b", "cycle"}},
		{"unknown dependency", one(service("depends_on: [nobody]")), mesos.REASON_TASK_INVALID, []string{"web", "nobody"}},
		{"two services on one port", one(`
services:
  a: {image: dce-test/busybox, expose: ["8080"]}
  b: {image: dce-test/busybox, expose: ["8080"]}
`), mesos.REASON_TASK_INVALID, []string{"a", "b", "8080"}},
		{"cgroup that can't be joined", app{env: map[string]string{"DCE_CGROUP_PARENT": "/no/such/cgroup"}, files: one(service()).files},
			mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"/no/such/cgroup"}},
		{"engine that is down", app{env: map[string]string{"DOCKER_HOST": "unix:///no/such/docker.sock", "DCE_ENGINE_LOST_TIMEOUT": "2s"}, files: one(service()).files},
			mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"/no/such/docker.sock", "tried for 2s", "engine.lost_timeout"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.app.name = "bad"
			l := launch(t, c.app)
			status := l.await(mesos.TASK_FAILED)
			t.Log(status.GetMessage())
			reason := status.GetReason()
			if c.reason == mesos.REASON_COMMAND_EXECUTOR_FAILED && reason == mesos.REASON_CONTAINER_LAUNCH_FAILED {
				reason = c.reason // it may end before the pod was up, or just after
			}
			require.Equal(t, c.reason.String(), reason.String())
			for _, s := range c.says {
				require.Contains(t, status.GetMessage(), s)
			}
			require.NotContains(t, status.GetMessage(), "\n")
			l.gone()
		})
	}
}

func one(yaml string) app { return app{files: map[string]string{"compose.yaml": yaml}} }

// TestSystemdDriverWithoutSystemd: dockerd with the systemd driver takes slices only, which nobody makes where no systemd can be
// reached; it says so late and dimly, the executor before anything is created.
func TestSystemdDriverWithoutSystemd(t *testing.T) {
	systemd := box.ForTest(t, box.Options{Systemd: true})
	a := one(service("command: [sleep, '1000']"))
	a.env = map[string]string{"DOCKER_HOST": systemd.Host(), "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=" + filepath.Join(t.TempDir(), "none")}
	l := launch(t, a)
	status := l.await(mesos.TASK_FAILED)
	require.Equal(t, mesos.REASON_CONTAINER_LAUNCH_FAILED.String(), status.GetReason().String())
	for _, s := range []string{"did not make the slice dce-", ".slice", "mount /run/dbus/system_bus_socket", "native.cgroupdriver=cgroupfs"} {
		require.Contains(t, status.GetMessage(), s)
	}
	l.gone()
	left, err := systemd.Left(context.Background())
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestLogsCanNotBeWritten: a log that can not be kept is no reason to lose the pod.
func TestLogsCanNotBeWritten(t *testing.T) {
	a := one(service("command: [sh, -c, 'echo heard; sleep 1000']", "init: true"))
	l := launch(t, a, func(o *localagent.Options) {
		files := o.Prepare
		o.Prepare = func(sandbox string) error { // a file where the directory should be
			if err := files(sandbox); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(sandbox, "logs"), nil, 0o644)
		}
	})
	l.await(mesos.TASK_RUNNING)
	l.Prints("heard") // stdout still gets the output
	l.kill()
}
