package core

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
)

// However long an engine is away, so many executors are remembered and no more; of the rest it is known that there are some.
func TestRemovedExecutorsAreBounded(t *testing.T) {
	var l ledger
	l.open()
	now := time.Now()
	for i := range maxExecutors {
		l.removed(removedExecutor{Framework: "f", Executor: fmt.Sprint(i), At: now})
	}
	require.False(t, l.lookFor(now, true).compare)
	l.removed(removedExecutor{Framework: "f", Executor: "one more", At: now})
	require.Equal(t, maxExecutors, l.size())
	require.True(t, l.lookFor(now, true).compare, "it is found among everything")
	later := now.Add(time.Second)
	l.removed(removedExecutor{Framework: "f", Executor: "0", At: later})
	require.Equal(t, later, l.executors[[2]string{"f", "0"}].At, "one that is known is none more")
}

// An engine may come back before the last of those is taken back that could not reach it: that one, too, is tried again then.
func TestAPostponedRunWakes(t *testing.T) {
	var l ledger
	l.open()
	told := 0
	l.owe(debt{Container: "c1"}, func(error) { told++ })
	due, _ := l.begin(time.Now(), func(*debt) bool { return true }, 1)
	require.Len(t, due, 1)
	<-l.wake
	l.postpone("c1", errors.New("no engine"))
	require.Equal(t, 1, told)
	require.Len(t, l.wake, 1)
}

// An engine may go away between an end that is told and the beginning of its clean-up: who waits for that is told, too.
func TestACleanupNotBegunIsTold(t *testing.T) {
	s := newStage(t)
	s.isolated()
	s.fake.Fail(engine.MethodInfo, errdefs.ErrUnavailable, enginetest.Always)
	at, goOn := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f := func(point string) {
		if point == "work" {
			once.Do(func() {
				close(at)
				<-goOn
			})
		}
	}
	s.inject.Store(&f)
	out, _ := s.start("cleanup", `{"container":"c1"}`, 0)
	<-at // the end is taken, the clean-up has yet to begin
	s.engineDown(errdefs.ErrUnavailable)
	close(goOn)
	e := s.wait("what nobody tells", out)
	require.Equal(t, Unavailable, e.status, e.text)
	require.True(t, s.ledger.owes("c1"))
}

// Without a work_dir nothing can be told to be ours, which is said to who waits.
func TestACleanupOfNoScopeIsTold(t *testing.T) {
	t.Setenv("MESOS_WORK_DIR", "")
	s := newStage(t, "work_dir", "")
	s.ok("attach", `{"module":"isolator"}`)
	s.ok("recover", "{}")
	e := s.do("cleanup", `{"container":"c1"}`)
	require.Equal(t, Unavailable, e.status)
	require.Contains(t, e.text, "work_dir")
}

// A fault in the journal's own goroutine loses nothing, also where nothing changes afterwards.
func TestTheJournalIsWrittenAfterAFault(t *testing.T) {
	s := newStage(t)
	s.isolated()
	s.fake.Fail(engine.MethodList, errdefs.ErrUnavailable, enginetest.Always)
	s.fake.Fail(engine.MethodInfo, errdefs.ErrUnavailable, enginetest.Always)
	require.Equal(t, Unavailable, s.do("cleanup", `{"container":"c1"}`).status)
	var hits atomic.Int64
	f := func(at string) {
		if at == "journal" && hits.Add(1) == 1 {
			panic("injected")
		}
	}
	s.inject.Store(&f)
	s.ok("hook.removed", fmt.Sprintf(`{"framework":"f","executor":"the last","at_ns":%d}`, time.Now().UnixNano()))
	text, err := os.ReadFile(s.journal.path)
	require.NoError(t, err)
	require.Contains(t, string(text), `"executor":"the last"`)
}

// TestInspectionsThatHangHoldUpNobody: together they take longer than a look may.
func TestInspectionsThatHangHoldUpNobody(t *testing.T) {
	t.Parallel() // it mostly waits
	s := newStage(t)
	s.close()
	hung := int(lookPatience/(2*time.Second)) + 1
	for i := range hung {
		s.pod(fmt.Sprintf("hangs-%d", i), "hangs-"+fmt.Sprint(i))
	}
	s.pod("dead", "z")
	list, err := s.fake.List(t.Context())
	require.NoError(t, err)
	stuck := map[string]bool{}
	for _, c := range list {
		stuck[c.ID] = strings.Contains(c.Labels["io.dce.executor"], "hangs")
	}
	s.openThrough(hang(func(call engine.Call) bool { return call.Method == engine.MethodInspect && stuck[call.Target] }), "grace", "1hrs")
	s.isolated()
	all := search{executors: []removedExecutor{{Framework: "f", Executor: "z", At: time.Now().Add(time.Second)}}}
	for i := range hung {
		all.executors = append(all.executors, removedExecutor{Framework: "f", Executor: fmt.Sprintf("hangs-%d", i), At: time.Now().Add(time.Second)})
	}
	require.NoError(t, s.search(all))
	s.eventually("the one that does not hang goes", func() bool { return s.left() == hung })
}

// The scope is what the path of a sandbox begins with, which has no slash too many.
func TestAgentsWorkDir(t *testing.T) {
	proc := t.TempDir()
	line := filepath.Join(proc, "self", "cmdline")
	require.NoError(t, os.Mkdir(filepath.Dir(line), 0o755))
	for given, want := range map[string]string{
		"--work_dir=/var/lib/mesos": "/var/lib/mesos", "--work_dir=/var/lib/mesos/": "/var/lib/mesos", "--work_dir=file:///x": "", "--port=1": "/env",
	} {
		t.Setenv("MESOS_WORK_DIR", "/env/")
		require.NoError(t, os.WriteFile(line, []byte("mesos-agent\x00"+given+"\x00--x"), 0o644))
		require.Equal(t, want, agentWorkDir(proc), given)
	}
}
