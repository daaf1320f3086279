package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
)

// told is pod.json, and the data of updates.
type told struct {
	Pod     string `json:"pod"`
	Task    string `json:"task"`
	Kind    string `json:"kind"`
	QoS     string `json:"qos"`
	Because string `json:"kind_because"`
	Phase   string `json:"phase"`
	Healthy *bool  `json:"healthy"`
	Status  struct {
		State, Reason, Message, Service string
	} `json:"status"`
	Services []toldService `json:"services"`
}

type toldService struct {
	Service   string `json:"service"`
	Container string `json:"container"`
	State     string `json:"state"`
	Health    string `json:"health"`
	ExitCode  *int   `json:"exit_code"`
	Restarts  int    `json:"restarts"`
	Essential bool   `json:"essential"`
	Init      bool   `json:"init"`
	Image     string `json:"image"`
	ImageID   string `json:"image_id"`
}

func parse[T any](t *testing.T, text string) T {
	t.Helper()
	var out T
	require.NoError(t, json.Unmarshal([]byte(text), &out), text)
	return out
}

func labelsOf(s mesos.TaskStatus) map[string]string {
	out := map[string]string{}
	for _, l := range s.GetLabels().GetLabels() {
		out[l.Key] = l.GetValue()
	}
	return out
}

// TestWhatMesosAndPeopleAreToldOfARunningPod looks at the update, its data and labels, pod.json and timeline.json.
func TestWhatMesosAndPeopleAreToldOfARunningPod(t *testing.T) {
	l := launch(t, app{files: map[string]string{"docker-compose.yml": strings.Replace(threeServices, `    ports: ["80:8080"]`+"\n", "", 1), "www/x": ""}})
	running := l.await(mesos.TASK_RUNNING)
	require.NotZero(t, running.GetContainerStatus().GetExecutorPID())
	require.Empty(t, running.GetReason())

	data := parse[told](t, string(running.Data))
	require.Equal(t, "service", data.Kind)
	require.Equal(t, "running", data.Phase)
	require.True(t, *data.Healthy)
	require.Len(t, data.Services, 3)
	require.Empty(t, data.Task, "the update has it")
	all := labelsOf(running)
	require.Equal(t, data.Pod, all["io.dce.pod"])
	require.Equal(t, "service", all["io.dce.kind"])
	require.Equal(t, "exited 0", all["io.dce.service.migrate.state"])
	require.Equal(t, "running healthy", all["io.dce.service.store.state"])
	require.Equal(t, "running", all["io.dce.service.web.state"])
	require.Regexp(t, `^(.+@)?sha256:[0-9a-f]{64}$`, all["io.dce.service.web.image"])

	whole := l.told(func(p told) bool { return p.Phase == "running" })
	require.Equal(t, l.id, whole.Task)
	require.Equal(t, "that is the default", whole.Because)
	for i, want := range []struct {
		service, state  string
		essential, init bool
	}{{"migrate", "exited", false, true}, {"store", "running", true, false}, {"web", "running", true, false}} {
		got := whole.Services[i]
		require.Equal(t, want.service, got.Service)
		require.Equal(t, want.state, got.State)
		require.Equal(t, want.essential, got.Essential)
		require.Equal(t, want.init, got.Init)
		require.Equal(t, whole.Pod+"-"+want.service+"-1", got.Container)
		require.Equal(t, "dce-test/busybox", got.Image)
	}

	times := parse[struct {
		Phases []struct {
			Phase string
			MS    int64
		}
		Services []struct {
			Service                                 string
			Pull, Create, Start, Healthy, Completed *int64
		}
	}](t, l.file("timeline.json"))
	var order []string
	for i, p := range times.Phases {
		order = append(order, p.Phase)
		require.True(t, i == 0 || p.MS >= times.Phases[i-1].MS)
	}
	require.Equal(t, "preparing", order[0])
	require.Equal(t, []string{"starting", "running"}, order[len(order)-2:])
	require.Equal(t, "infra", times.Services[0].Service)
	store, web, migrate := times.Services[2], times.Services[3], times.Services[1]
	require.Less(t, *store.Create, *store.Healthy)
	require.LessOrEqual(t, *store.Start, *store.Healthy)
	require.LessOrEqual(t, *migrate.Start, *migrate.Completed)
	require.LessOrEqual(t, max(*store.Healthy, *migrate.Completed), *web.Start, "web waits for both")
	require.Nil(t, web.Healthy, "it has no healthcheck")
	require.Nil(t, web.Pull, "its image was there")

	l.kill()
	whole = parse[told](t, l.file("pod.json"))
	require.Equal(t, "killed", whole.Phase)
	require.Equal(t, "KILLED", whole.Status.State)
	require.Regexp(t, `timeline, ms since launch: store +- +\d+ +\d+ +\d+`, l.Stderr.String())
	left, err := filepath.Glob(filepath.Join(l.run.Sandbox, ".pod.json*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestWhatMesosIsToldOfAFailure is TASK_FAILED for each cause: the service, its exit code or signal, its last words, the reason.
func TestWhatMesosIsToldOfAFailure(t *testing.T) {
	for _, c := range []struct {
		name   string
		file   string
		reason mesos.TaskStatus_Reason
		says   []string
		code   int
		writes []string // what is waited for of web, each before the next flag is set
	}{
		{"exit code", service("command: [sh, -c, 'echo first; "+awaits("1")+"; echo the last words >&2; "+awaits("2")+"; exit 3']", flags),
			mesos.REASON_COMMAND_EXECUTOR_FAILED, []string{"Service web exited with code 3.", `Its last output: "first\nthe last words"`}, 3,
			[]string{"first", "the last words"}},
		{"signal", service("command: [sh, -c, 'echo oops; "+awaits("1")+"; kill -SEGV $$$$']", "init: true", flags),
			mesos.REASON_COMMAND_EXECUTOR_FAILED, []string{"Service web exited with code 139 (SIGSEGV).", "oops"}, 139, []string{"oops"}},
		{"killed, but not for want of memory", service("command: [sh, -c, 'echo here; "+awaits("1")+"; kill -KILL $$$$']", "init: true", "mem_limit: 64m", flags),
			mesos.REASON_COMMAND_EXECUTOR_FAILED, []string{"Service web exited with code 137 (SIGKILL)."}, 137, []string{"here"}},
		{"out of memory", service("command: [sh, -c, 'echo eating; "+awaits("1")+"; head -c 60m /dev/zero | tail -c 60m']", "mem_limit: 20m", "memswap_limit: 20m", flags),
			mesos.REASON_CONTAINER_LIMITATION_MEMORY, []string{"Service web exited with code 137 (SIGKILL).", "ran out of memory", "services.web.mem_limit", "eating"}, 137,
			[]string{"eating"}},
		{"while starting", `
services:
  web: {image: dce-test/busybox, command: [sh, -c, "echo too early; ` + awaits("1") + `; exit 5"], ` + flags + `}
  slow: {image: dce-test/busybox, command: [sleep, "1000"], stop_grace_period: 0s, healthcheck: {test: [CMD, "false"], interval: 100s}}
`, mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"ervice web exited with code 5", "too early"}, 5, []string{"too early"}},
		{"out of memory while starting", `
services:
  web: {image: dce-test/busybox, command: [sh, -c, "sleep 0.3; head -c 60m /dev/zero | tail -c 60m"], mem_limit: 20m, memswap_limit: 20m}
  slow: {image: dce-test/busybox, command: [sleep, "1000"], stop_grace_period: 0s, healthcheck: {test: [CMD, "false"], interval: 100s}}
`, mesos.REASON_CONTAINER_LIMITATION_MEMORY, []string{"ervice web exited with code 137", "at its own limit of 20 MB", "services.web.mem_limit"}, 137, nil},
		{"killed while starting, but not for want of memory", `
services:
  web: {image: dce-test/busybox, init: true, command: [sh, -c, "sleep 0.3; kill -KILL $$$$"]}
  slow: {image: dce-test/busybox, command: [sleep, "1000"], stop_grace_period: 0s, healthcheck: {test: [CMD, "false"], interval: 100s}}
`, mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"ervice web exited with code 137"}, 137, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := launch(t, app{files: map[string]string{"compose.yaml": c.file}})
			if !strings.Contains(c.file, "slow:") {
				l.await(mesos.TASK_RUNNING)
			}
			for i, text := range c.writes { // what is collected only after the end of a service may come too late for the status
				l.writes("web", text)
				l.flag(fmt.Sprint(i + 1))
			}
			status := l.await(mesos.TASK_FAILED)
			require.Equal(t, c.reason.String(), status.GetReason().String(), status.GetMessage())
			for _, want := range c.says {
				require.Contains(t, status.GetMessage(), want)
			}
			l.gone()
			whole := parse[told](t, l.file("pod.json"))
			require.Equal(t, "failed", whole.Phase)
			require.Equal(t, "FAILED", whole.Status.State)
			require.Equal(t, "web", whole.Status.Service)
			require.Equal(t, status.GetMessage(), whole.Status.Message)
			require.Equal(t, c.code, *parse[told](t, string(status.Data)).Services[len(whole.Services)-1].ExitCode)
		})
	}
}

// TestAddressesAreToldWhereOthersReachThem has a pod on a Docker network that exists already.
func TestAddressesAreToldWhereOthersReachThem(t *testing.T) {
	ctx := context.Background()
	const name = "e2e-routed"
	created, err := world.docker.NetworkCreate(ctx, name, network.CreateOptions{Driver: "bridge"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, world.docker.NetworkRemove(ctx, created.ID)) })
	for _, routable := range []bool{true, false} {
		t.Run(fmt.Sprint(routable), func(t *testing.T) {
			l := launch(t, app{
				labels: map[string]string{"dce.network.mode": name, "dce.network.routable": fmt.Sprint(routable)},
				files:  map[string]string{"compose.yaml": service("command: [sleep, '1000']", "init: true")},
			})
			status := l.await(mesos.TASK_RUNNING)
			told := status.GetContainerStatus().GetNetworkInfos()
			require.Len(t, told, 1)
			own := l.containers()["infra"].NetworkSettings.Networks[name].IPAddress
			require.NotEmpty(t, own)
			if routable {
				require.Equal(t, name, told[0].GetName())
				require.Equal(t, own, told[0].IPAddresses[0].GetIPAddress())
			} else {
				require.NotEqual(t, own, told[0].IPAddresses[0].GetIPAddress(), "the agent fills in its own")
			}
			l.kill()
		})
	}
}

// TestLinksInTheSandboxAreNotFollowed puts links where the pod's files go, as a container with the sandbox mounted could.
func TestLinksInTheSandboxAreNotFollowed(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.WriteFile(outside, []byte("untouched"), 0o644))
	a := app{labels: map[string]string{"dce.pod.kind": "job"}, files: map[string]string{"compose.yaml": service("command: ['true']")}}
	l := launch(t, a, func(o *localagent.Options) {
		files := o.Prepare
		o.Prepare = func(sandbox string) error {
			for _, name := range []string{"pod.json", "timeline.json"} {
				if err := os.Symlink(outside, filepath.Join(sandbox, name)); err != nil {
					return err
				}
			}
			return files(sandbox)
		}
	})
	l.await(mesos.TASK_FINISHED)
	l.gone()
	content, err := os.ReadFile(outside)
	require.NoError(t, err)
	require.Equal(t, "untouched", string(content))
	info, err := os.Lstat(filepath.Join(l.run.Sandbox, "pod.json"))
	require.NoError(t, err)
	require.True(t, info.Mode().IsRegular())
	require.Equal(t, "finished", parse[told](t, l.file("pod.json")).Phase)
}
