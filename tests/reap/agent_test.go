package reap

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// began tells an agent's process of the beginning of its life.
func (p *agentProcess) began() {
	p.Helper()
	for _, module := range []string{"hook", "isolator"} {
		require.Equal(p, "0 {}", p.do("attach", map[string]any{"module": module}))
	}
	require.Equal(p, "0 {}", p.do("recover", map[string]any{"containers": []any{}, "orphans": []any{}}))
}

// TestAgentGoneBetweenHookAndRemoval: the engine is down, so that nothing is removed before the agent's process dies.
func TestAgentGoneBetweenHookAndRemoval(t *testing.T) {
	for name, lost := range map[string]bool{"the journal is there": false, "the journal is lost": true} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			first := startAgentProcess(t, h.config("work_dir", h.workDir), 0)
			first.began()
			p := h.agent().running("executor", longLived)
			require.NoError(t, world.box.Pause())
			p.die()
			require.Equal(t, "0 {}", first.do("hook.removed", removal(p, time.Now())))
			first.kill()
			require.NoError(t, world.box.Resume())
			require.Len(t, p.containers(), 2, "nothing was removed so far")
			journal := filepath.Join(h.runtime, "isolators", "org_apache_mesos_ComposePodIsolator", "journal.json")
			require.FileExists(t, journal)
			if lost {
				require.NoError(t, os.Remove(journal))
			}
			startAgentProcess(t, h.config("work_dir", h.workDir), 0).began()
			h.clean()
		})
	}
}

// TestAgentGoneBetweenTwoRemovals: the agent's process dies right before the second container is removed.
func TestAgentGoneBetweenTwoRemovals(t *testing.T) {
	h := newHost(t)
	first := startAgentProcess(t, h.config("work_dir", h.workDir), 2)
	first.began()
	p := h.agent().running("executor", longLived)
	p.die()
	first.do("hook.removed", removal(p, time.Now()))
	first.died()
	require.LessOrEqual(t, len(p.containers()), 2)
	require.NotEmpty(t, p.containers())
	startAgentProcess(t, h.config("work_dir", h.workDir), 0).began()
	h.clean()
}

// TestAgentWithANewID has the work_dir of the one before, and knows none of its executors.
func TestAgentWithANewID(t *testing.T) {
	h := newHost(t)
	p := h.agent().running("executor", longLived)
	p.die()
	m := h.both()
	h.clean()
	require.EqualValues(t, 1, m.metrics().OrphansFound)
}

// TestRecoveredContainersLive: an agent that restarts recovers one executor and not the other.
func TestRecoveredContainersLive(t *testing.T) {
	h := newHost(t)
	a := h.agent()
	lives, dead := a.running("lives", longLived), a.running("dead", longLived)
	dead.die()
	m := h.module("work_dir", h.workDir) // the recovery, not the work_dir, is what it waits for
	m.ok("attach", map[string]any{"module": "isolator"})
	m.ok("reconcile", struct{}{})
	time.Sleep(500 * time.Millisecond)
	require.Len(t, dead.containers(), 2, "nothing is an orphan before the recovery")
	m.ok("recover", map[string]any{"containers": []any{map[string]any{"container": lives.run.ID, "sandbox": lives.run.Sandbox,
		"framework": lives.FrameworkID(), "executor": lives.executor, "pid": lives.run.Pid()}}, "orphans": []string{}})
	h.clean(lives.list()...)
	lives.die()
	m.ended(lives)
	h.clean()
}

// TestNewbornsAreLeftAlone until they are as old as the parameter grace says.
func TestNewbornsAreLeftAlone(t *testing.T) {
	h := newHost(t)
	p := h.agent().running("executor", longLived)
	p.die()
	h.both("grace", "4secs")
	time.Sleep(500 * time.Millisecond)
	require.Len(t, p.containers(), 2)
	h.clean()
}

// TestDryRunRemovesNothing, whatever the reason would be.
func TestDryRunRemovesNothing(t *testing.T) {
	h := newHost(t)
	p := h.agent().running("executor", longLived)
	p.die()
	dry := h.both("dry_run", "true")
	dry.ended(p)
	time.Sleep(500 * time.Millisecond)
	require.Len(t, p.containers(), 2)
	dry.Close()
	h.both()
	h.clean()
}

// TestTwoFrameworksWithOneExecutorID: only the pod of the framework that lost its executor goes.
func TestTwoFrameworksWithOneExecutorID(t *testing.T) {
	h := newHost(t)
	m := h.module("work_dir", h.workDir)
	m.ok("attach", map[string]any{"module": "hook"})
	one, other := h.agent().running("executor", longLived), h.agent().running("executor", longLived)
	require.NotEqual(t, one.FrameworkID(), other.FrameworkID())
	stays := other.list()
	one.die()
	m.ok("hook.removed", removal(one, time.Now()))
	h.clean(stays...)
	other.die()
	m.ok("hook.removed", removal(other, time.Now()))
	h.clean()
}

// TestNewRunOfTheSameExecutor: the executor is launched again at once, and the module gets to work only when that pod runs.
func TestNewRunOfTheSameExecutor(t *testing.T) {
	h := newHost(t)
	a := h.agent()
	old := a.running("executor", longLived)
	old.die()
	removed := time.Now()
	again := a.running("executor", longLived)
	stays := again.list()
	m := h.module("work_dir", h.workDir)
	m.ok("attach", map[string]any{"module": "hook"})
	m.ok("hook.removed", removal(old, removed))
	h.clean(stays...)
	m.ok("reconcile", struct{}{})
	time.Sleep(1500 * time.Millisecond) // so long it takes until the hook is known to be alone
	h.clean(stays...)
	again.die()
	m.ok("hook.removed", removal(again, time.Now()))
	h.clean()
}

// TestTwoAgentsOnOneHost are told apart by their work_dir, also where all other ids are the same.
func TestTwoAgentsOnOneHost(t *testing.T) {
	h := newHost(t)
	theirs := h.agent().running("executor", longLived)
	stays := theirs.list()
	m := h.both("work_dir", "/another/work_dir")
	m.ok("hook.removed", removal(theirs, time.Now()))
	m.ok("reconcile", struct{}{})
	time.Sleep(500 * time.Millisecond)
	require.Empty(t, diff(stays, theirs.list()))
	m.Close()
	theirs.die()
	h.both()
	h.clean()
}
