//go:build all

package guest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/tests/guest/wire"
)

// Docker of Debian 12 on cgroup v2, with each of its cgroup drivers.

func TestAllCgroupfs(t *testing.T) {
	driver(t, cgroup.DriverCgroupfs)
	withDriver(t, cgroup.DriverCgroupfs)
}

// Docker's default there.
func TestAllSystemd(t *testing.T) {
	driver(t, "")
	withDriver(t, cgroup.DriverSystemd)
}

func withDriver(t *testing.T, name string) {
	t.Run("doctor", func(t *testing.T) { theDoctor(t, name) })
	t.Run("pod", func(t *testing.T) { wholePod(t, name) })
	t.Run("want of memory", wantOfMemory)
	t.Run("killed as one", killedAsOne)
	t.Run("killed by itself", killedByItself)
	t.Run("killed executors", killedExecutors)
	t.Run("module", func(t *testing.T) { wholeContainer(t, name) })
	t.Run("engine", theEngine)
}

// theEngine runs that part of the contract of package engine in the guest that has to do with processes: what is killed is proved
// to be a container's by its cgroup.
func theEngine(t *testing.T) {
	const wanted = "^TestContractOfDocker$/^API_negotiated$/^(engine_and_images|a_life|exits_and_restarts|a_command_is_killed)$"
	a := in(t, wire.Command{Argv: []string{"/test/engine.test", "-test.v", "-test.run", wanted},
		Env: []string{"DCE_TEST_DOCKER_HOST=unix:///var/run/docker.sock"}})
	require.Zero(t, a.Code, "%s%s", a.Out, a.Err)
	require.Contains(t, a.Out, "/a_command_is_killed (", a.Out)
}

// theDoctor says that a pod would run.
func theDoctor(t *testing.T, driver string) {
	said := say(t, "/test/bin/dce", "doctor", "--timeout", "60s")
	t.Log(said)
	require.Regexp(t, `(?m)^ok +cgroup-version .*v2`, said)
	require.Regexp(t, `(?m)^ok +cgroup-driver .*`+driver, said)
}
