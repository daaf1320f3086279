//go:build all

package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/tree"
	"github.com/dce-go/dce/tests/guest/wire"
)

// loader of the libraries that the module needs: those of this machine, which may be newer than the guest's.
const loader = "ld-linux-x86-64.so.2"

// moduleFiles are the program that hosts the module as an agent does, the test variant of the module, its core, and all that they
// are linked with.
func moduleFiles(ctx context.Context, checkout string) (map[string]string, error) {
	built := filepath.Join(checkout, "build", "cmake", "dev")
	out := map[string]string{}
	for _, name := range []string{"tests/module/dce_module_host", "tests/double/libmesos_dce_double.so", "core/libdcecore.so"} {
		file := filepath.Join(built, name)
		out["module/"+filepath.Base(name)] = file
		said, err := exec.CommandContext(ctx, "ldd", file).Output()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s is not built: run `make module`", file), err)
		}
		for line := range strings.Lines(string(said)) { // "name => path (address)", or "path (address)" for the loader
			for _, word := range strings.Fields(line) {
				if strings.HasPrefix(word, "/") {
					out["module/"+filepath.Base(word)] = word
				}
			}
		}
	}
	if _, err := os.Stat(out["module/"+loader]); err != nil {
		return nil, fmt.Errorf("ldd names no %s: %w", loader, err)
	}
	return out, nil
}

// agent is the host program in the guest; see tests/module/host.cpp.
type agent struct {
	t     *testing.T
	dir   string
	asked int
	ended chan wire.Answer
}

func startAgent(t *testing.T) *agent {
	t.Helper()
	a := &agent{t: t, dir: "/root/" + strings.ReplaceAll(t.Name(), "/", "-"), ended: make(chan wire.Answer, 1)}
	var parameters []map[string]string
	for key, value := range map[string]string{"core": "/test/module/libdcecore.so", "docker_host": "unix:///var/run/docker.sock",
		"cgroups_root": "dce-local", "runtime_dir": a.dir, "grace": "1secs"} {
		parameters = append(parameters, map[string]string{"key": key, "value": value})
	}
	modules := []any{}
	for _, name := range []string{"org_apache_mesos_ComposePodCleanupHook", "org_apache_mesos_ComposePodIsolator"} {
		modules = append(modules, map[string]any{"name": name, "parameters": parameters})
	}
	manifest, err := json.Marshal(map[string]any{"libraries": []any{map[string]any{"file": "/test/module/libmesos_dce_double.so", "modules": modules}}})
	require.NoError(t, err)
	put(t, a.dir+"/modules.json", string(manifest))
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		defer cancel()
		said, err := vm.Run(ctx, wire.Command{Dir: a.dir, Argv: []string{"sh", "-euc",
			`mkfifo in; exec 3<>in; exec /test/module/` + loader + ` --library-path /test/module /test/module/dce_module_host modules.json <&3 >out 2>err`}})
		if err != nil {
			said.Failure = err.Error()
		}
		a.ended <- said
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the module said:\n%s", sh(t, `cat "$1/err" "$1/out"`, a.dir))
		}
	})
	a.await(`"ready":true`)
	return a
}

// await returns the line of the answer that holds a text.
func (a *agent) await(text string) string {
	a.t.Helper()
	return sh(a.t, `for i in $(seq 600); do grep -sF "$2" "$1/out" && exit; sleep 0.2; done; echo "no answer: $2" >&2; exit 1`, a.dir, text)
}

// ask sends a command and returns its answer, which must be no failure.
func (a *agent) ask(command ...any) map[string]any {
	a.t.Helper()
	line, err := json.Marshal(command)
	require.NoError(a.t, err)
	a.asked++
	sh(a.t, `echo "$2" >"$1/in"`, a.dir, string(line))
	var out map[string]any
	require.NoError(a.t, json.Unmarshal([]byte(a.await(fmt.Sprintf(`"n":%d,`, a.asked))), &out))
	require.NotContains(a.t, out, "failure", "%s: %v", line, out)
	return out
}

// quit ends the agent.
func (a *agent) quit() {
	a.t.Helper()
	sh(a.t, `echo '["quit"]' >"$1/in"`, a.dir)
	said := <-a.ended
	require.Empty(a.t, said.Failure)
	require.Zero(a.t, said.Code, said.Err)
}

// The module gives an executor's container a tree with limits, changes them, measures, and removes what a dead executor left.
func wholeContainer(t *testing.T, driver string) {
	before := everything(t)
	a := startAgent(t)
	a.ask("recover", []any{}, []any{})
	id := labels.Identity{Scope: "/var/lib/mesos", Agent: "s-1", Framework: "f-1", Executor: "e-1", Container: "c-1", Task: "t-1"}
	sandbox := path.Join(id.Scope, "slaves", id.Agent, "frameworks", id.Framework, "executors", id.Executor, "runs", id.Container)
	parent, err := tree.Parent(driver, id.Container)
	require.NoError(t, err)
	group := cgroup.ParentPath(driver, parent)

	answer := a.ask("prepare", id.Container, sandbox, id.Framework, id.Executor, "./dce-executor", 0.5, 64)
	require.Equal(t, map[string]any{"DCE_CGROUP_PARENT": parent}, answer["environment"])
	want := map[string]string{"memory.max": "67108864", "cpu.weight": "50"}
	require.Equal(t, want, readFiles(t, group, want))

	// What its executor would make.
	run := []string{"docker", "run", "-d", "--init", "--cgroup-parent", parent, "--name", id.PodID() + "-web-1"}
	for key, value := range labels.ForService(id.Labels("guest"), "web", labels.RoleService, "1") {
		run = append(run, "--label", key+"="+value)
	}
	say(t, append(run, "dce-test/busybox", "sh", "-c", "while :; do :; done")...)
	require.Equal(t, group, path.Dir(cgroupOf(t, containers(t)["web"].Pid)))

	a.ask("update", id.Container, 1.0, 64, 1.5, 128)
	want = map[string]string{"memory.max": "134217728", "cpu.weight": "100", "cpu.max": "150000 100000"}
	require.Equal(t, want, readFiles(t, group, want))

	used, ok := a.ask("usage", id.Container)["statistics"].(map[string]any)
	require.True(t, ok)
	require.Positive(t, used["mem_rss_bytes"])
	require.Positive(t, used["cpus_user_time_secs"])
	require.GreaterOrEqual(t, used["processes"], 2.0, "init and a shell")

	a.ask("hook", id.Framework, id.Executor)
	a.ask("cleanup", id.Container)
	require.Empty(t, say(t, "docker", "ps", "-aq"))
	a.quit()
	require.Equal(t, before, everything(t))
}
