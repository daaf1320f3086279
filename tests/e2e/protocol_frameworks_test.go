package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
)

// shop has two ports with names, one of which listens only where it is a service.
const shop = `
services:
  web:
    image: dce-test/busybox
    command: [sh, -c, "echo \"$$MESOS_TASK_ID ${GREETING:-no greeting}\"; until test -e $$MESOS_SANDBOX/end; do usleep 20000; done"]
    init: true
    ports:
      - {name: admin, target: 81}
      - {name: http, target: 80}
`

// recorded launches a request as a framework sent it. Nothing of it is changed: where the engine is, the agent's own
// configuration says, and the fetcher has put the URIs into the sandbox, without their modes.
func recorded(t *testing.T, name string) *launched {
	t.Helper()
	var r struct {
		Framework mesos.FrameworkInfo `json:"framework"`
		Task      mesos.TaskInfo      `json:"task"`
	}
	content, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, &r))
	program, err := os.ReadFile(world.executor)
	require.NoError(t, err)
	n := newNode(t, func(o *localagent.Options) {
		o.Framework = r.Framework
		o.Environment = map[string]string{"DOCKER_HOST": world.box.Host(), "DCE_LOG_LEVEL": "debug"}
		o.Prepare = func(sandbox string) error {
			mode := os.FileMode(0o644)
			for _, uri := range r.Task.Executor.Command.URIs {
				content := program
				if filepath.Base(uri.Value) == "docker-compose.yml" {
					content = []byte(shop)
				}
				if uri.GetExecutable() {
					mode = 0o755
				}
				if err := os.WriteFile(filepath.Join(sandbox, filepath.Base(uri.Value)), content, mode); err != nil {
					return err
				}
			}
			return nil
		}
	})
	return n.begin(r.Task)
}

// published are the host ports of the pod by the container's.
func (l *launched) published() map[uint16]uint16 {
	out := map[uint16]uint16{}
	for _, p := range l.containers()["infra"].Ports {
		out[p.PrivatePort] = p.PublicPort
	}
	return out
}

// TestAnAppOfMarathon follows what Marathon's TaskBuilder makes of an app with "executor": "./dce-executor" and "cmd": " ".
func TestAnAppOfMarathon(t *testing.T) {
	l := recorded(t, "marathon")
	l.await(mesos.TASK_RUNNING)
	require.Equal(t, map[uint16]uint16{80: 31870, 81: 31871}, l.published())
	l.told(func(p told) bool { return p.Kind == "service" })
	l.kill()
	require.Equal(t, []string{"STARTING", "RUNNING", "KILLING", "KILLED"}, l.states())
	require.Equal(t, l.id+" good day\n", l.file("logs/web.log"))
	require.Contains(t, l.Stderr.String(), "grace=2s", "the app's taskKillGracePeriodSeconds")
}

// TestAJobOfAurora follows what Aurora's MesosTaskFactory makes of a job with an executor of -custom_executor_config. Its data
// were made by Thrift's own library.
func TestAJobOfAurora(t *testing.T) {
	l := recorded(t, "aurora")
	l.await(mesos.TASK_RUNNING)
	require.Equal(t, map[uint16]uint16{80: 31872, 81: 31873}, l.published())
	require.NoError(t, os.WriteFile(filepath.Join(l.run.Sandbox, "end"), nil, 0o644))
	l.await(mesos.TASK_FINISHED)
	l.gone()
	require.Equal(t, "job", parse[told](t, l.file("pod.json")).Kind)
	require.Equal(t, []string{"STARTING", "RUNNING", "FINISHED"}, l.states())
	require.Equal(t, l.id+" no greeting\n", l.file("logs/web.log"))
}
