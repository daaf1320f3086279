package e2e

import (
	"regexp"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
)

// A sentence that says where to look names a file that is there, also for the second pod of an executor.
func TestSentencesNameTheFolderOfTheirPod(t *testing.T) {
	ill := service("command: [sh, -c, 'echo hello; sleep 1000']", "init: true", "healthcheck: {test: [CMD, 'false'], interval: 100ms, retries: 1}")
	s := launchSeveral(t, false, map[string]string{"one.yaml": service("command: [sleep, '1000']", "init: true"), "two.yaml": ill}, "one")
	s.tasks[0].await(mesos.TASK_RUNNING)
	info := s.task(app{name: "two", mem: 64, labels: map[string]string{"fileName": "two.yaml"}})
	info.Executor = s.executor(app{})
	two := s.begin(info)
	status := two.await(mesos.TASK_FAILED)
	named := regexp.MustCompile(`look at (logs\S*/web\.log)`).FindStringSubmatch(status.GetMessage())
	require.NotEmpty(t, named, status.GetMessage())
	require.NotEqual(t, "logs/web.log", named[1])
	require.Equal(t, "hello\n", two.file(named[1]))
	s.tasks[0].kill()
}

// Who names the engine wrongly is told which of the settings to correct.
func TestASettingThatNamesNoEngine(t *testing.T) {
	l := launch(t, app{labels: map[string]string{"dce.engine.host": "ssh://me@there"}, files: map[string]string{"compose.yaml": service()}})
	status := l.await(mesos.TASK_FAILED)
	require.Contains(t, status.GetMessage(), "sh://me@there (from the label dce.engine.host): a ssh address of a Docker engine is not supported, use unix:///path or tcp://host:port")
	l.gone()
}
