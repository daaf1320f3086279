package reap

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/tests/harness"
)

// dce runs `dce reap`.
func (h *host) dce(args ...string) (code int, out, err string) {
	h.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(world.dce, append([]string{"reap", "--cgroups-root", h.root, "--age", "0s"}, args...)...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+world.box.Host())
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	failed := cmd.Run()
	var exit *exec.ExitError
	if failed != nil && !errors.As(failed, &exit) {
		require.NoError(h, failed)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

func TestReapByHand(t *testing.T) {
	h := newHost(t)
	a := h.agent()
	lives, dead := a.running("lives", longLived), a.running("dead", longLived)
	stays := lives.list()
	code, out, err := h.dce()
	require.Equal(t, 0, code, err)
	require.Equal(t, "nothing is left behind on this host\n", out)
	dead.die()
	dead.settled()
	all := engineOnly(h.everything())

	code, out, err = h.dce("--dry-run")
	require.Equal(t, 0, code, err)
	require.Contains(t, out, "would remove container dce-dead-task-")
	require.NotContains(t, out, "lives")
	require.Empty(t, harness.Difference(all, engineOnly(h.everything())))

	code, out, err = h.dce("--executor", "lives")
	require.Equal(t, 3, code, out)
	require.Contains(t, err, "the executor lives of the agent at "+h.workDir+" lives")
	code, out, _ = h.dce("--work-dir", "/elsewhere")
	require.Equal(t, 0, code)
	require.Equal(t, "nothing is left behind on this host\n", out)
	require.Empty(t, harness.Difference(all, engineOnly(h.everything())))

	code, out, err = h.dce("--executor", "dead", "-o", "json")
	require.Equal(t, 0, code, err)
	var told struct {
		DryRun  bool `json:"dry_run"`
		Removed []struct{ Kind, Name, Cause, Container string }
		Left    []any
		Failed  []any
	}
	require.NoError(t, json.Unmarshal([]byte(out), &told), out)
	require.False(t, told.DryRun)
	require.Empty(t, told.Failed)
	kinds := map[string]int{}
	for _, one := range told.Removed {
		require.Equal(t, dead.Container.ID, one.Container)
		require.Equal(t, "its executor has no process", one.Cause)
		kinds[one.Kind]++
	}
	require.Equal(t, 2, kinds["container"])
	require.Equal(t, 1, kinds["volume"])
	require.Equal(t, 1, kinds["cgroup"])
	h.clean(stays...)

	lives.die()
	foreign := h.lines(h.forge(lives, forged{service: "web", run: "theirs", change: func(id *labels.Identity) { id.Scope = "/another/agent" }}))
	code, _, err = h.dce()
	require.Equal(t, 2, code)
	require.Contains(t, err, "pods of 2 agents are on this host")
	code, out, err = h.dce("--all")
	require.Equal(t, 0, code, err)
	require.Contains(t, out, "left container "+strings.Fields(foreign[0])[1])
	h.clean(foreign...)
}

// engineOnly leaves out the cgroups, of which the engine removes some when it sees who is dead.
func engineOnly(listing []string) []string {
	return slices.DeleteFunc(listing, func(s string) bool { return strings.HasPrefix(s, "cgroup ") })
}

func TestReapRefusesBadInput(t *testing.T) {
	h := newHost(t)
	for _, args := range [][]string{
		{"-o", "yaml"}, {"--all", "--work-dir", "/x"}, {"--work-dir", "x"}, {"--age", "-1s"}, {"--cgroups-root", "/"}, {"--cgroups-root", "../x"}, {"what"}, {"--what"},
	} {
		code, _, err := h.dce(args...)
		require.Equal(t, 2, code, "%v: %s", args, err)
		require.NotEmpty(t, err)
	}
}
