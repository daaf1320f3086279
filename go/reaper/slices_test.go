package reaper

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
	"github.com/dce-go/dce/go/tree"
	"github.com/dce-go/dce/go/tree/bustest"
	"github.com/dce-go/dce/tests/fakehost"
)

// The slice of a run proves what the directory of a run proves, and goes with it.
func TestPlanOfSlices(t *testing.T) {
	run := identity("c-1")
	const slice = `/dce.slice/dce-c\x2d1.slice`
	m := Match{Scope: "/var/lib/mesos", CgroupRoots: []string{"/mesos", "/dce"}, Cause: "it ended"}
	web, db := ctr("111", run, "-web-1", engine.StatusRunning), ctr("112", run, "-db-1", engine.StatusExited)
	both := []engine.Container{web, db}
	removed := `
run c-1
  remove container POD-db-1 (exited): it ended
  remove container POD-web-1 (running): it ended
`
	slashed := strings.NewReplacer(run.PodID(), "POD")
	for name, c := range map[string]struct {
		seen Observed
		want string
	}{
		"its scope in its slice": {Observed{Containers: both, Cgroups: []string{slice, slice + "/docker-111.scope"}},
			removed + "  remove cgroup " + slice + ": it ended\n"},
		"in the slice of another run": {Observed{Containers: both[:1], Cgroups: []string{`/dce.slice/dce-c\x2d2.slice`, `/dce.slice/dce-c\x2d2.slice/docker-111.scope`}},
			"\nleave container POD-web-1 (running): its cgroup is not /mesos/c-1 or /dce/c-1 or " + slice + "\n"},
		"its parent, as the engine says": {Observed{Containers: both[1:], Details: map[string]engine.Details{"112": {CgroupParent: `dce-c\x2d1.slice`}}}, `
run c-1
  remove container POD-db-1 (exited): it ended
`},
		"the parent of another run": {Observed{Containers: both[1:], Details: map[string]engine.Details{"112": {CgroupParent: "dce-c-1.slice"}}},
			"\nleave container POD-db-1 (exited): it was put below the cgroup dce-c-1.slice and not /mesos/c-1 or /dce/c-1 or " + slice + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, "\n"+slashed.Replace(NewPlan(m, c.seen, nil, noon.Add(time.Hour)).String()))
		})
	}
}

// unified is a host with cgroup v2, of files.
func unified(t *testing.T) (string, *cgroup.Host) {
	t.Helper()
	root := fakehost.Root(t, map[string]string{
		"proc/self/cgroup": "0::/\n", "proc/self/mountinfo": "30 1 0:30 / /cg rw - cgroup2 cgroup2 rw\n", "cg/cgroup.controllers": "memory"})
	host, err := cgroup.Open(cgroup.Options{Root: root, Patience: 1})
	require.NoError(t, err)
	return root, host
}

// A sweep has systemd forget the slice of a run, also where the agent keeps cgroups of its own.
func TestSweepRemovesSlices(t *testing.T) {
	root, host := unified(t)
	bus := bustest.Start(t)
	bus.Behave(bustest.Behaviour{OnStart: func(unit string) {
		require.NoError(t, os.MkdirAll(filepath.Join(root, "cg/dce.slice", unit), 0o755))
	}})
	slice, err := tree.New(host, cgroup.DriverSystemd, "c-1")
	require.NoError(t, err)
	require.NoError(t, slice.Make(context.Background(), tree.Limits{}))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "cg/dce/c-1"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "cg/mesos/c-1"), 0o755))
	s := Sweeper{Engine: enginetest.New(), Cgroups: host, Keep: func(cgroup.Hierarchy, string) bool { return true }}
	report, err := s.Sweep(t.Context(), Match{Scope: "/s", Container: "c-1", CgroupRoots: []string{"/mesos", "/dce"}})
	require.NoError(t, err)
	require.Len(t, report.Removed, 2, "%v", report)
	require.False(t, bus.Knows(slice.Parent))
	require.NoDirExists(t, filepath.Join(root, "cg/dce.slice", slice.Parent))
	require.NoDirExists(t, filepath.Join(root, "cg/dce/c-1"))
	require.DirExists(t, filepath.Join(root, "cg/mesos/c-1"))

	require.NoError(t, slice.Make(context.Background(), tree.Limits{}))
	seen, err := Observe(t.Context(), enginetest.New(), host, Match{Scope: "/s", CgroupRoots: []string{"/mesos", "/dce"}})
	require.NoError(t, err)
	require.Equal(t, []string{slice.Path, "/mesos/c-1"}, seen.Cgroups)
}

// A tree without any container, whose executor died before it made one, is found by what it says of itself.
func TestPlanOfATreeAlone(t *testing.T) {
	dead, alive, young := tree.Owner{Scope: "/var/lib/mesos", Framework: "f", Executor: "e", Container: "c1"}, tree.Owner{Scope: "/var/lib/mesos", Container: "c2"}, tree.Owner{Scope: "/var/lib/mesos", Container: "c3"}
	seen := Observed{
		Cgroups: []string{"/dce/c1", "/dce/c2", "/dce/c3", "/dce/c4", "/dce/c5"},
		Trees: []tree.Claimed{{Path: "/dce/c1", Owner: dead, Since: noon}, {Path: "/dce/c2", Owner: alive, Since: noon},
			{Path: "/dce/c3", Owner: young, Since: noon.Add(time.Minute)}, {Path: "/dce/c4", Owner: tree.Owner{Scope: "/elsewhere", Container: "c4"}, Since: noon}},
	}
	m := Match{Scope: "/var/lib/mesos", CgroupRoots: []string{"/mesos", "/dce"}, Cause: "it died", Grace: 10 * time.Second}
	plan := NewPlan(m, seen, Live{"c2": true}, noon.Add(time.Minute))
	require.Equal(t, "run c1\n  remove cgroup /dce/c1: it died\nleave cgroup /dce/c3: its run is younger than 10s\n", plan.String())
	require.Len(t, seen.ByExecutor()[[2]string{"f", "e"}].Trees, 1)
	m.Framework = "g"
	require.Empty(t, NewPlan(m, seen, nil, noon.Add(time.Hour)).String())
}

// On this machine: an executor made its tree and died.
func TestSweepOfATreeAlone(t *testing.T) {
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	owner := tree.Owner{Scope: t.TempDir(), Framework: "f", Executor: "e", Container: "test-reaper-" + uuid.NewString()}
	lost, err := tree.New(host, cgroup.DriverCgroupfs, owner.Container)
	require.NoError(t, err)
	require.NoError(t, lost.Make(t.Context(), tree.Limits{}), "this test makes cgroups on this machine: run it as root")
	t.Cleanup(func() { require.NoError(t, lost.Remove(context.Background())) })
	require.NoError(t, lost.Claim(owner))
	report, err := Sweep(t.Context(), enginetest.New(), host, Match{Scope: owner.Scope, CgroupRoots: []string{"/dce"}})
	require.NoError(t, err)
	require.Len(t, report.Removed, 1)
	require.Equal(t, lost.Path, report.Removed[0].ID)
	there, err := host.Exists(lost.Path)
	require.NoError(t, err)
	require.False(t, there)
}

// An agent's isolator has made the tree of a run whose executor has yet to come: its launcher's helper is in the run's cgroup.
func TestATreeLivesWithTheCgroupOfItsRun(t *testing.T) {
	root, host := unified(t)
	for _, one := range []struct{ run, processes string }{{"c1", "42\n"}, {"c2", ""}} {
		fakehost.Put(t, root, "cg/mesos/"+one.run+"/cgroup.procs", one.processes)
	}
	seen := Observed{Cgroups: []string{"/dce/c1", "/dce/c2", "/mesos/c1", "/mesos/c2"}}
	for _, run := range []string{"c1", "c2"} {
		seen.Trees = append(seen.Trees, tree.Claimed{Path: "/dce/" + run, Owner: tree.Owner{Scope: "/s", Framework: "f", Executor: "e", Container: run}})
	}
	live, err := LiveRuns(t.Context(), t.TempDir(), host, Match{Scope: "/s", CgroupRoots: []string{"/mesos", "/dce"}}, seen)
	require.NoError(t, err)
	require.Equal(t, Live{"c1": true}, live)
}
