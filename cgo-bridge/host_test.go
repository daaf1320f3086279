package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// What the library may add to an agent's process.
const (
	maxThreads  = 8
	maxResident = 25 << 10 // kB
)

var built = map[string]string{}

// library builds libdcecore.so, with the tags of a test build where it has some.
func library(t *testing.T, tags string) string {
	t.Helper()
	if path, ok := built[tags]; ok {
		return path
	}
	dir, err := os.MkdirTemp("", "dce-core-")
	require.NoError(t, err)
	path := filepath.Join(dir, "libdcecore.so")
	out, err := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-tags="+tags, "-o", path, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	built[tags] = path
	return path
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, path := range built {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// host is the C program with a library in it.
type host struct {
	*testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func start(t *testing.T, library string, set ...string) *host {
	t.Helper()
	program := filepath.Join(t.TempDir(), "host")
	out, err := exec.Command("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-I.", "-o", program, "testdata/host.c", "-ldl", "-lpthread").CombinedOutput()
	require.NoError(t, err, "%s", out)
	// An engine that takes connections and never answers: nothing may wait for it.
	socket := filepath.Join(t.TempDir(), "engine.sock")
	hole, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = hole.Close() })
	p := map[string]string{"docker_host": "unix://" + socket, "runtime_dir": t.TempDir(), "cgroups_root": "dce-test-bridge-" + uuid.NewString()[:8],
		"work_dir": "/var/lib/mesos", "log_level": "error", "use_hierarchy": "warn"}
	for i := 0; i+1 < len(set); i += 2 {
		p[set[i]] = set[i+1]
	}
	config, err := json.Marshal(p)
	require.NoError(t, err)
	h := &host{T: t, cmd: exec.Command(program, library, string(config))}
	h.in, err = h.cmd.StdinPipe()
	require.NoError(t, err)
	pipe, err := h.cmd.StdoutPipe()
	require.NoError(t, err)
	h.cmd.Stderr = t.Output()
	require.NoError(t, h.cmd.Start())
	h.out = bufio.NewScanner(pipe)
	return h
}

func (h *host) line() string {
	h.out.Scan()
	return h.out.Text()
}

func (h *host) ask(line string) string {
	h.Helper()
	_, err := fmt.Fprintln(h.in, line)
	require.NoError(h, err)
	return h.line()
}

// end closes the core and waits for the program.
func (h *host) end() {
	h.Helper()
	require.NoError(h, h.in.Close())
	require.Equal(h, "0", h.line())
	require.NoError(h, h.cmd.Wait())
}

func TestAGuestTakesLittle(t *testing.T) {
	h := start(t, library(t, ""))
	require.Equal(t, "ready", h.line())
	for range 50 {
		require.Contains(t, h.ask("metrics {}"), `0 {"containers_reaped":0,`)
	}
	require.Equal(t, "0 {}", h.ask(`attach {"module":"isolator"}`))
	require.Equal(t, "0 {}", h.ask(`recover {}`))
	for i := range 20 {
		require.Equal(t, "0 {}", h.ask(fmt.Sprintf(`hook.removed {"framework":"f","executor":"e%d","at_ns":1}`, i)))
	}
	time.Sleep(time.Second)
	var threads, kb, kept int
	_, err := fmt.Sscan(h.ask("!measure"), &threads, &kb, &kept)
	require.NoError(t, err)
	t.Logf("the library adds %d threads and %d kB", threads, kb)
	require.LessOrEqual(t, threads, maxThreads)
	require.LessOrEqual(t, kb, maxResident)
	var slowest, p99 int
	_, err = fmt.Sscan(h.ask("!time 2000"), &slowest, &p99)
	require.NoError(t, err)
	t.Logf("submit with an engine that hangs: p99 %v, slowest %v", time.Duration(p99), time.Duration(slowest))
	require.Less(t, time.Duration(p99), time.Millisecond)
	h.end()
}

// TestTheHostKeepsItsSignals: handlers from before the load and after it, a profiler, and children, while the core is at work.
func TestTheHostKeepsItsSignals(t *testing.T) {
	h := start(t, library(t, ""))
	require.Equal(t, "ready", h.line())
	var usr1, usr2, term, child, profile int
	_, err := fmt.Sscan(h.ask("!signals 50"), &usr1, &usr2, &term, &child, &profile)
	require.NoError(t, err)
	require.Equal(t, []int{50, 50, 50}, []int{usr1, usr2, term})
	require.GreaterOrEqual(t, child, 50)
	require.Positive(t, profile)
	require.True(t, strings.HasSuffix(h.ask("!measure"), " 1"), "the handlers are the host's own")
	h.end()
}

// TestPanicsDoNotReachTheHost: in every operation, in submit itself, and in the background.
func TestPanicsDoNotReachTheHost(t *testing.T) {
	inputs := [][2]string{
		{"attach", `{"module":"hook"}`}, {"hook.removed", `{"framework":"f","executor":"e","at_ns":1}`}, {"recover", "{}"}, {"prepare", `{"container":"c"}`},
		{"update", `{"container":"c"}`}, {"usage", `{"container":"c"}`}, {"attribute", `{"container":"c"}`}, {"cleanup", `{"container":"c"}`}, {"reconcile", "{}"}, {"metrics", "{}"},
	}
	points := []string{"submit", "work", "sweep", "search", "journal"}
	for _, one := range inputs {
		points = append(points, one[0])
	}
	h := start(t, library(t, "dcetest"), "test_panic", strings.Join(points, ","))
	require.Equal(t, "ready", h.line())
	require.Equal(t, "100 not accepted", h.ask("metrics {}"), "submit itself")
	for _, one := range inputs {
		require.True(t, strings.HasPrefix(h.ask(one[0]+" "+one[1]), "100 a fault of dce itself"), one[0])
	}
	require.Regexp(t, `^0 .*"core_panics":1[0-9],`, h.ask("metrics {}"))
	h.end()
}

func TestOnlyATestBuildInjectsFaults(t *testing.T) {
	h := start(t, library(t, ""), "test_panic", "metrics")
	require.Contains(t, h.line(), `"test_panic" is unknown`)
	require.Error(t, h.cmd.Wait())
}
