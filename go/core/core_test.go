package core

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
	"github.com/dce-go/dce/go/labels"
)

// patience is with what happens within moments on a machine that has nothing else to do. It is far below agentPatience.
const patience = 45 * time.Second

// stage is a core over an engine in memory.
type stage struct {
	*testing.T
	*Core
	fake    *enginetest.Fake
	root    string // of cgroups, below which there is nothing
	scope   string // the agent's work_dir, of this stage alone: what lives is told by the processes and cgroups of the whole machine
	runtime string
	inject  atomic.Pointer[func(string)]
}

func newStage(t *testing.T, set ...string) *stage {
	t.Helper()
	s := &stage{T: t, fake: enginetest.New(), root: "dce-test-core-" + uuid.NewString()[:8], runtime: t.TempDir()}
	s.scope = "/var/lib/" + s.root
	s.fake.AddImage("image", engine.Image{})
	s.open(set...)
	return s
}

func (s *stage) config(set ...string) []byte {
	p := map[string]string{"cgroups_root": s.root, "runtime_dir": s.runtime, "work_dir": s.scope, "grace": "0secs"}
	for i := 0; i+1 < len(set); i += 2 {
		if p[set[i]] = set[i+1]; set[i+1] == "" {
			delete(p, set[i])
		}
	}
	text, err := json.Marshal(p)
	require.NoError(s, err)
	return text
}

func (s *stage) open(set ...string) {
	s.Helper()
	s.openThrough(engine.Timeout(patience), set...)
}

// openThrough opens a core whose calls of the engine go through this.
func (s *stage) openThrough(around engine.Interceptor, set ...string) {
	s.Helper()
	c, err := Open(s.config(set...), Options{Log: io.Discard,
		Connect: func(context.Context) (engine.Gateway, error) {
			return engine.Intercept(s.fake, around), nil
		},
		Inject: func(point string) {
			if f := s.inject.Load(); f != nil {
				(*f)(point)
			}
		}})
	require.NoError(s, err)
	s.Core = c
	s.Cleanup(func() { ended(s, c) })
}

// close closes the core and waits for all that it has begun, for which Close itself waits a moment only.
func (s *stage) close() {
	s.Helper()
	ended(s, s.Core)
}

func ended(t testing.TB, c *Core) {
	t.Helper()
	c.Close()
	select {
	case <-c.crew.gone():
	case <-time.After(patience):
		require.FailNow(t, "the core goes on after its close")
	}
}

// hang is an engine that never answers these calls.
func hang(stuck func(engine.Call) bool) engine.Interceptor {
	return func(ctx context.Context, call engine.Call, next func(context.Context) error) error {
		if stuck(call) {
			<-ctx.Done()
			return ctx.Err()
		}
		return next(ctx)
	}
}

type end struct {
	status Status
	text   string
}

// start starts an operation and counts its ends.
func (s *stage) start(op, input string, timeout time.Duration) (<-chan end, *atomic.Int64) {
	s.Helper()
	out, times := make(chan end, 10), new(atomic.Int64)
	require.Equal(s, OK, s.Submit(op, []byte(input), timeout, func(status Status, b []byte) {
		times.Add(1)
		out <- end{status, string(b)}
	}))
	return out, times
}

func (s *stage) do(op, input string) end {
	s.Helper()
	out, _ := s.start(op, input, 0)
	return s.wait(op, out)
}

func (s *stage) wait(op string, out <-chan end) end {
	s.Helper()
	select {
	case e := <-out:
		return e
	case <-time.After(patience):
		require.FailNow(s, op+" does not end")
	}
	return end{}
}

func (s *stage) ok(op, input string) {
	s.Helper()
	e := s.do(op, input)
	require.Equal(s, OK, e.status, "%s: %s", op, e.text)
}

// sandbox is that of a run of executor e.
func (s *stage) sandbox(run string) string {
	return s.scope + "/slaves/a/frameworks/f/executors/e/runs/" + run
}

// launched is the input of prepare for a pod, with fields that no version of Mesos has.
func (s *stage) launched(run string) string {
	return fmt.Sprintf(`{"container":%q,"config":{"directory":%q,"executor_info":{"executor_id":{"value":"e"},"framework_id":{"value":"f"},
		"type":"CUSTOM","later":[{}]},"command_info":{"value":"exec './dce-executor'","shell":true},"later":null}}`, run, s.sandbox(run))
}

// isolated attaches the isolator and recovers nothing.
func (s *stage) isolated() {
	s.Helper()
	s.ok("attach", `{"module":"Isolator"}`)
	s.ok("recover", `{"states":[],"orphans":[]}`)
	s.compared()
}

// compared waits for the end of the comparison that a recovery, or a reconciliation, began: to one that goes on what a test puts on
// the engine next may be an orphan.
func (s *stage) compared() {
	s.Helper()
	s.eventually("everything is compared", func() bool {
		s.ledger.mu.Lock()
		next := s.ledger.compare
		s.ledger.mu.Unlock()
		return next.After(time.Now()) && !s.searching.Load()
	})
}

// pod puts a container of a pod on the engine.
func (s *stage) pod(run, executor string) {
	s.Helper()
	id := labels.Identity{Scope: s.scope, Agent: "a", Framework: "f", Executor: executor, Container: run, Task: "t"}
	_, err := s.fake.Create(s.Context(), &engine.ContainerSpec{Service: "web", Name: id.PodID() + "-web-1",
		Config: &container.Config{Image: "image", Labels: labels.ForService(id.Labels("1"), "web", labels.RoleService, "1")},
		Host:   &container.HostConfig{Resources: container.Resources{CgroupParent: "/" + s.root + "/" + run}}})
	require.NoError(s, err)
}

// process starts what is an executor by its environment.
func (s *stage) process(run string) {
	s.Helper()
	cmd := exec.Command("sleep", "600")
	cmd.Env = []string{"MESOS_DIRECTORY=" + s.sandbox(run), "MESOS_SANDBOX=" + s.sandbox(run)}
	require.NoError(s, cmd.Start())
	s.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s.eventually("a process has no environment before its exec has ended", func() bool {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", cmd.Process.Pid))
		return err == nil && len(environ) > 0
	})
}

func (s *stage) left() int {
	list, err := s.fake.List(s.Context())
	require.NoError(s, err)
	return len(list)
}

func (s *stage) eventually(what string, f func() bool) {
	s.Helper()
	require.Eventually(s, f, patience, 5*time.Millisecond, what)
}

func TestBadParametersAreNamed(t *testing.T) {
	for config, says := range map[string]string{
		``: "no JSON object", `[]`: "no JSON object", `{"grace":3}`: "no JSON object", `{} {}`: "follows", "{\"docker_host\":\"\xff\"}": "UTF-8",
		`{"dockerhost":"x"}`:        `"dockerhost" is unknown (did you mean docker_host?); there are cgroups_root, core, docker_host, dry_run`,
		`{"teapot":"x"}`:            `"teapot" is unknown; there are`,
		`{"docker_host":"foo"}`:     `docker_host can't be "foo"; it takes the engine's address`,
		`{"docker_host":"unix:/x"}`: "such as unix:///var/run/docker.sock", `{"docker_host":"ssh://x"}`: "docker_host",
		`{"grace":"soon"}`:              `grace can't be "soon"`,
		`{"reconcile_interval":"10ms"}`: "at least 1s", `{"use_hierarchy":"yes"}`: "enforce, require, warn, off", `{"dry_run":"1"}`: "true, false",
		`{"cgroups_root":"/"}`: "cgroups_root", `{"cgroups_root":"a/../b"}`: "cgroups_root", `{"runtime_dir":"x"}`: "absolute", `{"log_level":"trace"}`: "debug, info",
	} {
		_, err := Open([]byte(config), Options{Log: io.Discard})
		require.ErrorContains(t, err, says, config)
		require.Equal(t, Invalid, statusOf(err), config)
	}
}

func TestBadInputIsInvalid(t *testing.T) {
	s := newStage(t)
	for _, c := range [][2]string{
		{"teapot", "{}"}, {"cleanup", ""}, {"cleanup", "{}"}, {"cleanup", `{"container":""}`}, {"cleanup", `{"container":"c","x":1}`}, {"cleanup", `{"container":1}`},
		{"attach", `{"module":"teapot"}`}, {"hook.removed", `{"framework":"f","executor":"e"}`}, {"hook.removed", `{"framework":"f","at_ns":1}`},
		{"prepare", `{}`}, {"prepare", `{"container":"c","sandbox":"/s"}`}, {"prepare", `{"container":"c","config":{"user":1}}`}, {"recover", `{"states":[{}]}`},
		{"update", `{}`}, {"usage", `{}`}, {"attribute", `{}`}, {"metrics", "{}{}"}, {"reconcile", "[]"},
	} {
		e := s.do(c[0], c[1])
		require.Equal(t, Invalid, e.status, "%v", c)
		require.NotEmpty(t, e.text)
	}
	require.Equal(t, Invalid, s.Submit("metrics", []byte("{}"), 0, nil))
}

func TestCleanupRemovesAndHookFindsTheRest(t *testing.T) {
	s := newStage(t)
	s.isolated()
	s.ok("prepare", s.launched("c1"))
	s.pod("c1", "e")
	s.ok("reconcile", "{}")
	s.compared()
	require.False(t, s.ledger.owes("c1"), "what was prepared lives")
	require.Equal(t, 1, s.left())
	s.ok("cleanup", `{"container":"c1"}`)
	require.Zero(t, s.left())
	s.pod("c2", "e")
	s.pod("c3", "other")
	s.ok("hook.removed", fmt.Sprintf(`{"framework":"f","executor":"e","at_ns":%d}`, time.Now().UnixNano()))
	s.eventually("c2 goes", func() bool { return s.left() == 1 })
	s.eventually("all is paid", func() bool { return s.snapshot().Owed == 0 })
	require.EqualValues(t, 2, s.snapshot().ContainersReaped)
}

func TestForeignContainersAreNoDebt(t *testing.T) {
	s := newStage(t)
	s.isolated()
	defer s.fake.Hang(engine.MethodList)()
	s.ok("prepare", `{"container":"c1","config":{"command_info":{"value":"sleep 1","shell":true}}}`)
	s.ok("cleanup", `{"container":"c1"}`)
}

func TestOurCommand(t *testing.T) {
	for command, ours := range map[string]bool{
		"./dce-executor": true, "dce-executor": true, "chmod ug+rx '/x/dce-executor' && exec '/x/dce-executor' ": true, "exec ./dce-executor --x": true,
		`"dce-executor"`: true, "./my-dce-executor-2": false, "dce-executors": false, "sleep 1": false, "": false, "./dce-executor.sh": false,
	} {
		in := prepareInput{}
		in.Command.Value = command
		require.Equal(t, ours, in.ours(), command)
		in = prepareInput{}
		in.Command.Arguments = []string{"x", command}
		require.Equal(t, ours, in.ours(), command)
	}
}

// A panic at any point is counted, ends what it is in as Panic, and stops nothing else.
func TestPanicsStayWhereTheyAre(t *testing.T) {
	points := []string{"work", "sweep", "search", "look", "journal", "probe"}
	for op := range operations {
		points = append(points, op)
	}
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			s := newStage(t)
			s.isolated()
			s.pod("c1", "e")
			var hits atomic.Int64
			var once sync.Once
			f := func(at string) {
				if at == point {
					once.Do(func() { hits.Add(1); panic("injected") })
				}
			}
			s.inject.Store(&f)
			if point == "probe" {
				s.fake.Fail(engine.MethodList, errdefs.ErrUnavailable, 1)
			}
			inputs := map[string]string{"attach": `{"module":"hook"}`, "recover": `{}`, "prepare": `{"container":"x"}`, "update": `{"container":"x"}`,
				"usage": `{"container":"x"}`, "reconcile": "{}", "metrics": "{}", "attribute": `{"container":"c1"}`, "cleanup": `{"container":"c1"}`,
				"hook.removed": fmt.Sprintf(`{"framework":"f","executor":"e","at_ns":%d}`, time.Now().UnixNano())}
			if input, isOp := inputs[point]; isOp {
				require.Equal(t, Panic, s.do(point, input).status)
			}
			s.do("cleanup", inputs["cleanup"])
			s.ok("hook.removed", inputs["hook.removed"])
			s.eventually("everything goes all the same", func() bool { return s.left() == 0 })
			s.eventually("the point was reached", func() bool { return hits.Load() == 1 })
			s.eventually("the fault is counted", func() bool { return s.snapshot().CorePanics >= 1 })
			s.ok("metrics", "{}")
		})
	}
}

// The recovery comes once. Where it fails what has a process lives, and the rest is found all the same.
func TestARecoveryThatFails(t *testing.T) {
	s := newStage(t)
	var once sync.Once
	f := func(at string) {
		if at == "recover" {
			once.Do(func() { panic("injected") })
		}
	}
	s.inject.Store(&f)
	s.process("lives")
	s.pod("lives", "e")
	s.pod("dead", "e")
	s.ok("attach", `{"module":"Isolator"}`)
	require.Equal(t, Panic, s.do("recover", `{"states":[{"container_id":{"value":"lives"}}]}`).status)
	s.compared()
	require.False(t, s.ledger.owes("lives"), "what has a process lives")
	s.eventually("the orphan goes", func() bool { return s.left() == 1 })
}

func TestJournalSurvivesAndIsNotTrusted(t *testing.T) {
	s := newStage(t)
	s.isolated()
	s.fake.Fail(engine.MethodList, errdefs.ErrUnavailable, enginetest.Always)
	s.pod("dead", "e")
	s.pod("lives", "e")
	for _, run := range []string{"dead", "lives"} {
		e := s.do("cleanup", fmt.Sprintf(`{"container":%q}`, run))
		require.Equal(t, Unavailable, e.status, e.text)
	}
	s.close()
	s.fake.Fail(engine.MethodList, nil, 0)
	text, err := os.ReadFile(s.journal.path)
	require.NoError(t, err)
	require.Contains(t, string(text), `"container":"lives"`)
	s.open()
	require.Equal(t, 2, s.snapshot().Owed, "it survives")
	before := len(s.fake.Calls())
	s.ok("attach", `{"module":"isolator"}`)
	s.ok("reconcile", "{}") // wakes who would
	time.Sleep(100 * time.Millisecond)
	require.Len(t, s.fake.Calls(), before, "nothing is looked for before it is known what lives")
	require.Equal(t, 2, s.left())
	s.ok("recover", `{"states":[{"container_id":{"value":"lives"}}]}`)
	s.eventually("what is dead goes", func() bool { return s.left() == 1 })
	s.eventually("all is paid", func() bool { return s.snapshot().Owed == 0 })
	require.Equal(t, 1, s.left(), "the journal says that it is owed, the agent that it lives")
}

func TestJournalThatCanNotBeUsed(t *testing.T) {
	for name, content := range map[string]string{"garbage": "{", "another version": `{"version":99}`} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.close()
			file := filepath.Join(s.runtime, "isolators", "org_apache_mesos_ComposePodIsolator", "journal.json")
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
			s.open()
			s.pod("c1", "e")
			s.isolated()
			s.eventually("the labels are enough", func() bool { return s.left() == 0 })
		})
	}
}

// TestOneThatHangsHoldsUpNobody: the removal of one container never ends.
func TestOneThatHangsHoldsUpNobody(t *testing.T) {
	s := newStage(t)
	s.isolated()
	for i := range 20 {
		s.pod(fmt.Sprintf("c%d", i), "e")
	}
	list, err := s.fake.List(t.Context())
	require.NoError(t, err)
	stuck := list[0].ID
	s.close()
	s.openThrough(hang(func(call engine.Call) bool { return call.Target == stuck }))
	s.isolated()
	s.eventually("all but one go", func() bool { return s.left() == 1 })
}

// TestOneListForAll: what finding costs does not grow with the number of what is found, and nothing is inspected whose cgroup
// is there.
func TestOneListForAll(t *testing.T) {
	s := newStage(t)
	s.close()
	const n = 200
	for i := range n {
		run := fmt.Sprintf("c%d", i)
		s.pod(run, "e")
		require.NoError(t, s.host.Create("/"+s.root+"/"+run, "memory"))
	}
	t.Cleanup(func() { require.NoError(t, s.host.Remove(context.Background(), "/"+s.root)) })
	s.open()
	before := len(s.fake.Calls())
	s.isolated()
	s.eventually("all go", func() bool { return s.left() == 0 })
	lists, finding, inspects, removals := 0, 0, 0, 0
	for _, call := range s.fake.Calls()[before:] {
		switch method, _, _ := strings.Cut(call, " "); method {
		case "List":
			if lists++; removals == 0 {
				finding++
			}
		case "Inspect":
			inspects++
		case "Remove":
			removals++
		}
	}
	require.Zero(t, inspects)
	require.Less(t, finding, maxSweeps, "one finds all, and those that are about to go look together")
	require.Less(t, lists, n)
}

// Closing while the engine is down is not its return.
func TestCloseDoesNotSayThatTheEngineAnswers(t *testing.T) {
	s := newStage(t)
	var said strings.Builder // written by goroutines that close waits for
	s.log.SetOutput(&said)
	s.isolated()
	s.fake.Fail(engine.MethodList, errdefs.ErrUnavailable, enginetest.Always)
	s.fake.Fail(engine.MethodInfo, errdefs.ErrUnavailable, enginetest.Always)
	require.Equal(t, Unavailable, s.do("cleanup", `{"container":"c1"}`).status)
	s.close()
	require.Contains(t, said.String(), "can't be reached")
	require.NotContains(t, said.String(), "answers")
}
