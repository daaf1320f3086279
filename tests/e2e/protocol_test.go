package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/tests/harness"
)

// deaf is a service that takes no notice of SIGTERM.
const deaf = `command: [sh, -c, "trap 'echo no' TERM; echo up; while :; do sleep 0.1; done"]`

// several launches tasks with one executor; each has a compose file of its own, named as the task.
type several struct {
	*node
	tasks []*launched
}

func launchSeveral(t *testing.T, group bool, files map[string]string, names ...string) *several {
	t.Helper()
	s := &several{node: newNode(t, prepare(app{files: files}), harness.Unhurried)}
	by := s.executor(app{env: harness.ShortGrace()})
	var infos []mesos.TaskInfo
	for _, name := range names {
		info := s.task(app{name: name, mem: 64, labels: map[string]string{"fileName": name + ".yaml"}})
		info.Executor = by
		infos = append(infos, info)
	}
	if group {
		for i := range infos {
			infos[i].Executor = nil
		}
		run, err := s.LaunchGroup(*by, mesos.TaskGroupInfo{Tasks: infos})
		require.NoError(t, err)
		for _, name := range names {
			s.tasks = append(s.tasks, &launched{s.node, name, run})
		}
		return s
	}
	for _, info := range infos {
		s.tasks = append(s.tasks, s.begin(info))
	}
	return s
}

func TestTwoPodsInOneExecutor(t *testing.T) {
	file := service("command: [sh, -c, 'echo heard; sleep 1000']", "init: true")
	ill := file + `    healthcheck: {test: [CMD, "false"], interval: 100s}` + "\n"
	s := launchSeveral(t, false, map[string]string{"one.yaml": file, "two.yaml": file, "three.yaml": ill}, "one", "two")
	one, two := s.tasks[0], s.tasks[1]
	one.await(mesos.TASK_RUNNING)
	two.await(mesos.TASK_RUNNING)
	require.Len(t, one.containers(), 2)
	require.Len(t, two.containers(), 2)
	require.Eventually(t, func() bool { return strings.Count(s.Stdout.String(), "heard") == 2 }, patience, pollEvery)
	logs, err := filepath.Glob(filepath.Join(two.run.Sandbox, "logs*", "web.log"))
	require.NoError(t, err)
	require.Len(t, logs, 2, "services of the same name, and none writes into the other's log")

	require.NoError(t, s.Kill("one", nil))
	one.await(mesos.TASK_KILLED)
	require.Eventually(t, func() bool { return len(one.containers()) == 0 }, patience, pollEvery)
	require.Len(t, two.containers(), 2, "the other lives on")

	// A third one, which never gets as far as TASK_RUNNING, is killed as soon as it was received.
	info := s.task(app{name: "three", labels: map[string]string{"fileName": "three.yaml"}})
	info.Executor = s.executor(app{})
	three := s.begin(info)
	require.NoError(t, s.Kill("three", nil))
	require.Equal(t, mesos.REASON_TASK_KILLED_DURING_LAUNCH.String(), new(three.await(mesos.TASK_KILLED)).GetReason().String())

	require.NoError(t, s.Kill("two", nil))
	two.await(mesos.TASK_KILLED)
	two.gone()
	for _, l := range []*launched{one, two} {
		require.Equal(t, []string{"STARTING", "RUNNING", "KILLED"}, l.states())
	}
	require.Equal(t, []string{"STARTING", "KILLED"}, three.states())
}

func TestAGroupDiesWithItsFirstDead(t *testing.T) {
	good := service("command: [sleep, '1000']", "init: true")
	for name, c := range map[string]struct {
		bad    string
		reason mesos.TaskStatus_Reason // of the others
		says   string
	}{
		"one fails":      {service(`command: [sh, -c, "sleep 1; exit 3"]`), 0, "exited with code 3"},
		"one is invalid": {service("comand: [true]"), mesos.REASON_TASK_GROUP_INVALID, "comand"},
	} {
		t.Run(name, func(t *testing.T) {
			s := launchSeveral(t, true, map[string]string{"good.yaml": good, "bad.yaml": c.bad, "other.yaml": good}, "good", "bad", "other")
			failed := s.tasks[1].await(mesos.TASK_FAILED)
			require.Contains(t, failed.GetMessage(), c.says)
			for _, i := range []int{0, 2} {
				killed := s.tasks[i].await(mesos.TASK_KILLED)
				require.Contains(t, killed.GetMessage(), "Killed with its group, because the task bad ended as TASK_FAILED")
				require.Contains(t, killed.GetMessage(), c.says)
				if c.reason != 0 {
					require.Equal(t, c.reason.String(), killed.GetReason().String())
				}
			}
			s.tasks[0].gone()
		})
	}
}

// TestAKillOfATaskThatWasNeverLaunched is answered with an end: the framework waits for one.
func TestAKillOfATaskThatWasNeverLaunched(t *testing.T) {
	s := launchSeveral(t, false, map[string]string{"one.yaml": service("command: [sleep, '1000']", "init: true")}, "one")
	s.tasks[0].await(mesos.TASK_RUNNING)
	require.NoError(t, s.SendKill(s.executor(app{}).ExecutorID.Value, "stranger"))
	stranger := &launched{s.node, "stranger", s.tasks[0].run}
	status := stranger.await(mesos.TASK_KILLED)
	require.Equal(t, mesos.REASON_TASK_UNKNOWN.String(), status.GetReason().String())
	require.Equal(t, mesos.SOURCE_EXECUTOR, status.GetSource())
	require.Len(t, s.tasks[0].containers(), 2, "the task that is known lives on")
	s.tasks[0].kill()
}

// TestShutdownOfADeafPod: all levels of a stop fit into the grace that the executor was told, and it is said who overran.
func TestShutdownOfADeafPod(t *testing.T) {
	for name, end := range map[string]func(*several) error{
		"SHUTDOWN": func(s *several) error { return s.Shutdown(s.executor(app{}).ExecutorID.Value) },
		"SIGTERM":  func(s *several) error { return syscall.Kill(s.tasks[0].run.Pid(), syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			s := launchSeveral(t, false, map[string]string{"one.yaml": `
services:
  front: {image: dce-test/busybox, ` + deaf + `, stop_grace_period: 1h, depends_on: [back]}
  back: {image: dce-test/busybox, ` + deaf + `, stop_grace_period: 1h}
`}, "one")
			l := s.tasks[0]
			l.await(mesos.TASK_RUNNING)
			require.NoError(t, end(s))
			status := l.await(mesos.TASK_KILLED)
			require.Equal(t, mesos.SOURCE_EXECUTOR, status.GetSource())
			require.Equal(t, mesos.REASON_EXECUTOR_TERMINATED.String(), status.GetReason().String())
			require.Contains(t, status.GetMessage(), "Killed after the grace period: back, front")
			s.Says("Killed after the grace period: back, front")
			l.gone()
		})
	}
}

// TestOverADomainSocketWithAToken: the executor speaks over the socket, and nobody else learns the token.
func TestOverADomainSocketWithAToken(t *testing.T) {
	const token = "a-secret-of-the-executors-own"
	dir, err := os.MkdirTemp("", "dce")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	l := launch(t, app{files: map[string]string{"compose.yaml": service(
		`command: [sh, -c, "echo \"token=$MESOS_EXECUTOR_AUTHENTICATION_TOKEN\"; env; sleep 1000"]`, "init: true",
		"environment: [MESOS_EXECUTOR_AUTHENTICATION_TOKEN]", `labels: {token: "${MESOS_EXECUTOR_AUTHENTICATION_TOKEN:-none}"}`)}},
		func(o *localagent.Options) {
			o.Token = token
			o.DomainSocket = filepath.Join(dir, "agent.sock")
			o.Environment = map[string]string{"LIBPROCESS_SSL_ENABLED": "1"} // TLS is for TCP only
		})
	l.await(mesos.TASK_RUNNING)
	l.Prints("token=")
	for service, c := range l.containers() {
		whole, err := world.docker.ContainerInspect(context.Background(), c.ID)
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprintf("%+v %+v", whole.Config, whole.HostConfig), token)
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", whole.State.Pid))
		require.NoError(t, err)
		require.NotContains(t, string(environ), token, service)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", l.run.Pid()))
	require.NoError(t, err)
	require.Empty(t, children, "the executor has none that could inherit it")
	l.kill()
	for _, written := range []string{l.Stdout.String(), l.Stderr.String()} {
		require.NotContains(t, written, token)
	}
	require.NoError(t, filepath.WalkDir(l.run.Sandbox, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		require.NotContains(t, string(content), token, path)
		return err
	}))
}

// TestTaskKillingOnlyForThoseWhoKnowIt: without the capability the state would be an error.
func TestTaskKillingOnlyForThoseWhoKnowIt(t *testing.T) {
	for name, c := range map[string]struct {
		capabilities []mesos.FrameworkInfo_Capability
		want         []string
	}{
		"unknown": {nil, []string{"STARTING", "RUNNING", "KILLED"}},
		"known": {[]mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE}},
			[]string{"STARTING", "RUNNING", "KILLING", "KILLED"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := launch(t, app{files: map[string]string{"compose.yaml": service("command: [sleep, '1000']", "init: true")}},
				func(o *localagent.Options) { o.Framework.Capabilities = c.capabilities })
			l.await(mesos.TASK_RUNNING)
			l.kill()
			require.Equal(t, c.want, l.states())
		})
	}
}
