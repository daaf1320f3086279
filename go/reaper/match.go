package reaper

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/tree"
)

// OwnRoot is our own tree of cgroups, beside an agent's, for pods that can't live in the task's own. It stands for our slices
// too, where the engine has systemd's cgroup driver.
const OwnRoot = tree.Root

// Match says what a sweep is about. Empty ids match any.
type Match struct {
	Scope     string // the agent's work_dir, see labels.Scope; required
	Framework string
	Executor  string
	Container string // Mesos container id: one run of an executor
	Task      string

	// CgroupRoots are the cgroups below which the agent, or we, keep one cgroup a run: "/mesos", "/dce". Empty where cgroups
	// are not used: they then prove nothing, and none is removed.
	CgroupRoots []string
	// Before is when the reason for the sweep arose. Runs that began later are none of its business: an executor id may be
	// used again. Zero for no such limit.
	Before time.Time
	// Grace is how long something just created is left alone.
	Grace time.Duration
	// KeepVolumes leaves the volumes that were named for a pod. Anonymous ones go with their containers all the same.
	KeepVolumes bool
	// Cause is why, for people: "the executor was removed".
	Cause string
}

// Live names the runs (Mesos container ids) that are alive; nothing of theirs is touched.
type Live map[string]bool

// check refuses what would match more than was meant.
func (m Match) check() error {
	if m.Scope == "" {
		return fmt.Errorf("a sweep needs a scope (the agent's work_dir), without it nothing is provably ours: %w", errdefs.ErrInvalidArgument)
	}
	for _, root := range m.CgroupRoots {
		if !strings.HasPrefix(root, "/") || path.Clean(root) != root || root == "/" {
			return fmt.Errorf("the cgroup root %q of a sweep is no absolute, clean path below /: %w", root, errdefs.ErrInvalidArgument)
		}
	}
	return nil
}

// ids are what is asked for, by label.
func (m Match) ids() [5][2]string {
	return [5][2]string{
		{labels.Scope, m.Scope}, {labels.Framework, m.Framework}, {labels.Executor, m.Executor},
		{labels.Container, m.Container}, {labels.Task, m.Task},
	}
}

// filter is what the engine is asked for, as few and as narrow lists as possible.
func (m Match) filter() []string {
	var out []string
	for _, id := range m.ids() {
		if id[1] != "" {
			out = append(out, id[0]+"="+id[1])
		}
	}
	return out
}

// fits says whether labels are within the match.
func (m Match) fits(l map[string]string) bool {
	for _, id := range m.ids() {
		if id[1] != "" && l[id[0]] != id[1] {
			return false
		}
	}
	return true
}

// groupsOf are the cgroups that a run may have below a root; none for ids that can't be a directory's name.
func groupsOf(root, run string) []string {
	switch {
	case run == "", run == ".", run == "..", strings.ContainsAny(run, "/\x00"):
		return nil
	case root == OwnRoot:
		return tree.Paths(run)
	}
	return []string{root + "/" + run}
}

// groupsOf are the cgroups that a run may have.
func (m Match) groupsOf(run string) []string {
	var out []string
	for _, root := range m.CgroupRoots {
		out = append(out, groupsOf(root, run)...)
	}
	return out
}
