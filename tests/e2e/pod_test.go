package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/tests/harness"
)

const threeServices = `
services:
  web:
    image: dce-test/busybox
    command: [httpd, -f, -p, "8080", -h, /www]
    ports: ["80:8080"]
    volumes: ["./www:/www"]
    depends_on:
      store: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
  store:
    image: dce-test/busybox
    command: [sh, -c, "trap 'exit 0' TERM; touch /tmp/up; echo store is up; while :; do sleep 1; done"]
    healthcheck: {test: [CMD, test, -e, /tmp/up], interval: 1s, retries: 10}
    volumes: ["data:/data"]
  migrate:
    image: dce-test/busybox
    command: [sh, -c, "echo migrated >&2"]
volumes:
  data:
`

func TestPodFromLaunchToKill(t *testing.T) {
	port := harness.FreePort(t)
	l := launch(t, app{
		files: map[string]string{"docker-compose.yml": threeServices, "www/index.html": "hello from the sandbox"},
		ports: []uint64{port},
	})
	running := l.await(mesos.TASK_RUNNING)
	require.True(t, running.GetHealthy())
	require.NotZero(t, running.GetContainerStatus().GetExecutorPID())
	require.Equal(t, l.run.ID, running.GetContainerStatus().GetContainerID().GetValue(), "the agent's own, which it could merge")

	pod := l.containers()
	require.Len(t, pod, 4, "three services and infra")
	require.Equal(t, "exited", string(pod["migrate"].State))
	id := pod["web"].Labels[labels.Pod]
	for service, c := range pod {
		name := "/" + id + "-" + service
		if service != "infra" {
			name += "-1"
		}
		require.Equal(t, name, c.Names[0])
		whole, err := world.docker.ContainerInspect(context.Background(), c.ID)
		require.NoError(t, err)
		require.Equal(t, l.run.Cgroup, whole.HostConfig.CgroupParent)
		require.True(t, whole.HostConfig.RestartPolicy.IsNone())
		if service != "migrate" {
			require.DirExists(t, filepath.Join("/sys/fs/cgroup/memory", l.run.Cgroup, c.ID))
		}
	}
	found, err := world.docker.ContainerList(context.Background(), container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", "io.dce.task="+l.id)),
	})
	require.NoError(t, err)
	require.Len(t, found, 4, "docker ps --filter label=io.dce.task=… shows the pod")

	require.Equal(t, "hello from the sandbox", l.page(port))

	status := l.kill()
	require.Equal(t, []string{"STARTING", "RUNNING", "KILLED"}, l.states())
	require.NotEmpty(t, status.GetMessage())
	require.Contains(t, l.file("logs/store.log"), "store is up\n")
	require.Contains(t, l.file("logs/migrate.log"), "migrated\n")
	require.Regexp(t, `(?m)^store +\| store is up$`, l.Stdout.String())
	require.NotContains(t, l.Stdout.String(), "level=", "the executor's own log goes to stderr")
}

func TestServicesFindEachOtherByName(t *testing.T) {
	l := launch(t, app{labels: map[string]string{"dce.pod.kind": "job"}, files: map[string]string{"compose.yaml": `
services:
  server:
    image: dce-test/busybox
    command: [httpd, -f, -p, "8080", -h, /etc]
    networks: {default: {aliases: [alias]}}
    labels: {io.dce.role.note: sidecar}
  client:
    image: dce-test/busybox
    labels: {io.dce.essential: "true"}
    depends_on: [server]
    command: [sh, -c, "for n in server alias client; do wget -qO- http://$$n:8080/passwd || exit 7; done"]
`}})
	l.await(mesos.TASK_FINISHED)
	l.gone()
	require.Equal(t, []string{"STARTING", "RUNNING", "FINISHED"}, l.states())
}

func TestSeveralFilesProfilesEnvAndExtends(t *testing.T) {
	l := launch(t, app{
		labels: map[string]string{"fileName": "base.yml,over.yml", "dce.pod.kind": "job", "dce.compose.profiles": "extra"},
		env:    map[string]string{"FROM_EXECUTOR": "executor"},
		files: map[string]string{
			".env":       "FROM_DOTENV=dotenv\nFROM_EXECUTOR=overridden\n",
			"more.env":   "FROM_FILE=file\n",
			"common.yml": "services:\n  common:\n    image: dce-test/busybox\n    environment: {EXTENDED: extended}\n",
			"base.yml": `
services:
  show:
    extends: {file: common.yml, service: common}
    env_file: [more.env]
    environment: {A: "${FROM_DOTENV}", B: "${FROM_EXECUTOR}", C: "${MISSING:-default}"}
    command: [sh, -c, "echo base"]
  extra:
    profiles: [extra]
    image: dce-test/busybox
    command: [echo, extra ran]
  never:
    profiles: [other]
    image: does-not-exist
`,
			"over.yml": `
services:
  show:
    command: [sh, -c, "echo $$A $$B $$C $$FROM_FILE $$EXTENDED"]
`,
		},
	})
	l.await(mesos.TASK_FINISHED)
	l.gone()
	require.Equal(t, "dotenv executor default file extended\n", l.file("logs/show.log"))
	require.Equal(t, "extra ran\n", l.file("logs/extra.log"))
	require.NoFileExists(t, filepath.Join(l.run.Sandbox, "logs/never.log"))
}

func TestVolumesOfTheUserStay(t *testing.T) {
	ctx := context.Background()
	for _, name := range []string{"e2e-external", "e2e-named"} {
		t.Cleanup(func() { require.NoError(t, world.docker.VolumeRemove(ctx, name, false)) })
	}
	for _, name := range []string{"e2e-external", "e2e-named"} { // both are there before and after, for the full listing
		_, err := world.docker.VolumeCreate(ctx, volume.CreateOptions{Name: name})
		require.NoError(t, err)
	}
	l := launch(t, app{labels: map[string]string{"dce.pod.kind": "job"}, files: map[string]string{"compose.yaml": `
services:
  web:
    image: dce-test/busybox
    command: [sh, -c, "for d in external named scoped anonymous; do echo $$d > /$$d/file; done"]
    volumes: ["external:/external", "named:/named", "scoped:/scoped", "/anonymous"]
volumes:
  external: {external: true, name: e2e-external}
  named: {name: e2e-named}
  scoped:
`}})
	l.await(mesos.TASK_FINISHED)
	l.gone()
	for _, name := range []string{"external", "named"} {
		v, err := world.docker.VolumeInspect(ctx, "e2e-"+name)
		require.NoError(t, err)
		content, err := os.ReadFile(filepath.Join(v.Mountpoint, "file"))
		require.NoError(t, err)
		require.Equal(t, name+"\n", string(content))
	}
}

func TestContainerKilledFromOutside(t *testing.T) {
	l := launch(t, app{files: map[string]string{"compose.yaml": service("command: [sleep, '1000']", "stop_grace_period: 0s")}})
	l.await(mesos.TASK_RUNNING)
	require.NoError(t, world.docker.ContainerKill(context.Background(), l.containers()["web"].ID, "KILL"))
	status := l.await(mesos.TASK_FAILED)
	require.Contains(t, status.GetMessage(), "ervice web exited with code 137 (SIGKILL)")
	require.Equal(t, mesos.REASON_COMMAND_EXECUTOR_FAILED, status.GetReason())
	l.gone()
}

func TestKillOfAContainerThatIgnoresSIGTERM(t *testing.T) {
	l := launch(t, app{files: map[string]string{"compose.yaml": service(
		`command: [sh, -c, "trap '' TERM; while :; do sleep 1; done"]`, "stop_grace_period: 500ms")}})
	l.await(mesos.TASK_RUNNING)
	status := l.kill()
	require.Contains(t, status.GetMessage(), "Killed after the grace period: web")
}

func TestStopSignalIsTheServicesOwn(t *testing.T) {
	l := launch(t, app{files: map[string]string{"compose.yaml": service(
		`command: [sh, -c, "trap 'echo got USR1; exit 0' USR1; while :; do sleep 0.1; done"]`, "stop_signal: SIGUSR1")}})
	l.await(mesos.TASK_RUNNING)
	l.kill()
	require.Equal(t, "got USR1\n", l.file("logs/web.log"))
}

func TestJobFailsAtTheFirstThatDid(t *testing.T) {
	l := launch(t, app{labels: map[string]string{"dce.pod.kind": "job"}, files: map[string]string{"compose.yaml": `
services:
  good: {image: dce-test/busybox, command: [sleep, "1000"], stop_grace_period: 0s}
  bad: {image: dce-test/busybox, command: [sh, -c, "echo the reason; ` + awaits("end") + `; exit 3"], ` + flags + `}
`}})
	l.writes("bad", "the reason\n")
	l.flag("end")
	status := l.await(mesos.TASK_FAILED)
	require.Contains(t, status.GetMessage(), "ervice bad exited with code 3")
	require.Contains(t, status.GetMessage(), "the reason")
	l.gone()
}

func TestUnhealthyPodFails(t *testing.T) {
	l := launch(t, app{files: map[string]string{"compose.yaml": service(
		`command: [sleep, "1000"]`, "stop_grace_period: 0s", flags,
		`healthcheck: {test: [CMD, test, "!", -e, /flags/ill], interval: 500ms, retries: 1}`)}})
	l.await(mesos.TASK_RUNNING)
	l.flag("ill")
	status := l.await(mesos.TASK_FAILED)
	require.Equal(t, mesos.REASON_TASK_HEALTH_CHECK_STATUS_UPDATED, status.GetReason())
	require.Contains(t, status.GetMessage(), "ervice web is unhealthy")
	l.gone()
}

func TestShutdownStopsThePod(t *testing.T) {
	l := launch(t, app{files: map[string]string{"compose.yaml": service("command: [sleep, '1000']", "init: true")}})
	l.await(mesos.TASK_RUNNING)
	require.NoError(t, l.Shutdown(l.node.executor(app{}).ExecutorID.Value))
	l.await(mesos.TASK_KILLED)
	l.gone()
}

func TestComposeVisible(t *testing.T) {
	for _, visible := range []bool{true, false} {
		t.Run(fmt.Sprint(visible), func(t *testing.T) {
			l := launch(t, app{
				labels: map[string]string{"dce.compose.visible": fmt.Sprint(visible)},
				files:  map[string]string{"compose.yaml": service("command: [sleep, '1000']", "init: true")},
			})
			l.await(mesos.TASK_RUNNING)
			web := l.containers()["web"]
			require.Equal(t, web.Labels[labels.Pod], web.Labels[labels.ComposeProject])
			require.Equal(t, visible, web.Labels[labels.ComposeConfigHash] != "")
			l.kill()
		})
	}
}

// TestTheLimitBindsTheSum shows that containers without a limit of their own are bound by the task's.
func TestTheLimitBindsTheSum(t *testing.T) {
	l := launch(t, app{mem: 64, files: map[string]string{"compose.yaml": `
services:
  one: &greedy
    image: dce-test/busybox
    command: [sh, -c, "` + awaits("eat") + `; head -c 40m /dev/zero | tail -c 40m | sleep 1000"]
    ` + flags + `
    stop_grace_period: 0s
  two: *greedy
`}})
	limit, err := os.ReadFile(filepath.Join("/sys/fs/cgroup/memory", l.run.Cgroup, "memory.limit_in_bytes"))
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(64<<20), strings.TrimSpace(string(limit)))
	l.swept = true // the agent hears of the OOM too, and destroys the executor
	l.flag("eat")
	oom := func() bool {
		b, err := os.ReadFile(filepath.Join("/sys/fs/cgroup/memory", l.run.Cgroup, "memory.failcnt"))
		return err != nil || strings.TrimSpace(string(b)) != "0" // the cgroup is gone once the agent has destroyed the container
	}
	require.Eventually(t, oom, patience, 20*time.Millisecond, "neither container has a limit, but their sum must hit the task's")
	l.await(mesos.TASK_FAILED)
}
