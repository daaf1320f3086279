package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/localagent"
)

const soon = time.Minute

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if dir, err := programs(); err == nil {
			_ = os.RemoveAll(dir)
		}
		os.Exit(code)
	}))
}

// programs is where dce-executor and mesos-go's example are built, once.
var programs = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "dce-test-")
	if err != nil {
		return "", err
	}
	for name, from := range map[string]string{
		"dce":              "github.com/dce-go/dce/go/cmd/dce",
		"dce-executor":     "github.com/dce-go/dce/go/cmd/dce-executor",
		"example-executor": "github.com/mesos/mesos-go/api/v1/cmd/example-executor",
	} {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, name), from)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return "", &exitError{1, &buildError{name, string(out)}}
		}
	}
	return dir, nil
})

type buildError struct{ name, output string }

func (e *buildError) Error() string { return e.name + " can't be built: " + e.output }

// buffer is a writer that may be read meanwhile.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *buffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *buffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// stage is a directory with a compose file, an engine to run it on, and what a run of it said. When the test ends, nothing
// of its runs may be left.
type stage struct {
	*testing.T
	dir         string
	work        string // --work-dir, and so the scope of all that is created
	engine      *engine.Docker
	out, err    buffer
	programsDir string
}

func newStage(t *testing.T, compose string) *stage {
	t.Helper()
	host := os.Getenv("DCE_TEST_DOCKER_HOST")
	require.NotEmpty(t, host, "this test needs a Docker engine: run `make test`, or set DCE_TEST_DOCKER_HOST")
	t.Setenv("DOCKER_HOST", host)
	docker, err := engine.Connect(t.Context(), engine.ConnectOptions{})
	require.NoError(t, err)
	_, err = docker.Image(t.Context(), "dce-test/busybox")
	require.NoError(t, err, "this test needs the image dce-test/busybox: run `make test`")
	dir, err := programs()
	require.NoError(t, err)
	s := &stage{T: t, dir: t.TempDir(), work: t.TempDir(), engine: docker, programsDir: dir}
	write(t, filepath.Join(s.dir, "compose.yaml"), compose)
	t.Chdir(s.dir)
	t.Cleanup(func() {
		defer docker.Close()
		s.nothingIsLeft()
	})
	return s
}

func (s *stage) nothingIsLeft() {
	scope := labels.Scope + "=" + s.work
	ctx := s.Context()
	if ctx.Err() != nil {
		ctx = context.Background()
	}
	list, err := s.engine.List(ctx, scope)
	require.NoError(s, err)
	require.Empty(s, list, "containers")
	for _, kind := range []engine.Kind{engine.KindNetwork, engine.KindVolume} {
		objects, err := s.engine.Objects(ctx, kind, scope)
		require.NoError(s, err)
		require.Empty(s, objects, "%s", kind)
	}
	for _, id := range s.containers() {
		host, err := cgroup.Open(cgroup.Options{})
		require.NoError(s, err)
		for _, root := range []string{"/" + localagent.CgroupsRoot, localagent.PodRoot} {
			there, err := host.Exists(root + "/" + id)
			require.NoError(s, err)
			require.False(s, there, "the cgroup of run %s", id)
		}
	}
}

// containers are the Mesos container ids of the runs whose sandboxes are there.
func (s *stage) containers() []string {
	runs, err := filepath.Glob(filepath.Join(s.work, "slaves/*/frameworks/*/executors/*/runs/*-*"))
	require.NoError(s, err)
	for i, dir := range runs {
		runs[i] = filepath.Base(dir)
	}
	return runs
}

func (s *stage) program(name string) string { return filepath.Join(s.programsDir, name) }

// run is the whole command line; it returns the exit code.
func (s *stage) run(args ...string) int {
	s.Helper()
	args = append([]string{"run", "--work-dir", s.work, "--executor", s.program("dce-executor")}, args...)
	code := execute(args, &s.out, &s.err)
	s.Logf("dce %s\nstdout:\n%s\nstderr:\n%s", strings.Join(args, " "), s.out.String(), s.err.String())
	if !strings.Contains(strings.Join(args, " "), "--keep") {
		require.Empty(s, s.containers(), "sandboxes")
	}
	return code
}

// started is a run that goes on beside the test.
type started struct {
	*session
	signals chan os.Signal
	result  chan error
}

// start begins a run and waits until the task is in a state.
func (s *stage) start(state string, change func(*runFlags)) *started {
	s.Helper()
	flags := runFlags{cpus: 1, mem: "64m", workDir: s.work, executor: s.program("dce-executor"), copyLimit: "1m"}
	if change != nil {
		change(&flags)
	}
	r := &started{session: &session{flags: flags, screen: &screen{out: &s.out, err: &s.err}, said: tail{keep: 10}},
		signals: make(chan os.Signal, 8), result: make(chan error, 1)}
	docker, err := r.check(s.Context())
	require.NoError(s, err)
	go func() {
		defer docker.Close()
		r.result <- r.run(context.Background(), r.signals)
	}()
	s.says(": " + state + " (")
	return r
}

func (s *stage) says(text string) {
	s.Helper()
	require.Eventually(s, func() bool { return strings.Contains(s.err.String(), text) }, soon, 10*time.Millisecond,
		"waiting for %q", text)
}

func (s *stage) ends(r *started) error {
	s.Helper()
	select {
	case err := <-r.result:
		s.Logf("stdout:\n%s\nstderr:\n%s", s.out.String(), s.err.String())
		return err
	case <-time.After(soon):
		require.Fail(s, "the run does not end", "%s", s.err.String())
		return nil
	}
}

func service(command string, more ...string) string {
	text := "services:\n  a:\n    image: dce-test/busybox\n    command: [\"sh\", \"-c\", " + quote(command) + "]\n"
	for _, line := range more {
		text += "    " + line + "\n"
	}
	return text
}

func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

func TestAJobThatFinishes(t *testing.T) {
	s := newStage(t, service("cat /data/word; echo $$WORD ${TAG}", "volumes: [\"./data:/data\"]", "env_file: words.env"))
	write(t, filepath.Join(s.dir, "data", "word"), "copied\n")
	write(t, filepath.Join(s.dir, "words.env"), "WORD=from-env-file")
	require.Zero(t, s.run("--job", "--mem", "64m", "--env", "TAG=given"))
	require.Contains(t, s.out.String(), "copied\n")
	require.Contains(t, s.out.String(), "from-env-file given\n")
	require.Contains(t, s.err.String(), ": finished (")
}

func TestATaskThatFails(t *testing.T) {
	s := newStage(t, service("exit 3"))
	require.Equal(t, exitFailed, s.run("--job"))
	require.Regexp(t, `dce: .* failed: Service a exited with code 3.*\(REASON_COMMAND_EXECUTOR_FAILED\)`, s.err.String())
}

func TestBadInput(t *testing.T) {
	s := newStage(t, "services:\n  a:\n    imag: x\n")
	for text, args := range map[string][]string{
		"did you mean image":                             nil,
		"dce run has no flag --nope; see dce run --help": {"--nope"},
		"no.yml can't be read: it does not exist":        {"-f", "no.yml"},
		"did you mean dce.stop.grace?":                   {"--label", "dce.stop.grac=1s"},
		"-f names no file":                               {"-f", ""},
		"is no size":                                     {"--mem", "lots"},
		"less than the 32m":                              {"--mem", "3m"},
		"above 0":                                        {"--cpus", "0"},
		"before the start":                               {"--timeout", "-1s"},
		"is no list of ports":                            {"--ports", "x"},
		"is not an absolute path":                        {"--work-dir", "x"},
		"raise --copy-limit":                             {"--copy-limit", "3"},
		"--executor /no can't be used":                   {"--executor", "/no"},
		"write it like key=value":                        {"--label", "x"},
	} {
		require.Equal(t, exitBadInput, s.run(args...), text)
		require.Contains(t, s.err.String(), text)
	}
	require.Equal(t, exitBadInput, execute([]string{"rum"}, &s.out, &s.err))
	require.Contains(t, s.err.String(), `dce: there is no command "rum"; did you mean run? See dce --help`)
}

func TestWithoutAnEngineNothingIsMade(t *testing.T) {
	s := newStage(t, service("true"))
	t.Setenv("DOCKER_HOST", "unix:///no/such/socket")
	require.Equal(t, exitFailed, s.run())
	require.Regexp(t, "^dce: no Docker engine answers at unix:///no/such/socket.*\n$", s.err.String())
	require.NoDirExists(t, filepath.Join(s.work, "slaves"))
}

func TestTheSandboxIsKeptOnDemand(t *testing.T) {
	s := newStage(t, service("echo kept"))
	require.Zero(t, s.run("--job", "--keep"))
	_, after, found := strings.Cut(s.err.String(), "sandbox: ")
	require.True(t, found)
	sandbox, _, _ := strings.Cut(after, "\n")
	data, err := os.ReadFile(filepath.Join(sandbox, "stdout"))
	require.NoError(t, err)
	require.Contains(t, string(data), "kept")
	require.FileExists(t, filepath.Join(sandbox, "compose.yaml"))
}

func TestAPodIsReachedAndKilledOnRequest(t *testing.T) {
	s := newStage(t, service("echo hi >/index.html; exec httpd -f -p 80 -h /", "ports: [\"8080:80\"]", "stop_signal: SIGKILL"))
	r := s.start("running", nil)
	s.says("http://localhost:")
	_, where, _ := strings.Cut(s.err.String(), "http://localhost:")
	port, _, _ := strings.Cut(where, " ")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	require.Eventually(t, func() bool {
		resp, err := client.Get("http://localhost:" + port)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		page, _ := io.ReadAll(resp.Body)
		return string(page) == "hi\n"
	}, soon, 50*time.Millisecond)
	limit, err := r.host.ReadUint("memory", r.container.Cgroup, "memory.limit_in_bytes")
	require.NoError(t, err)
	require.EqualValues(t, 64<<20, limit)
	r.signals <- os.Interrupt
	require.NoError(t, s.ends(r), "killed on request is no failure")
	require.Contains(t, s.err.String(), ": killed (")
}

func TestTheSecondInterruptLeavesNoTime(t *testing.T) {
	s := newStage(t, service("trap '' TERM; echo deaf; while true; do sleep 1; done", "stop_grace_period: 1h"))
	r := s.start("running", nil)
	require.Eventually(t, func() bool { return strings.Contains(s.out.String(), "deaf") }, soon, 10*time.Millisecond)
	r.signals <- os.Interrupt
	s.says("press Ctrl-C again to leave its services no time")
	select {
	case err := <-r.result:
		require.Fail(t, "it has an hour", "%v", err)
	case <-time.After(500 * time.Millisecond):
	}
	r.signals <- os.Interrupt
	require.NoError(t, s.ends(r))
}

func TestTheThirdInterruptKillsEverything(t *testing.T) {
	s := newStage(t, service("sleep 1000"))
	r := s.start("running", nil)
	require.NoError(t, syscall.Kill(r.container.Pid(), syscall.SIGSTOP)) // an executor that hangs
	for range 3 {
		r.signals <- os.Interrupt
	}
	require.NoError(t, s.ends(r))
	require.Contains(t, s.err.String(), "removed what the executor had left: 2 containers")
}

func TestATaskIsKilledAfterItsTime(t *testing.T) {
	s := newStage(t, service("exec sleep 1000", "stop_signal: SIGKILL"))
	r := s.start("killed", func(f *runFlags) { f.timeout = time.Second })
	require.NoError(t, s.ends(r))
}

func TestAnExecutorThatDiesLeavesNothing(t *testing.T) {
	s := newStage(t, service("sleep 1000", "networks: [n]", "volumes: [\"vol:/v\", /anonymous]")+"networks: {n: {}}\nvolumes: {vol: {}}\n")
	r := s.start("running", nil)
	require.NoError(t, syscall.Kill(r.container.Pid(), syscall.SIGKILL))
	err := s.ends(r)
	require.EqualError(t, err, "dce-executor ended before its task did (signal: killed); what it said last is above")
	require.Contains(t, s.err.String(), "removed what the executor had left: 2 containers, 1 volume\n")
	require.Contains(t, s.err.String(), "The pod moved on.", "the end of its log")
}

func TestAnExecutorThatIsNotOursRunsAsWell(t *testing.T) {
	s := newStage(t, service("true"))
	require.Zero(t, s.run("--executor", s.program("example-executor")))
	require.Contains(t, s.err.String(), ": running (")
	require.Contains(t, s.err.String(), ": finished (")
}

func TestVersion(t *testing.T) {
	var out, err bytes.Buffer
	require.Zero(t, execute([]string{"version"}, &out, &err))
	require.Regexp(t, `^dce dev \(go.*, linux/.*\)\n$`, out.String())
	require.Empty(t, err.String())
}
