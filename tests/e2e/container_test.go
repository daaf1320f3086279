package e2e

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/network"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/tests/harness"
)

// boxed is a container of an image and a network.
func boxed(kind mesos.ContainerInfo_DockerInfo_Network, parameters ...string) *mesos.ContainerInfo {
	docker := &mesos.ContainerInfo_DockerInfo{Image: "dce-test/busybox", Network: kind.Enum()}
	for _, p := range parameters {
		key, value, _ := strings.Cut(p, "=")
		docker.Parameters = append(docker.Parameters, mesos.Parameter{Key: key, Value: value})
	}
	return &mesos.ContainerInfo{Type: mesos.ContainerInfo_DOCKER.Enum(), Docker: docker}
}

// launchBoxed starts a task of a container with a command, in a group: alone, a task with an executor may have no command. The
// agent does not mind a Docker container there, which a master would not take (src/master/validation.cpp,
// task::internal::validateExecutor and task::group::internal::validateTask).
func launchBoxed(t *testing.T, a app, box *mesos.ContainerInfo, command *mesos.CommandInfo) *launched {
	t.Helper()
	n := newNode(t, prepare(a))
	info := n.task(a)
	by := *info.Executor
	info.Executor, info.Container, info.Command = nil, box, command
	run, err := n.LaunchGroup(by, mesos.TaskGroupInfo{Tasks: []mesos.TaskInfo{info}})
	require.NoError(t, err)
	return &launched{n, info.TaskID.Value, run}
}

// noGrace is for programs that ignore SIGTERM as the first process of a container.
var noGrace = map[string]string{"dce.stop.grace": "0s"}

func inShell(command string) *mesos.CommandInfo { return &mesos.CommandInfo{Value: &command} }

// inspected is what `docker inspect` says of the pod by service, but for names, ids and what only time brings.
func (l *launched) inspected() map[string]map[string]any {
	l.t.Helper()
	out := map[string]map[string]any{}
	pod := l.containers()
	names := []string{l.run.ID, "RUN", l.id, "TASK", filepath.Dir(l.run.Sandbox), "RUNS", l.Root, "ROOT"}
	for service, c := range pod {
		for _, label := range []string{labels.Pod, labels.Scope, labels.Executor, labels.Framework, labels.Agent} {
			names = append(names, c.Labels[label], label)
		}
		names = append(names, c.ID, service, c.ID[:12], service)
	}
	for service, c := range pod {
		_, raw, err := world.docker.ContainerInspectWithRaw(context.Background(), c.ID, false)
		require.NoError(l.t, err)
		text := strings.NewReplacer(names...).Replace(string(raw))
		all := map[string]any{}
		require.NoError(l.t, json.Unmarshal([]byte(text), &all))
		for _, key := range []string{"Id", "Created", "State", "GraphDriver", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath", "NetworkSettings"} {
			delete(all, key)
		}
		mounts, _ := all["Mounts"].([]any) // an engine lists them in any order
		slices.SortFunc(mounts, func(a, b any) int {
			return strings.Compare(a.(map[string]any)["Destination"].(string), b.(map[string]any)["Destination"].(string))
		})
		out[service] = all
	}
	return out
}

// TestContainerIsTheSameAsAComposeFile: a task of a plain image, and a compose file that says the same.
func TestContainerIsTheSameAsAComposeFile(t *testing.T) {
	port := harness.FreePort(t)
	files := map[string]string{"www/index.html": "hello from the image"}
	var seen []map[string]map[string]any
	t.Run("container", func(t *testing.T) {
		box := boxed(mesos.ContainerInfo_DockerInfo_BRIDGE)
		box.Volumes = []mesos.Volume{
			{HostPath: new("www"), ContainerPath: "/www", Mode: mesos.RO.Enum()}, {HostPath: new("data"), ContainerPath: "/data", Mode: mesos.RW.Enum()},
		}
		box.Docker.PortMappings = []mesos.ContainerInfo_DockerInfo_PortMapping{{HostPort: uint32(port), ContainerPort: 8080, Protocol: new("tcp")}}
		l := launchBoxed(t, app{name: "same", ports: []uint64{harness.FreePort(t), port}, files: files, labels: noGrace}, box, &mesos.CommandInfo{
			Shell: new(false), Value: new("httpd"), Arguments: []string{"-f", "-p", "8080", "-h", "/www"},
			Environment: &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "MONEY", Value: new("$5 ${6}")}}},
		})
		seen = append(seen, serves(t, l, port))
	})
	t.Run("compose", func(t *testing.T) {
		files["compose.yaml"] = `
services:
  task:
    image: dce-test/busybox
    command: [httpd, -f, -p, "8080", -h, /www]
    environment: {MONEY: "$$5 $${6}"}
    ports: ["8080:8080"]
    volumes: ["./www:/www:ro", "./data:/data"]
`
		l := launch(t, app{name: "same", ports: []uint64{port}, files: files, labels: noGrace})
		seen = append(seen, serves(t, l, port))
	})
	require.Len(t, seen, 2)
	require.Len(t, seen[0], 2, "the container and infra")
	for _, pod := range seen { // what was offered differs here, and with it these variables
		config := pod["task"]["Config"].(map[string]any)
		var env []any
		for _, v := range config["Env"].([]any) {
			if !strings.HasPrefix(v.(string), "PORT") {
				env = append(env, v)
			}
		}
		config["Env"] = env
	}
	require.Equal(t, seen[0], seen[1])
}

func serves(t *testing.T, l *launched, port uint64) map[string]map[string]any {
	t.Helper()
	l.await(mesos.TASK_RUNNING)
	require.Equal(t, "hello from the image", l.page(port))
	require.DirExists(t, filepath.Join(l.run.Sandbox, "data"))
	inspected := l.inspected()
	l.kill()
	return inspected
}

func TestContainerNetworks(t *testing.T) {
	lan, err := world.docker.NetworkCreate(context.Background(), "e2e-lan", network.CreateOptions{
		IPAM: &network.IPAM{Config: []network.IPAMConfig{{Subnet: "10.213.7.0/24"}}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, world.docker.NetworkRemove(context.Background(), lan.ID)) })
	user := boxed(mesos.ContainerInfo_DockerInfo_USER, "ip=10.213.7.77")
	user.NetworkInfos = []mesos.NetworkInfo{{Name: new("e2e-lan")}}
	cni := &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), NetworkInfos: user.NetworkInfos, Mesos: &mesos.ContainerInfo_MesosInfo{
		Image: &mesos.Image{Type: mesos.Image_DOCKER.Enum(), Docker: &mesos.Image_Docker{Name: "dce-test/busybox"}}}}
	shared := *cni
	shared.NetworkInfos = nil
	host, err := os.ReadFile("/proc/net/fib_trie")
	require.NoError(t, err)
	require.NotContains(t, string(host), "10.213.7.77")

	for name, c := range map[string]struct {
		box *mesos.ContainerInfo
		is  func(t *testing.T, devices, routes string, infra bool)
	}{
		"NONE": {boxed(mesos.ContainerInfo_DockerInfo_NONE), func(t *testing.T, devices, _ string, infra bool) {
			require.Equal(t, "lo", devices)
			require.False(t, infra)
		}},
		"HOST": {boxed(mesos.ContainerInfo_DockerInfo_HOST), isHost("br-" + lan.ID[:12])},
		"BRIDGE": {boxed(mesos.ContainerInfo_DockerInfo_BRIDGE), func(t *testing.T, devices, _ string, infra bool) {
			require.Equal(t, "eth0 lo", devices)
			require.True(t, infra)
		}},
		"USER": {user, func(t *testing.T, devices, routes string, infra bool) {
			require.Equal(t, "eth0 lo", devices)
			require.Contains(t, routes, "10.213.7.77")
			require.True(t, infra)
		}},
		"parameter": {boxed(mesos.ContainerInfo_DockerInfo_HOST, "network=e2e-lan"), func(t *testing.T, _, routes string, _ bool) {
			require.Contains(t, routes, "10.213.7.")
		}},
		"Mesos container":              {&shared, isHost("br-" + lan.ID[:12])},
		"Mesos container on a network": {cni, func(t *testing.T, _, routes string, _ bool) { require.Contains(t, routes, "10.213.7.") }},
	} {
		t.Run(name, func(t *testing.T) {
			l := launchBoxed(t, app{labels: noGrace}, c.box, inShell("ls /sys/class/net | tr '\\n' ' '; echo; cat /proc/net/fib_trie; echo the end; sleep 1000"))
			l.await(mesos.TASK_RUNNING)
			l.writes("task", "the end\n")
			devices, routes, _ := strings.Cut(l.file("logs/task.log"), "\n")
			_, infra := l.containers()["infra"]
			c.is(t, strings.TrimSpace(devices), routes, infra)
			l.kill()
		})
	}
}

// isHost looks for a bridge that the host has: others come and go with other tests.
func isHost(bridge string) func(*testing.T, string, string, bool) {
	return func(t *testing.T, devices, _ string, infra bool) {
		t.Helper()
		_, err := net.InterfaceByName(bridge)
		require.NoError(t, err)
		require.Contains(t, strings.Fields(devices), "lo")
		require.Contains(t, strings.Fields(devices), bridge)
		require.False(t, infra)
	}
}

func TestContainerParameters(t *testing.T) {
	box := boxed(mesos.ContainerInfo_DockerInfo_NONE, "hostname=shop", "workdir=/tmp", "env=A=$HOME", "user=1000:1000", "label=team=shop", "ulimit=nofile=64:128",
		"cap-drop=ALL", "memory-swappiness=7", "tmpfs=/scratch:size=1m", "stop-signal=SIGKILL", "read-only=true")
	box.Docker.Privileged = new(false)
	l := launchBoxed(t, app{labels: map[string]string{"dce.pod.kind": "job"}}, box,
		inShell(`hostname; pwd; echo "$A"; id -u; ulimit -n; cat /sys/fs/cgroup/memory/memory.swappiness; touch /x 2>/dev/null || touch /scratch/x && echo only scratch`))
	l.await(mesos.TASK_FINISHED)
	l.gone()
	require.Equal(t, "shop\n/tmp\n$HOME\n1000\n64\n7\nonly scratch\n", l.file("logs/task.log"))
}

func TestBadContainers(t *testing.T) {
	unnamed := boxed(mesos.ContainerInfo_DockerInfo_USER)
	lost := boxed(mesos.ContainerInfo_DockerInfo_USER)
	lost.NetworkInfos = []mesos.NetworkInfo{{Name: new("no-such-lan")}}
	stolen := boxed(mesos.ContainerInfo_DockerInfo_BRIDGE)
	stolen.Docker.PortMappings = []mesos.ContainerInfo_DockerInfo_PortMapping{{HostPort: 22, ContainerPort: 22}}
	absent := boxed(mesos.ContainerInfo_DockerInfo_NONE)
	absent.Docker.Image = "localhost:1/no/such:image"
	for name, c := range map[string]struct {
		box    *mesos.ContainerInfo
		reason mesos.TaskStatus_Reason
		says   []string
	}{
		"no image":            {&mesos.ContainerInfo{Type: mesos.ContainerInfo_DOCKER.Enum()}, mesos.REASON_TASK_INVALID, []string{"TaskInfo.container", "names no Docker image", "compose file"}},
		"unknown parameter":   {boxed(mesos.ContainerInfo_DockerInfo_NONE, "cidfile=/x"), mesos.REASON_TASK_INVALID, []string{"docker.parameters.cidfile"}},
		"bad parameter":       {boxed(mesos.ContainerInfo_DockerInfo_NONE, "memory=lots"), mesos.REASON_TASK_INVALID, []string{"TaskInfo.container", "mem_limit", "lots"}},
		"network of no name":  {unnamed, mesos.REASON_TASK_INVALID, []string{"docker.network", "USER"}},
		"network not there":   {lost, mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"no-such-lan"}},
		"port of others":      {stolen, mesos.REASON_TASK_INVALID, []string{"docker.port_mappings[0]", "22", "offered"}},
		"image not there":     {absent, mesos.REASON_CONTAINER_LAUNCH_FAILED, []string{"localhost:1/no/such:image", "service task"}},
		"neither way is gone": {nil, mesos.REASON_TASK_INVALID, []string{"compose file", "fileName", "TaskInfo.container"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := launchBoxed(t, app{ports: []uint64{31000}}, c.box, nil)
			status := l.await(mesos.TASK_FAILED)
			t.Log(status.GetMessage())
			require.Equal(t, c.reason.String(), status.GetReason().String())
			for _, s := range c.says {
				require.Contains(t, status.GetMessage(), s)
			}
			l.gone()
		})
	}
}

func TestComposeFileWinsOverContainer(t *testing.T) {
	l := launchBoxed(t, app{
		labels: map[string]string{"dce.pod.kind": "job"},
		files:  map[string]string{"compose.yaml": service("command: [echo, from the file]")},
	}, boxed(mesos.ContainerInfo_DockerInfo_NONE), inShell("echo from the container"))
	l.await(mesos.TASK_FINISHED)
	l.gone()
	require.Equal(t, "from the file\n", l.file("logs/web.log"))
	require.Contains(t, l.Stderr.String(), "the files are run, TaskInfo.container is not looked at")
}

// The executor in an image, as under Mesos' containerizer: it sees its sandbox elsewhere than the engine, and of the host only
// what is mounted.
const inImage = `exec unshare -m sh -ec '
for d in proc sys/fs/cgroup mnt/mesos/sandbox; do mkdir -p "$0/$d"; done
touch "$0/docker.sock"
mount --rbind /proc "$0/proc"
mount --rbind /sys/fs/cgroup "$0/sys/fs/cgroup"
mount --bind "$MESOS_DIRECTORY" "$0/mnt/mesos/sandbox"
mount --bind "$2" "$0/docker.sock"
cp "$1" "$0/dce-executor"
export MESOS_SANDBOX=/mnt/mesos/sandbox
cd /
exec chroot "$0" /dce-executor' `

func TestExecutorInAnImage(t *testing.T) {
	launchInside := func(t *testing.T, a app, command *mesos.CommandInfo) *launched {
		return launchAs(t, a, func(info *mesos.TaskInfo) {
			command.Environment = info.Executor.Command.Environment
			info.Executor.Command = command
			info.Executor.Container = &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), Mesos: &mesos.ContainerInfo_MesosInfo{
				Image: &mesos.Image{Type: mesos.Image_DOCKER.Enum(), Docker: &mesos.Image_Docker{Name: "some/image"}}}}
		})
	}
	t.Run("that has what it needs", func(t *testing.T) {
		command := inImage + strings.Join([]string{t.TempDir(), world.executor, strings.TrimPrefix(world.box.Host(), "unix://")}, " ")
		l := launchInside(t, app{
			labels: map[string]string{"dce.pod.kind": "job"}, env: map[string]string{"DOCKER_HOST": "unix:///docker.sock"},
			files: map[string]string{
				"compose.yaml": service(`command: [sh, -c, "cat /in/file; cat $$MESOS_SANDBOX/in/file; echo done > /in/out"]`, "volumes: ['./in:/in']"),
				"in/file":      "from the sandbox\n",
			},
		}, inShell(command))
		l.await(mesos.TASK_FINISHED)
		l.gone()
		require.Equal(t, "from the sandbox\nfrom the sandbox\n", l.file("logs/web.log"))
		require.Equal(t, "done\n", l.file("in/out"))
	})
	t.Run("that has not", func(t *testing.T) {
		l := launchInside(t, app{
			labels: map[string]string{"dce.engine.lost_timeout": "1s"}, env: map[string]string{"DOCKER_HOST": "unix:///no/such/docker.sock"},
			files: map[string]string{"compose.yaml": service()},
		}, inShell("exec "+world.executor))
		status := l.await(mesos.TASK_FAILED)
		require.Contains(t, status.GetMessage(), "executor runs inside the image some/image")
		require.Contains(t, status.GetMessage(), "/no/such/docker.sock")
		require.Equal(t, mesos.REASON_CONTAINER_LAUNCH_FAILED.String(), status.GetReason().String())
		l.gone()
	})
}
