//go:build all

package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/tests/box"
)

// TestAllDockerComposeSeesAVisiblePod asks docker compose itself, which `make test-all` builds.
func TestAllDockerComposeSeesAVisiblePod(t *testing.T) {
	checkout, err := box.Checkout()
	require.NoError(t, err)
	l := launch(t, app{
		labels: map[string]string{"dce.compose.visible": "true"},
		files:  map[string]string{"compose.yaml": service("command: [sleep, '1000']", "init: true")},
	})
	l.await(mesos.TASK_RUNNING)
	pod := l.containers()["web"].Labels[labels.Pod]
	cmd := exec.Command(filepath.Join(checkout, "build", "peers", "docker-compose"), "-p", pod, "ps", "--services")
	cmd.Env = append(cmd.Environ(), "DOCKER_HOST="+world.box.Host())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "web\n")
	l.kill()
}
