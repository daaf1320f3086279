package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
)

// TestEnvironmentOfContainers: every service knows the task, the sandbox and the ports, and nothing of the executor's own.
func TestEnvironmentOfContainers(t *testing.T) {
	a := app{
		ports: []uint64{31000, 31001},
		labels: map[string]string{
			"dce.pod.kind": "job", "org.apache.aurora.tier": "preferred", "org.apache.aurora.metadata.team": "shop",
		},
		env: map[string]string{"MARATHON_APP_ID": "/shop", "MARATHON_APP_LABEL_TEAM": "shop team", "DOCKER_CONFIG": "/nonexistent", "OTHER": "kept"},
		files: map[string]string{"compose.yaml": `
services:
  plain: {image: dce-test/busybox, command: [env]}
  own:
    image: dce-test/busybox
    read_only: true
    environment: {HOST: mine, PORT1: , OTHER: , INTERPOLATED: "${PORT0} ${MESOS_TASK_ID}"}
    command: [sh, -c, "env; cat $$MESOS_SANDBOX/given; echo written > $$MESOS_SANDBOX/made"]
  covered:
    image: dce-test/busybox
    volumes: ["./given:/mnt/mesos/sandbox/own", "/mnt/mesos/sandbox"]
    command: [sh, -c, "ls /mnt/mesos/sandbox"]
`, "given": "found\n"},
	}
	l := launch(t, a, func(o *localagent.Options) { o.Token = "s3cret-token" })
	l.await(mesos.TASK_FINISHED)
	l.gone()
	common := []string{
		"HOST=here", "MARATHON_APP_ID=/shop", "MARATHON_APP_LABEL_TEAM=shop team", "AURORA_TIER=preferred", "AURORA_METADATA_TEAM=shop",
		"MESOS_SANDBOX=/mnt/mesos/sandbox", "MESOS_TASK_ID=" + l.id, "PORT=31000", "PORT0=31000", "PORT1=31001", "PORTS=31000,31001",
	}
	environ := func(service string) []string {
		var out []string
		for _, line := range strings.Split(strings.TrimSpace(l.file("logs/"+service+".log")), "\n") {
			name, _, _ := strings.Cut(line, "=")
			if !strings.Contains(" PATH HOSTNAME HOME SHLVL PWD ", " "+name+" ") {
				out = append(out, line)
			}
		}
		return out
	}
	require.ElementsMatch(t, common, environ("plain"))
	common[0] = "HOST=mine"
	require.ElementsMatch(t, append(common, "OTHER=kept", "INTERPOLATED=31000 "+l.id, "found"), environ("own"))
	require.Equal(t, "written\n", l.file("made"))
	require.Equal(t, "own\n", l.file("logs/covered.log"), "the file's own volume is there, not the sandbox")
	require.NoFileExists(t, filepath.Join(l.run.Sandbox, "own"))
	stdout, err := os.ReadFile(filepath.Join(l.run.Sandbox, "logs/plain.log"))
	require.NoError(t, err)
	require.NotContains(t, string(stdout), "s3cret-token")
}

// TestPortsAreMarathons: what the framework says of the ports is not made up again.
func TestPortsAreMarathons(t *testing.T) {
	l := launch(t, app{
		ports: []uint64{31000, 31001}, labels: map[string]string{"dce.pod.kind": "job"},
		env:   map[string]string{"PORT": "31001", "PORT0": "31001", "PORTS": "31001", "PORT_8080": "31001", "PORT_HTTP": "31001", "HOST": "agent.example.com"},
		files: one(service(`command: [sh, -c, "echo $$HOST $$PORT $$PORT0 $${PORT1-unset} $$PORTS $$PORT_8080 $$PORT_HTTP"]`)).files,
	})
	l.await(mesos.TASK_FINISHED)
	l.gone()
	require.Equal(t, "agent.example.com 31001 31001 unset 31001 31001 31001\n", l.file("logs/web.log"))
}
