package core

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/oom"
)

// noted puts a container into a sandbox of its own, with the kills that its executor noted there.
func (s *stage) noted(container, command string, kills ...oom.Kill) (sandbox string) {
	s.Helper()
	sandbox = filepath.Join(s.TempDir(), "slaves/a/frameworks/f/executors/e/runs", container)
	require.NoError(s, os.MkdirAll(sandbox, 0o755))
	text, err := json.Marshal(oom.File{Containers: map[string]string{"1": "web"}, Kills: kills})
	require.NoError(s, err)
	require.NoError(s, os.WriteFile(filepath.Join(sandbox, oom.FileName), text, 0o644))
	s.ok("prepare", fmt.Sprintf(`{"container":%q,"config":{"directory":%q,"executor_info":{"executor_id":{"value":"e"},"framework_id":{"value":"f"}},"command_info":{"value":%q}}}`,
		container, sandbox, command))
	return sandbox
}

func (s *stage) attribution(container string) string {
	s.Helper()
	e := s.do("attribute", fmt.Sprintf(`{"container":%q}`, container))
	require.Equal(s, OK, e.status, e.text)
	return e.text
}

func TestWhatTheKernelKilledIsAttributed(t *testing.T) {
	s := newStage(t)
	s.isolated()
	now := time.Now()
	kill := oom.Kill{Service: "web", Limit: "pod", Bytes: 64 << 20, Usage: 63 << 20, Message: "the kernel killed it", At: now}
	older := oom.Kill{Service: "db", Limit: "container", At: now.Add(-time.Second)}
	s.noted("c1", "./dce-executor", older, kill)
	require.JSONEq(t, `{"executor_id":{"value":"e"},"framework_id":{"value":"f"},"labels":{"labels":[
		{"key":"io.dce.oom.limit","value":"pod"},{"key":"io.dce.oom.limit_bytes","value":"67108864"},
		{"key":"io.dce.oom.message","value":"Service web ran out of memory: the kernel killed it."},
		{"key":"io.dce.oom.service","value":"web"},{"key":"io.dce.oom.usage_bytes","value":"66060288"}]}}`, s.attribution("c1"))

	s.noted("c5", "./dce-executor", kill, oom.Kill{Service: "db", Limit: "container", At: now.Add(time.Second)})
	require.Contains(t, s.attribution("c5"), `{"key":"io.dce.oom.service","value":"web"}`, "the limit of all ended the pod")

	kill.At = now.Add(-time.Hour)
	s.noted("c2", "./dce-executor", kill)
	require.Equal(t, "{}", s.attribution("c2"), "a kill of long ago did not end the container")
	kill.At = now
	s.noted("c3", "sleep 1", kill)
	require.Equal(t, "{}", s.attribution("c3"), "not ours")
	s.noted("c4", "./dce-executor")
	require.Equal(t, "{}", s.attribution("c4"))
	require.Equal(t, "{}", s.attribution("unknown"))
}

// An agent that hears of a task's limit leaves its executor no time to note anything.
func TestAKillThatTheExecutorCouldNotNote(t *testing.T) {
	s := newStage(t)
	own := "/" + s.root + "/c1"
	t.Cleanup(func() { require.NoError(t, s.host.Remove(context.Background(), "/"+s.root)) })
	require.NoError(t, s.host.Create(own+"/1", "memory"))
	require.NoError(t, s.host.Write("memory", own, "memory.limit_in_bytes", "16777216"))
	require.NoError(t, s.host.Write("memory", own, "memory.memsw.limit_in_bytes", "16777216"))
	s.isolated()
	s.noted("c1", "./dce-executor")
	require.Equal(t, "{}", s.attribution("c1"))

	eater := exec.Command("sh", "-c", "read go; exec tail /dev/zero")
	tell, err := eater.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, eater.Start())
	t.Cleanup(func() { _ = eater.Process.Kill(); _ = eater.Wait() })
	require.NoError(t, s.host.AddProc(own+"/1", eater.Process.Pid, "memory"))
	_, err = tell.Write([]byte("go\n"))
	require.NoError(t, err)
	s.eventually("the kill is known", func() bool { return s.attribution("c1") != "{}" })
	said := s.attribution("c1")
	require.Contains(t, said, `{"key":"io.dce.oom.service","value":"web"}`)
	require.Contains(t, said, `{"key":"io.dce.oom.limit","value":"pod"},{"key":"io.dce.oom.limit_bytes","value":"16777216"}`)
	require.Contains(t, said, "Service web ran out of memory: the kernel killed it at the limit of the whole pod")

	s.ok("cleanup", `{"container":"c1"}`)
	require.Equal(t, "{}", s.attribution("c1"))
	require.Empty(t, s.watches.runs)
}

// An agent that is back finds what the kernel killed before, which did not end the container, and nobody knows when it was.
func TestAKillFromBeforeTheWatchIsNoCause(t *testing.T) {
	w := &memoryWatch{}
	kill := cgroup.OOM{Name: "1", Kills: 1, Level: cgroup.LevelOwn, At: time.Now(), Before: true}
	w.killed(kill)
	require.Empty(t, w.kills)
	kill.Before = false
	w.killed(kill)
	require.Len(t, w.kills, 1)
}

// Containers can write to the sandbox.
func TestAnAttributionIsBounded(t *testing.T) {
	s := newStage(t)
	s.isolated()
	huge := strings.Repeat("é", 10000)
	sandbox := s.noted("c1", "./dce-executor", oom.Kill{Service: huge, Limit: huge, Message: huge, At: time.Now()})
	require.Less(t, len(s.attribution("c1")), 6*maxLabel)
	require.NoError(t, os.WriteFile(filepath.Join(sandbox, oom.FileName), []byte("{"), 0o644))
	require.Equal(t, "{}", s.attribution("c1"))
	require.NoError(t, os.RemoveAll(sandbox))
	require.Equal(t, "{}", s.attribution("c1"))
}

// A launch goes on where the core fails; its pod must not be taken for an orphan.
func TestAPodWhoseLaunchWasMissedIsNoOrphan(t *testing.T) {
	s := newStage(t)
	s.isolated()
	require.Equal(t, Invalid, s.do("prepare", `{"container":"c1","config":{"user":1}}`).status)
	s.process("c1")
	s.pod("c1", "e")
	s.pod("c2", "e")
	s.ok("reconcile", "{}")
	s.compared()
	require.False(t, s.ledger.owes("c1"), "what has a process lives")
	s.eventually("the orphan goes", func() bool { return s.left() == 1 })
}
