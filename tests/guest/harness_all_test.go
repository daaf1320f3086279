//go:build all

package guest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/tests/box"
	"github.com/dce-go/dce/tests/guest/wire"
)

// Much longer than it takes where nothing else runs: half a minute for a boot, some seconds for what Docker does.
const (
	making   = 30 * time.Minute // debootstrap, once
	booting  = 5 * time.Minute
	patience = 5 * time.Minute // of one command
)

// vm is the guest that all tests of this package share, one after the other.
var vm *Machine

func TestMain(m *testing.M) {
	code, err := withGuest(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		code = 1
	}
	os.Exit(code)
}

func withGuest(m *testing.M) (code int, err error) {
	checkout, err := box.Checkout()
	if err != nil {
		return 1, err
	}
	out := filepath.Join(checkout, "build", "guest")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return 1, err
	}
	unlock, err := lock(filepath.Join(out, ".lock")) // one at a time
	if err != nil {
		return 1, err
	}
	defer unlock()
	if err := removeAll(out, "run-*"); err != nil { // of a killed test
		return 1, err
	}
	dir, err := os.MkdirTemp(out, "run-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	ctx, cancel := context.WithTimeout(context.Background(), making)
	defer cancel()
	system, err := Make(ctx, checkout)
	if err != nil {
		return 1, err
	}
	module, err := moduleFiles(ctx, checkout)
	if err != nil {
		return 1, err
	}
	disk, imports, err := Disk(ctx, checkout, dir, module)
	if err != nil {
		return 1, err
	}
	ctx, cancel = context.WithTimeout(context.Background(), booting)
	defer cancel()
	began := time.Now()
	if vm, err = Boot(ctx, system, disk, filepath.Join(out, "console.log")); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, vm.Close()) }()
	fmt.Printf("the guest is up after %.0f s\n", time.Since(began).Seconds())
	if err := load(imports); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// load starts Docker with its own defaults, and gives it the images.
func load(imports [][]string) error {
	for _, argv := range append([][]string{{"systemctl", "start", "docker"}}, imports...) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		a, err := vm.Run(ctx, wire.Command{Argv: argv})
		if err == nil && a.Code != 0 {
			err = fmt.Errorf("%q in the guest: exit code %d: %s%s", argv, a.Code, a.Out, a.Err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// in runs a command in the guest.
func in(t *testing.T, c wire.Command) wire.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	a, err := vm.Run(ctx, c)
	require.NoError(t, err)
	return a
}

// say runs a command that must succeed, and returns what it says.
func say(t *testing.T, argv ...string) string {
	t.Helper()
	a := in(t, wire.Command{Argv: argv})
	require.Zero(t, a.Code, "%q: %s%s\n%s", argv, a.Out, a.Err, vm.Console())
	return strings.TrimSpace(a.Out)
}

// sh is say for a script with arguments.
func sh(t *testing.T, script string, args ...string) string {
	t.Helper()
	return say(t, append([]string{"sh", "-euc", script, "sh"}, args...)...)
}

// put writes a file in the guest.
func put(t *testing.T, name, content string) {
	t.Helper()
	a := in(t, wire.Command{Argv: []string{"sh", "-euc", `mkdir -p "$(dirname "$1")"; cat >"$1"`, "sh", name}, Stdin: content})
	require.Zero(t, a.Code, a.Err)
}

// driver restarts Docker with a cgroup driver; "" is Docker's own choice. It has to be empty.
func driver(t *testing.T, name string) {
	t.Helper()
	require.Empty(t, say(t, "docker", "ps", "-aq"))
	settings := map[string][]string{}
	if name != "" {
		settings["exec-opts"] = []string{"native.cgroupdriver=" + name}
	}
	data, err := json.Marshal(settings)
	require.NoError(t, err)
	put(t, "/etc/docker/daemon.json", string(data))
	say(t, "systemctl", "restart", "docker")
	require.Equal(t, cmp.Or(name, "systemd")+" 2", say(t, "docker", "info", "--format", "{{.CgroupDriver}} {{.CgroupVersion}}"))
}

// roots are the cgroups that several pods share. An agent removes its own; nobody does where it was killed, and of slices
// systemd keeps the one above.
var roots = []string{"./dce", "./dce-local", "./mesos", "./dce.slice"}

// everything is a full listing of containers, networks, volumes, slices, and the cgroups that are not of the guest's own services.
func everything(t *testing.T) []string {
	t.Helper()
	out := strings.Fields(sh(t, `
		docker ps -aq --format 'container={{.Names}}'
		docker network ls --format 'network={{.Name}}'
		docker volume ls --format 'volume={{.Name}}'
		systemctl list-units --all --plain --no-legend 'dce-*' 'docker-*' | cut -d ' ' -f 1
		cd /sys/fs/cgroup
		find . -type d ! -path './system.slice*' ! -path './init.scope' ! -path './user.slice*' ! -name '*.mount'`))
	out = slices.DeleteFunc(out, func(name string) bool { return slices.Contains(roots, name) })
	slices.Sort(out)
	return out
}

// pod is a `dce run` in the guest.
type pod struct {
	t      *testing.T
	dir    string
	ended  chan struct{} // closed when dce run has ended
	answer wire.Answer   // read after that
}

// launch runs a compose file. When the test ends nothing of it may be left.
func launch(t *testing.T, compose string, flags ...string) *pod {
	t.Helper()
	before := everything(t)
	p := &pod{t: t, dir: "/root/" + filepath.Base(t.Name()), ended: make(chan struct{})}
	put(t, p.dir+"/compose.yaml", compose)
	put(t, p.dir+".log", "")
	script := `cd "$1"; shift; exec /test/bin/dce run -v --work-dir /var/lib/dce/local "$@" >"$PWD.log" 2>&1`
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
		defer cancel()
		var err error
		p.answer, err = vm.Run(ctx, wire.Command{Argv: append([]string{"sh", "-euc", script, "sh", p.dir}, flags...)})
		if err != nil {
			p.answer.Failure = err.Error()
		}
		close(p.ended)
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("dce run said:\n%s\n%s", p.log(), vm.Console())
		}
		in(t, wire.Command{Argv: []string{"busybox", "killall", "-INT", "dce"}}) // it may have ended
		p.end()
		require.Equal(t, before, everything(t), "something is left, or something foreign is gone")
	})
	return p
}

// log is what dce run has said so far.
func (p *pod) log() string { return say(p.t, "cat", p.dir+".log") }

// running waits until the task runs.
func (p *pod) running() {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for !strings.Contains(p.log(), "RUNNING") {
		select {
		case <-p.ended:
			require.Fail(p.t, "the task has ended", "%+v", p.answer)
		case <-ctx.Done():
			require.Fail(p.t, "the task does not run")
		case <-time.After(time.Second):
		}
	}
}

// end waits for the end of dce run and returns its exit code.
func (p *pod) end() int {
	p.t.Helper()
	select {
	case <-p.ended:
		require.Empty(p.t, p.answer.Failure)
	case <-time.After(patience):
		require.Fail(p.t, "dce run does not end")
	}
	return p.answer.Code
}

// ofPod is a container as Docker inspects it.
type ofPod struct {
	ID, CgroupnsMode string
	Pid              int
	Labels           map[string]string
}

// containers are all that run, by service; the infra container is "infra".
func containers(t *testing.T) map[string]ofPod {
	t.Helper()
	out := map[string]ofPod{}
	for line := range strings.Lines(sh(t, `docker ps -q | xargs -r docker inspect --format '{"ID":{{json .Id}},"Pid":{{json .State.Pid}},"Labels":{{json .Config.Labels}},"CgroupnsMode":{{json .HostConfig.CgroupnsMode}}}'`)) {
		var c ofPod
		require.NoError(t, json.Unmarshal([]byte(line), &c), line)
		out[cmp.Or(c.Labels[labels.Service], labels.RoleInfra)] = c
	}
	return out
}

// cgroupOf is where the kernel has a process.
func cgroupOf(t *testing.T, pid int) string {
	t.Helper()
	return strings.TrimPrefix(say(t, "cat", fmt.Sprintf("/proc/%d/cgroup", pid)), "0::")
}

// readFiles reads those control files of a cgroup that are wanted.
func readFiles(t *testing.T, group string, wanted map[string]string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name := range wanted {
		out[name] = say(t, "cat", "/sys/fs/cgroup"+group+"/"+name)
	}
	return out
}

// properties are those of a unit, in the order in which they are asked for.
func properties(t *testing.T, unit string, names ...string) string {
	t.Helper()
	var out []string
	for _, name := range names {
		out = append(out, say(t, "systemctl", "show", "-p", name, "--", unit))
	}
	return strings.Join(out, " ")
}
