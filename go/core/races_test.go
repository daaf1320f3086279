package core

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/reaper"
)

// A comparison takes what neither lives nor is owed for an orphan, with the agent's own cgroup: a container that ends is owed before
// anybody sees that it does not live.
func TestARunThatEndsIsOwedAtOnce(t *testing.T) {
	s := newStage(t)
	s.isolated()
	s.ok("prepare", s.launched("c1"))
	s.ledger.mu.Lock()
	out, _ := s.start("cleanup", `{"container":"c1"}`, 0)
	seen := make(chan bool, 1)
	go func() {
		for s.census.alive()["c1"] { // waits for the census, or for the end
			time.Sleep(time.Millisecond)
		}
		seen <- true
	}()
	select {
	case <-seen:
		_, owed := s.ledger.runs["c1"]
		s.ledger.mu.Unlock()
		require.True(t, owed)
	case <-time.After(200 * time.Millisecond):
		s.ledger.mu.Unlock()
	}
	require.Equal(t, OK, s.wait("cleanup", out).status)
}

// Nor is it without a debt between a clean-up and what follows that.
func TestWhatFollowsACleanUpIsOwedAtOnce(t *testing.T) {
	s := newStage(t)
	s.isolated()
	owed := make(chan bool, 1)
	s.ledger.owe(debt{Container: "c1", sworn: true}, func(error) { owed <- s.ledger.owes("c1") })
	select {
	case is := <-owed:
		require.True(t, is)
	case <-time.After(patience):
		require.FailNow(t, "nobody tells it")
	}
}

// What is owed at once stays so, whatever else is owed of the run for later.
func TestALaterReasonPutsNothingOff(t *testing.T) {
	var l ledger
	l.open()
	now := time.Now()
	l.owe(debt{Container: "c1", Next: now, sworn: true}, nil)
	l.owe(debt{Container: "c1", Next: now.Add(time.Hour), sworn: true, last: true}, nil)
	due, _ := l.begin(now, func(*debt) bool { return true }, 1)
	require.Len(t, due, 1)
	require.False(t, due[0].last)
}

// Whose a run's own cgroup is may become known while the run is cleaned up, which then is done again.
func TestWhatAnAgentDisownsMayBeUnderWay(t *testing.T) {
	var l ledger
	l.open()
	now := time.Now()
	l.owe(debt{Container: "dead", Next: now}, nil)
	l.owe(debt{Container: "lives", Next: now, Whole: true}, nil)
	for _, left := range []int{2, 0} {
		due, _ := l.begin(now, func(*debt) bool { return true }, 2)
		require.Len(t, due, 2)
		l.disown(reaper.Live{"lives": true})
		for _, one := range due {
			l.finish(one.Container, nil, nil, now)
		}
		require.Equal(t, left, l.size())
		for _, one := range l.runs {
			require.Equal(t, one.Container == "dead", one.Whole)
		}
	}
}

// The journal of an earlier life may owe a run that the agent has, with its own cgroup: that stays the agent's, at its cleanup too.
func TestADebtOfARunThatLives(t *testing.T) {
	s := newStage(t)
	s.Close()
	own := "/" + s.root + "/c1"
	t.Cleanup(func() { require.NoError(t, s.host.Remove(context.Background(), "/"+s.root)) })
	require.NoError(t, s.host.Create(own, "memory"))
	for _, whole := range []bool{false, true} {
		text, err := json.Marshal(page{Version: journalVersion, Runs: []debt{{Container: "c1", Whole: whole}}})
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(s.journal.path), 0o755))
		require.NoError(t, os.WriteFile(s.journal.path, text, 0o600))
		s.open()
		require.Equal(t, 1, s.snapshot().Owed)
		s.ok("attach", `{"module":"isolator"}`)
		s.ok("recover", `{"states":[],"orphans":[{"value":"c1"}]}`)
		s.eventually("there is nothing to do until the cleanup", func() bool { return s.snapshot().Owed == 0 })
		s.ok("cleanup", `{"container":"c1"}`)
		hi, err := s.host.Hierarchy("memory")
		require.NoError(t, err)
		require.DirExists(t, filepath.Join(hi.Dir, own))
		s.close()
	}
}

// The watch of a run ends with the run and with the core, also where it begins too late.
func TestNoWatchOutlivesItsRun(t *testing.T) {
	s := newStage(t)
	t.Cleanup(func() { require.NoError(t, s.host.Remove(context.Background(), "/"+s.root)) })
	s.isolated()
	for _, run := range []string{"c1", "c2", "c3"} {
		require.NoError(t, s.host.Create("/"+s.root+"/"+run, "memory"))
		s.ok("prepare", s.launched(run))
	}
	watched := func() (runs []string) {
		s.watches.mu.Lock()
		defer s.watches.mu.Unlock()
		for run := range s.watches.runs {
			runs = append(runs, run)
		}
		return runs
	}
	require.Len(t, watched(), 3)
	s.ok("cleanup", `{"container":"c1"}`)
	s.watchMemory("c1")
	require.ElementsMatch(t, []string{"c2", "c3"}, watched())
	s.Close()
	s.watchMemory("c2")
	require.Empty(t, watched())

	s.open()
	s.isolated()
	s.ok("prepare", s.launched("c3"))
	require.Len(t, watched(), 1)
	s.ok("hook.removed", fmt.Sprintf(`{"framework":"f","executor":"e","at_ns":%d}`, time.Now().UnixNano()))
	require.Empty(t, watched(), "nobody told the end of its container")
}

// held is an engine whose calls of a method wait until they are let go, whatever their context says. at says that one waits.
func held(method engine.Method) (around engine.Interceptor, at <-chan struct{}, letGo func()) {
	waits, goOn := make(chan struct{}, 100), make(chan struct{})
	return func(ctx context.Context, call engine.Call, next func(context.Context) error) error {
		if call.Method == method {
			waits <- struct{}{}
			<-goOn
			ctx = context.WithoutCancel(ctx)
		}
		return next(ctx)
	}, waits, func() { close(goOn) }
}

// A launch that the agent did not wait for may fail when its container has ended: that one does not live for ever.
func TestALaunchThatFailsAfterTheEndOfItsContainer(t *testing.T) {
	s := newStage(t)
	s.close()
	around, at, letGo := held(engine.MethodInfo)
	s.openThrough(around)
	s.isolated()
	run := strings.Repeat("x", 300) // which can't name a cgroup
	launch, _ := s.start("prepare", s.launched(run), 0)
	<-at
	s.census.over(run, func() {})
	letGo()
	e := s.wait("prepare", launch)
	require.Equal(t, Failed, e.status, e.text)
	require.False(t, s.census.lives(run))
}

// The engine may go away after it has said its cgroup driver, and come back with another.
func TestADriverOfAnEngineThatWentAway(t *testing.T) {
	s := newStage(t)
	s.close()
	around, at, letGo := held(engine.MethodInfo)
	s.openThrough(around)
	said := make(chan string, 1)
	go func() { said <- s.driver(context.Background()) }()
	<-at
	s.engineDown(errdefs.ErrUnavailable)
	letGo()
	require.NotEmpty(t, <-said)
	require.Nil(t, s.known.Load())
	s.eventually("it is back", func() bool { return s.gate.why() == nil })
	require.NotEmpty(t, s.driver(context.Background()))
	require.NotNil(t, s.known.Load())
}

// The scope may become known while somebody looks: in one scope nothing is seen of another.
func TestLooksOfTwoScopes(t *testing.T) {
	s := newStage(t)
	s.close()
	around, at, letGo := held(engine.MethodList)
	s.openThrough(around)
	for _, scope := range []string{"/one", "/two"} {
		id := labels.Identity{Scope: scope, Agent: "a", Framework: "f", Executor: "e", Container: "c" + scope[1:], Task: "t"}
		_, err := s.fake.Create(t.Context(), &engine.ContainerSpec{Service: "web", Name: id.PodID(),
			Config: &container.Config{Image: "image", Labels: id.Labels("1")}, Host: &container.HostConfig{}})
		require.NoError(t, err)
	}
	e, err := s.link.get(t.Context())
	require.NoError(t, err)
	type sight struct {
		scope string
		seen  reaper.Observed
		err   error
	}
	sights := make(chan sight, 4)
	look := func(scope string) {
		go func() {
			seen, err := s.look(t.Context(), e, reaper.Match{Scope: scope})
			sights <- sight{scope, seen, err}
		}()
	}
	look("/one")
	<-at
	for i, scope := range []string{"/one", "/two", "/one"} {
		look(scope)
		s.eventually("it waits for the next look", func() bool {
			s.looks.mu.Lock()
			defer s.looks.mu.Unlock()
			return len(s.looks.waiting) == i+1
		})
	}
	letGo()
	for range 4 {
		one := <-sights
		require.NoError(t, one.err)
		require.Len(t, one.seen.Containers, 1)
		require.Equal(t, one.scope, one.seen.Containers[0].Labels[labels.Scope])
	}
}

// closable is an engine that says when its connection is closed.
type closable struct {
	engine.Gateway
	closed chan struct{}
}

func (c closable) Close() error { close(c.closed); return nil }

// A core may be closed while it connects.
func TestAConnectionIsClosedWithTheCore(t *testing.T) {
	connecting, goOn := make(chan struct{}), make(chan struct{})
	made := closable{enginetest.New(), make(chan struct{})}
	l := newLink(func(context.Context) (engine.Gateway, error) {
		close(connecting)
		<-goOn
		return made, nil
	}, "", &metrics{})
	failed := make(chan error, 1)
	go func() { _, err := l.get(context.Background()); failed <- err }()
	<-connecting
	l.close()
	close(goOn)
	require.Error(t, <-failed)
	<-made.closed
}

// A launch goes on after its deadline, maybe before the core has come to take note of its container.
func TestALaunchThatIsNotedLate(t *testing.T) {
	s := newStage(t)
	s.isolated()
	goOn := make(chan struct{})
	defer close(goOn)
	f := func(point string) {
		if point == "prepare" {
			<-goOn
		}
	}
	s.inject.Store(&f)
	launch, _ := s.start("prepare", s.launched("c1"), time.Millisecond)
	require.Equal(t, Timeout, s.wait("prepare", launch).status)
	s.process("c1")
	s.pod("c1", "e")
	s.ok("reconcile", "{}")
	s.compared()
	require.False(t, s.ledger.owes("c1"), "what has a process lives")
	require.Equal(t, 1, s.left())
}
