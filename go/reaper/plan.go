package reaper

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// KindCgroup is the fourth kind of thing that is removed, beside the engine's three.
const KindCgroup engine.Kind = "cgroup"

// stages is the order of removal within a run: a network or a volume in use can't go, nor a cgroup with processes.
var stages = map[engine.Kind]int{engine.KindContainer: 0, engine.KindNetwork: 1, engine.KindVolume: 1, KindCgroup: 2}

// Removal is one thing to remove, and why.
type Removal struct {
	Run   string // Mesos container id
	Kind  engine.Kind
	ID    string // what to remove it by: an id, a volume's name, a cgroup's path
	Name  string // for people; for containers with the status
	Cause string
}

func (r Removal) String() string { return fmt.Sprintf("remove %s %s: %s", r.Kind, r.Name, r.Cause) }

// Left is something that fits the match and stays, and why.
type Left struct {
	Kind  engine.Kind
	ID    string
	Name  string
	Cause string
}

func (l Left) String() string { return fmt.Sprintf("leave %s %s: %s", l.Kind, l.Name, l.Cause) }

// Plan is what a sweep does. Removals are sorted by run, stage and name.
type Plan struct {
	Removals []Removal
	Left     []Left
}

// String is the plan for people and for tests: a line for each thing.
func (p Plan) String() string {
	var b strings.Builder
	run := ""
	for _, r := range p.Removals {
		if r.Run != run {
			run = r.Run
			fmt.Fprintf(&b, "run %s\n", run)
		}
		fmt.Fprintf(&b, "  %s\n", r)
	}
	for _, l := range p.Left {
		fmt.Fprintf(&b, "%s\n", l)
	}
	return b.String()
}

// NewPlan decides, from what was seen, what is to be removed. It asks nobody.
func NewPlan(m Match, seen Observed, live Live, now time.Time) Plan {
	var p Plan
	runs := map[string][]thing{}
	for _, t := range seen.things() {
		run := t.labels[labels.Container]
		if !m.fits(t.labels) || live[run] {
			continue
		}
		if why := doubt(t, m, seen.Cgroups); why != "" {
			p.Left = append(p.Left, leave(t, why))
			continue
		}
		runs[run] = append(runs[run], t)
	}
	if m.Container != "" && !live[m.Container] && runs[m.Container] == nil {
		runs[m.Container] = []thing{} // its cgroup alone may be left
	}
	for run, things := range runs {
		if why := m.tooYoung(things, now); why != "" {
			for _, t := range things {
				p.Left = append(p.Left, leave(t, why))
			}
			continue
		}
		for _, t := range things {
			p.Removals = append(p.Removals, Removal{Run: run, Kind: t.kind, ID: t.id, Name: strings.TrimPrefix(t.String(), string(t.kind)+" "), Cause: m.cause()})
		}
		for _, g := range m.groups(run, seen.Cgroups) {
			p.Removals = append(p.Removals, Removal{Run: run, Kind: KindCgroup, ID: g, Name: g, Cause: m.cause()})
		}
	}
	slices.SortFunc(p.Removals, func(a, b Removal) int {
		return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(stages[a.Kind], stages[b.Kind]), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	slices.SortFunc(p.Left, func(a, b Left) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return p
}

func leave(t thing, why string) Left {
	return Left{Kind: t.kind, ID: t.id, Name: strings.TrimPrefix(t.String(), string(t.kind)+" "), Cause: why}
}

func (seen Observed) things() []thing {
	out := make([]thing, 0, len(seen.Containers)+len(seen.Networks)+len(seen.Volumes))
	for _, c := range seen.Containers {
		out = append(out, thing{engine.KindContainer, c.ID, c.Name, c.Status, c.Created, c.Labels})
	}
	for _, o := range slices.Concat(seen.Networks, seen.Volumes) {
		out = append(out, thing{o.Kind, o.ID, o.Name, "", o.Created, o.Labels})
	}
	return out
}

// tooYoung says why a whole run is left for its age. An engine's list gives whole seconds, rounded down, and some things no
// time at all; the oldest thing of a run decides for all of it.
func (m Match) tooYoung(things []thing, now time.Time) string {
	var born time.Time
	for _, t := range things {
		if !t.created.IsZero() && (born.IsZero() || t.created.Before(born)) {
			born = t.created
		}
	}
	if born.IsZero() {
		return ""
	}
	latest := born.Add(time.Second)
	switch {
	case !m.Before.IsZero() && latest.After(m.Before):
		return "its run began after the reason for this sweep"
	case m.Grace > 0 && now.Sub(latest) < m.Grace:
		return fmt.Sprintf("its run is younger than %s", m.Grace)
	}
	return ""
}

// groups are the cgroups of a run that exist.
func (m Match) groups(run string, cgroups []string) []string {
	var out []string
	for _, root := range m.CgroupRoots {
		if own := group(root, run); own != "" {
			if _, there := slices.BinarySearch(cgroups, own); there {
				out = append(out, own)
			}
		}
	}
	return out
}

func (m Match) cause() string {
	if m.Cause == "" {
		return "nothing that lives owns it"
	}
	return m.Cause
}
