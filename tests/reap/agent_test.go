package reap

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/tests/faulty"
	"github.com/dce-go/dce/tests/harness"
)

// checkpointing is a framework whose executors outlive the agent.
func checkpointing(o *localagent.Options) { o.Framework = mesos.FrameworkInfo{Checkpoint: new(true)} }

// down ends the agent with its process, as a crash does.
func (a *agent) down() {
	a.host.Helper()
	a.host.kill()
	require.NoError(a.host, a.Down())
}

// TestAgentGoneBetweenHookAndRemoval: the engine hangs, so that nothing is removed before the agent's process dies.
func TestAgentGoneBetweenHookAndRemoval(t *testing.T) {
	for name, c := range map[string]struct {
		modules []string
		lost    bool
	}{"hook alone": {[]string{hook}, false}, "both and a lost journal": {[]string{hook, isolator}, true}} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			first := h.load(c.modules)
			if h.with(isolator) != nil {
				h.recover(first, nil, nil)
			}
			p := h.agent().running("executor", longLived)
			require.NoError(t, world.box.Pause())
			p.die()
			journal := filepath.Join(h.runtime, "isolators", "org_apache_mesos_ComposePodIsolator", "journal.json")
			require.Eventually(t, func() bool {
				var owed struct{ Executors []any }
				text, err := os.ReadFile(journal)
				return err == nil && json.Unmarshal(text, &owed) == nil && len(owed.Executors) == 1
			}, harness.Patience, pollEvery)
			h.kill()
			require.NoError(t, world.box.Resume())
			require.Len(t, p.containers(), 2, "nothing was removed so far")
			if c.lost {
				require.NoError(t, os.Remove(journal))
			}
			h.back()
			second := h.load(c.modules)
			if h.with(isolator) != nil {
				h.recover(second, nil, nil)
			}
			h.clean()
		})
	}
}

// TestAgentGoneBetweenTwoRemovals: the agent's process dies when the first container is removed.
func TestAgentGoneBetweenTwoRemovals(t *testing.T) {
	h := newHost(t)
	proxy, err := faulty.Start(world.box.Host())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	// From the second on they are held back, so that they do not all arrive before the process is dead.
	reached, _ := proxy.Hold("DELETE /containers/", 2, faulty.Before)
	h.engine = proxy.Host()
	h.start()
	p := h.agent().running("executor", longLived)
	p.slay()
	select {
	case <-reached:
	case <-time.After(harness.Patience):
		require.FailNow(t, "the core does not remove two containers")
	}
	h.kill()
	p.Over()
	require.NotEmpty(t, p.containers())
	h.back()
	h.engine = world.box.Host()
	h.start()
	h.clean()
}

// TestAgentWithANewID has the work_dir of the one before and knows none of its executors: its launcher finds the cgroup of an
// executor that lives, and destroys it as an orphan. Of one that died meanwhile there is nothing that it knows.
func TestAgentWithANewID(t *testing.T) {
	h := newHost(t)
	h.start()
	old := h.agent(checkpointing)
	lives, dead := old.running("lives", longLived), old.running("dead", small)
	old.down()
	dead.slay()
	h.agentID = "agent-2"
	h.unknown.Store(&dead.Container.ID)
	h.agent()
	second := h.recover(h.load([]string{hook, isolator}), nil, []*pod{lives})
	h.clean(lives.list()...)
	require.EqualValues(t, 1, second.metric("orphans_found"))
	h.back()
	require.NoError(t, old.Destroy("lives")) // the launcher of the new agent does what that of the old one does
	h.clean()
	h.process.Store(nil) // of what becomes of the old agent nobody is told
}

func TestRecoveredExecutors(t *testing.T) { recoveredExecutors(t, world.core) }

// recoveredExecutors: an agent that starts again recovers one executor that lives and one that died meanwhile.
func recoveredExecutors(t testing.TB, core string) {
	h := newHost(t)
	h.core = core
	h.start()
	a := h.agent(checkpointing)
	lives, dead := a.running("lives", longLived), a.running("dead", longLived)
	a.down()
	dead.slay()
	second := h.load([]string{hook, isolator})
	time.Sleep(1500 * time.Millisecond) // a hook alone would have compared everything by now
	require.Len(t, dead.containers(), 2, "nothing is an orphan before the recovery")
	h.recover(second, []*pod{lives, dead}, nil)
	require.NoError(t, a.Up(0))
	dead.Over()
	h.clean(lives.list()...)
	lives.die()
	h.clean()
}

func TestNewbornsAreLeftAlone(t *testing.T) { newborns(t, world.core) }

// newborns are left alone until they are as old as the parameter grace says.
func newborns(t testing.TB, core string) {
	h := newHost(t)
	h.core = core
	begun := time.Now()
	h.agent().running("executor", longLived).die()
	const rest = 4 * time.Second // of the grace, for one that was born when this began
	dead := time.Now()
	h.start("grace", fmt.Sprintf("%dms", (dead.Sub(begun)+rest).Milliseconds()))
	h.cleanWithin(rest + soon)
	require.Greater(t, time.Since(dead), rest-time.Second, "it went too early; the engine tells births in whole seconds")
}

func TestDryRunRemovesNothing(t *testing.T) { dryRun(t, world.core) }

// dryRun removes nothing, whatever the reason would be.
func dryRun(t testing.TB, core string) {
	h := newHost(t)
	h.core = core
	h.start("dry_run", "true", "reconcile_interval", "1secs")
	p := h.agent().running("executor", longLived)
	p.die()
	time.Sleep(1500 * time.Millisecond)
	require.Len(t, p.containers(), 2)
	require.Equal(t, 0, h.process.Load().quit())
	h.start()
	h.clean()
}

// TestTwoFrameworksWithOneExecutorID: only the pod of the framework that lost its executor goes.
func TestTwoFrameworksWithOneExecutorID(t *testing.T) {
	for name, modules := range map[string][]string{"both": {hook, isolator}, "hook alone": {hook}} {
		t.Run(name, func(t *testing.T) { twoFrameworks(t, world.core, modules) })
	}
}

func twoFrameworks(t testing.TB, core string, modules []string) {
	h := newHost(t)
	h.core = core
	module := h.load(modules)
	if h.with(isolator) != nil {
		h.recover(module, nil, nil)
	}
	one, other := h.agent().running("executor", longLived), h.agent().running("executor", longLived)
	require.NotEqual(t, one.FrameworkID(), other.FrameworkID())
	stays := other.list()
	one.die()
	h.clean(stays...)
	h.stays(1700*time.Millisecond, stays...) // so long it takes until it is looked for a second time
	other.die()
	h.clean()
}

// TestNewRunOfTheSameExecutor: the executor is launched again right after the hook, and the module removes the old pod while
// the new one comes up.
func TestNewRunOfTheSameExecutor(t *testing.T) {
	for name, modules := range map[string][]string{"both": {hook, isolator}, "hook alone": {hook}} {
		t.Run(name, func(t *testing.T) { newRun(t, world.core, modules) })
	}
}

func newRun(t testing.TB, core string, modules []string) {
	h := newHost(t)
	h.core = core
	module := h.load(modules)
	if h.with(isolator) != nil {
		h.recover(module, nil, nil)
	}
	a := h.agent()
	a.running("executor", longLived).die()
	again := a.running("executor", longLived)
	stays := again.list()
	h.clean(stays...)
	h.stays(1700*time.Millisecond, stays...) // so long it takes until it is looked for a second time
	again.die()
	h.clean()
}

// TestTwoAgentsOnOneHost are told apart by their work_dir, also where all other ids are the same.
func TestTwoAgentsOnOneHost(t *testing.T) {
	h := newHost(t)
	theirs := h.agent().running("executor", longLived)
	stays := theirs.list()
	p, ready := spawn(t, "/another/work_dir", []string{hook, isolator}, h.settings("reconcile_interval", "1secs"))
	require.True(t, ready)
	h.recover(p, nil, nil)
	require.Empty(t, p.ask("hook", theirs.FrameworkID(), "executor").Failure)
	h.stays(2500*time.Millisecond, stays...)
	p.kill()
	theirs.die()
	h.start()
	h.clean()
}

// TestHookAlone: an agent that loads the hook and not the isolator.
func TestHookAlone(t *testing.T) {
	h := newHost(t)
	module := h.load([]string{hook}, "reconcile_interval", "1secs")
	a := h.agent()
	p, other := a.running("executor", longLived), a.running("other", longLived)
	stays := other.list()
	p.die()
	h.clean(stays...)
	// Without a call of the hook the comparison with what has a process finds it.
	h.process.Store(nil)
	other.die()
	h.clean()
	require.NotZero(t, module.metric("orphans_found"))
}
