package core

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A cleanup comes before the agent removes its own cgroups, and an agent fails where one is missing (Mesos:
// src/linux/cgroups.cpp, destroy): those stay until the executor is removed. What is below, and what the engine made in
// hierarchies that the agent does not use, goes at once.
func TestTheAgentsOwnCgroupsAreLeftToIt(t *testing.T) {
	s := newStage(t)
	own := "/" + s.root + "/c1"
	t.Cleanup(func() { require.NoError(t, s.host.Remove(context.Background(), "/"+s.root)) })
	require.NoError(t, s.host.Create(own, "memory", "cpu"))
	s.isolated()
	e := s.do("prepare", s.launched("c1"))
	require.Equal(t, OK, e.status, e.text)
	require.JSONEq(t, fmt.Sprintf(`{"environment":{"variables":[{"name":"DCE_CGROUP_PARENT","value":%q}]}}`, own), e.text)
	require.NoError(t, s.host.Create(own+"/docker")) // as the engine does, in all hierarchies
	s.pod("c1", "e")

	s.ok("cleanup", `{"container":"c1"}`)
	require.Zero(t, s.left())
	for _, hi := range s.host.Hierarchies() {
		agents := false
		for _, controller := range hi.Controllers {
			agents = agents || controller == "memory" || controller == "cpu"
		}
		require.NoDirExists(t, filepath.Join(hi.Dir, own, "docker"))
		if agents {
			require.DirExists(t, filepath.Join(hi.Dir, own))
		} else {
			require.NoDirExists(t, filepath.Join(hi.Dir, own))
		}
	}
	s.ok("hook.removed", fmt.Sprintf(`{"framework":"f","executor":"e","at_ns":%d}`, time.Now().UnixNano()))
	s.eventually("nothing is left", func() bool {
		there, err := s.host.Exists(own)
		require.NoError(t, err)
		return !there
	})
	s.eventually("all is paid", func() bool { return s.snapshot().Owed == 0 })
}

// An agent with a new id finds the cgroups of an executor that it does not know, and no removal of that executor follows: what is
// not the agent's goes as soon as the agent has removed its own.
func TestCgroupsOfARunThatANewAgentFinds(t *testing.T) {
	s := newStage(t)
	own := "/" + s.root + "/c1"
	t.Cleanup(func() { require.NoError(t, s.host.Remove(context.Background(), "/"+s.root)) })
	require.NoError(t, s.host.Create(own))
	var sweeps atomic.Int64
	agentIsDone := make(chan struct{})
	f := func(point string) {
		if point == "sweep" && sweeps.Add(1) > 1 {
			<-agentIsDone // however long that takes
		}
	}
	s.inject.Store(&f)
	s.ok("attach", `{"module":"isolator"}`)
	s.ok("recover", `{"states":[],"orphans":[{"value":"c1"}]}`)
	s.ok("cleanup", `{"container":"c1"}`)
	for _, controller := range []string{"freezer", "memory", "cpu"} {
		hi, err := s.host.Hierarchy(controller)
		require.NoError(t, err)
		require.NoError(t, os.Remove(filepath.Join(hi.Dir, own)), "the agent's own are its to remove")
	}
	close(agentIsDone)
	s.eventually("nothing is left, long before agentPatience", func() bool {
		there, err := s.host.Exists(own)
		require.NoError(t, err)
		return !there
	})
}

// The process of an executor that ended while the agent was away is a zombie where nobody waits for it, and seems to be in the
// root of every hierarchy. The agent's own cgroups are still the agent's to remove.
func TestCgroupsOfARecoveredExecutorThatIsAZombie(t *testing.T) {
	s := newStage(t)
	own := "/" + s.root + "/c1"
	t.Cleanup(func() { require.NoError(t, s.host.Remove(context.Background(), "/"+s.root)) })
	require.NoError(t, s.host.Create(own, "memory", "cpu"))
	zombie := exec.Command("true")
	require.NoError(t, zombie.Start())
	t.Cleanup(func() { require.NoError(t, zombie.Wait()) })
	s.eventually("it has ended", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", zombie.Process.Pid))
		require.NoError(t, err)
		return strings.Contains(string(stat), ") Z ")
	})
	s.ok("attach", `{"module":"isolator"}`)
	s.ok("recover", fmt.Sprintf(`{"states":[{"container_id":{"value":"c1"},"pid":%d}],"orphans":[]}`, zombie.Process.Pid))
	s.ok("cleanup", `{"container":"c1"}`)
	for _, controller := range []string{"memory", "cpu"} {
		hi, err := s.host.Hierarchy(controller)
		require.NoError(t, err)
		require.DirExists(t, filepath.Join(hi.Dir, own))
	}
}

// A kernel since 5.11 has memory.use_hierarchy at 1 everywhere, in all modes.
func TestHierarchyOfTheRoot(t *testing.T) {
	for _, mode := range []string{hierarchyEnforce, hierarchyRequire, hierarchyWarn} {
		s := newStage(t, "use_hierarchy", mode)
		require.Equal(t, 1, s.snapshot().HierarchyEnforced, mode)
	}
	require.Zero(t, newStage(t, "use_hierarchy", hierarchyOff).snapshot().HierarchyEnforced)
}
