package core

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dce-go/dce/go/agentflags"
	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/reaper"
)

// known is what the agent has said of one of its containers.
type known struct {
	framework, executor string
	sandbox             string // "" where it is not known
	foreign             bool   // its command is not dce's: it has no pod
	began               time.Time
	kept                map[string]bool // hierarchies in which the agent made its cgroup, by mount point; nil: not known
}

// census is which containers of the agent live.
type census struct {
	mu        sync.Mutex
	isolator  bool      // attached: the agent says what lives
	trusted   time.Time // when the hook is taken to be alone; zero: no module is attached
	recovered bool
	doubted   bool // the agent may have more than it has told, see doubt
	scope     string
	live      map[string]known
	ended     map[string]known // until their cgroup is gone
}

// open begins with the work_dir of the parameters, or the agent's own, whose process this is.
func (s *census) open(workDir, proc string) {
	s.live, s.ended = map[string]known{}, map[string]known{}
	if s.scope = workDir; s.scope == "" {
		s.scope = agentWorkDir(proc)
	}
}

// agentWorkDir reads --work_dir off this process.
func agentWorkDir(proc string) string {
	line, _ := os.ReadFile(filepath.Join(proc, "self", "cmdline")) // without it the environment is what is known
	dir := agentflags.Parse(os.Environ(), strings.Split(string(line), "\x00"))["work_dir"]
	if !filepath.IsAbs(dir) {
		return ""
	}
	return strings.TrimSuffix(dir, "/") // as in the path of a sandbox (Mesos: 3rdparty/stout/include/stout/path.hpp, join)
}

func (s *census) scopeName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scope
}

func (s *census) attach(module string, trusted time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isolator = s.isolator || module == "isolator"
	if s.trusted.IsZero() {
		s.trusted = trusted
	}
}

// told says whether the agent tells what lives, or else a look at the processes does, and whether that is known by now. If it
// is not, and time alone mends that, from is when.
func (s *census) told(now time.Time) (byAgent, known bool, from time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.isolator:
		return true, s.recovered, time.Time{}
	case s.trusted.After(now):
		return false, false, s.trusted
	}
	return false, !s.trusted.IsZero(), time.Time{}
}

// began takes a container that begins, or was recovered. Its sandbox tells the scope better than anything else. One that has ended
// does not begin: its agent did not wait for what took so long.
func (s *census) began(container, sandbox string, k known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, over := s.ended[container]; over {
		return
	}
	if run, ok := reaper.ParseSandbox(sandbox); ok {
		s.scope = run.Scope
	}
	k.sandbox = sandbox
	k.began = time.Now()
	s.live[container] = k
}

func (s *census) recover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recovered = true
}

// of is what is known of a container that lives.
func (s *census) of(container string) known {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[container]
}

// doubt is for when the agent has containers that are not known here, for a fault.
func (s *census) doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubted = true
}

func (s *census) isDoubted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doubted
}

// over takes a container that ended, and says whether it may have a pod. Then owe is called before anybody sees that the container
// does not live: else it would be an orphan to a comparison, which takes the agent's own cgroup with it.
func (s *census) over(container string, owe func()) (ours bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.live[container]
	if !k.foreign {
		s.ended[container] = k
		owe()
	}
	delete(s.live, container)
	return !k.foreign
}

// lives says whether the agent has a container.
func (s *census) lives(container string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.live[container]
	return ok
}

// removed takes an executor whose end the agent has seen whole: a container of it that still counts as live has ended, and
// that was not told, or not understood. It returns these.
func (s *census) removed(framework, executor string, at time.Time) (ended []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, k := range s.live {
		if k.framework == framework && k.executor == executor && k.began.Before(at) {
			delete(s.live, id)
			s.ended[id] = k
			ended = append(ended, id)
		}
	}
	return ended
}

// runsOf are the runs of an executor that began before its removal, and whose cgroup may still be there.
func (s *census) runsOf(framework, executor string, removed time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for id, k := range s.ended {
		if k.framework == framework && k.executor == executor && k.began.Before(removed) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// forget is for a run of which nothing is left.
func (s *census) forget(container string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ended, container)
}

// alive are the containers that the agent has.
func (s *census) alive() reaper.Live {
	s.mu.Lock()
	defer s.mu.Unlock()
	live := make(reaper.Live, len(s.live))
	for id := range maps.Keys(s.live) {
		live[id] = true
	}
	return live
}

// keeps says whether a run's own cgroup in a hierarchy is the agent's to remove. Where that is not known it is.
func (s *census) keeps(hi cgroup.Hierarchy, run string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.ended[run]
	return !ok || k.kept == nil || k.kept[hi.Dir]
}

// inhabited names the hierarchies in which a cgroup itself has processes: an agent puts an executor there, and an engine puts
// its containers below. nil where there is none.
func inhabited(host *cgroup.Host, path string) map[string]bool {
	var out map[string]bool
	for _, hi := range host.Hierarchies() {
		text, err := os.ReadFile(filepath.Join(hi.Dir, path, "cgroup.procs"))
		if err == nil && hi.Root == "/" && len(bytes.TrimSpace(text)) > 0 {
			if out == nil {
				out = map[string]bool{}
			}
			out[hi.Dir] = true
		}
	}
	return out
}

// keptOf are the hierarchies in which an ended run's own cgroup is the agent's, nil where that is not known.
func (s *census) keptOf(run string) map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended[run].kept
}

// hierarchiesOf names those in which a process has the cgroup path: an agent puts its executors into those that it uses. It is
// nil where that is not known any more: a process that has ended, and that nobody has waited for, is in the root of each.
func hierarchiesOf(host *cgroup.Host, pid int, path string) map[string]bool {
	if pid <= 0 {
		return nil
	}
	of, err := host.OfPid(strconv.Itoa(pid))
	if err != nil {
		return nil // it ended meanwhile
	}
	out := map[string]bool{}
	for _, hi := range host.Hierarchies() {
		for _, controller := range hi.Controllers {
			if of[controller] == path {
				out[hi.Dir] = true
			}
		}
	}
	if there, err := host.Exists(path); len(out) == 0 && (err != nil || there) {
		return nil
	}
	return out
}
