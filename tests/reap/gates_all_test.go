//go:build all

package reap

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// gates are what stands between the core and what is not a dead pod's of this agent: each as the code that has it, with the
// code that has not, and the scenario that sees the difference.
var gates = []struct {
	name     string
	file     string
	changes  []string // from, to, ...
	scenario func(t testing.TB, core string)
}{
	{"whole labels", "go/reaper/proof.go", []string{"case !whole:", "case false && !whole:"}, somebodyElses},
	{"the pod id that the ids give", "go/reaper/proof.go", []string{"case pod != id.PodID():", "case false:"}, somebodyElses},
	{"the pod's name", "go/reaper/proof.go", []string{"case !named(t, pod):", "case false:"}, somebodyElses},
	{"the run's cgroup", "go/reaper/proof.go", []string{"if asked && below(", "if asked || below("}, somebodyElses},
	{"the cgroup that is seen", "go/reaper/proof.go", []string{"if settled(t, own, seen.Cgroups) {", "if true || settled(t, own, seen.Cgroups) {"}, somebodyElses},
	{"the agent's scope", "go/reaper/match.go", []string{"{labels.Scope, m.Scope}", `{labels.Scope, ""}`}, somebodyElses},
	{
		"the framework and executor that were removed", "go/core/work.go",
		[]string{
			"m.Framework, m.Executor = s.executors[0].Framework, s.executors[0].Executor", "_ = m", "by := ", "_ = ", // what is listed
			"by[[2]string{one.Framework, one.Executor}]", "seen",
			"match.Framework, match.Executor, match.Before = one.Framework, one.Executor, one.At", "match.Before = one.At",
		},
		func(t testing.TB, core string) { twoFrameworks(t, core, []string{hook}) },
	},
	{
		"the time of the removal", "go/reaper/plan.go", []string{"!m.Before.IsZero() && born.After(m.Before)", "false"},
		func(t testing.TB, core string) { newRun(t, core, []string{hook}) },
	},
	{"what lives", "go/reaper/plan.go", []string{"|| live[run] ||", "||"}, recoveredExecutors},
	{"the recovery", "go/core/census.go", []string{"return true, s.recovered, ", "return true, true, "}, recoveredExecutors},
	{"the agent's own cgroups", "go/core/sweep.go", []string{"if !d.Whole {", "if false {"}, recoveredExecutors},
	{"the grace of the newborn", "go/reaper/plan.go", []string{"m.Grace > 0 && now.Sub(born) < m.Grace", "false"}, newborns},
	{"dry run", "go/core/sweep.go", []string{"if c.dryRun {", "if false {"}, dryRun},
}

// TestAllGates: with any one gate switched off a scenario fails.
func TestAllGates(t *testing.T) {
	for _, gate := range gates {
		t.Run(gate.name, func(t *testing.T) {
			source := filepath.Join(world.checkout, gate.file)
			text, err := os.ReadFile(source)
			require.NoError(t, err)
			without := string(text)
			for i := 0; i < len(gate.changes); i += 2 {
				require.Equal(t, 1, strings.Count(without, gate.changes[i]), "%s has changed: say here what the gate is now", gate.file)
				without = strings.Replace(without, gate.changes[i], gate.changes[i+1], 1)
			}
			changed, overlay := filepath.Join(t.TempDir(), "changed.go"), filepath.Join(t.TempDir(), "overlay.json")
			require.NoError(t, os.WriteFile(changed, []byte(without), 0o644))
			instead, err := json.Marshal(map[string]any{"Replace": map[string]string{source: changed}})
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(overlay, instead, 0o644))
			core := buildCore(t, "without "+gate.name, "-overlay="+overlay)
			w := &watched{TB: t}
			w.run(func() { gate.scenario(w, core) })
			require.True(t, w.failed.Load(), "no scenario sees that this gate is open")
		})
	}
}

// watched is a test that may fail.
type watched struct {
	testing.TB
	failed   atomic.Bool
	cleanups []func()
}

func (w *watched) Errorf(format string, args ...any) {
	w.failed.Store(true)
	w.Logf("as it should be: "+format, args...)
}

func (w *watched) FailNow() {
	w.failed.Store(true)
	runtime.Goexit()
}

func (w *watched) Failed() bool { return w.failed.Load() }

func (w *watched) Cleanup(f func()) { w.cleanups = append(w.cleanups, f) }

// run runs a scenario and then what cleans up behind it, each of which may call FailNow.
func (w *watched) run(scenario func()) {
	alone := func(f func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			f()
		}()
		<-done
	}
	alone(scenario)
	for i := len(w.cleanups) - 1; i >= 0; i-- {
		alone(w.cleanups[i])
	}
}
