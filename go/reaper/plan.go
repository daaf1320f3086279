package reaper

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/tree"
)

// KindCgroup is the fourth kind of thing that is removed, beside the engine's three.
const KindCgroup engine.Kind = "cgroup"

// stages is the order of removal within a run: a network or a volume in use can't go, nor a cgroup with processes.
var stages = map[engine.Kind]int{engine.KindContainer: 0, engine.KindNetwork: 1, engine.KindVolume: 1, KindCgroup: 2}

// askAgain is how long something is left about which the engine did not answer.
const askAgain = 2 * time.Second

// Removal is one thing to remove, and why.
type Removal struct {
	Run    string // Mesos container id
	Kind   engine.Kind
	ID     string        // what to remove it by: an id, a volume's name, a cgroup's path
	Name   string        // for people
	Status engine.Status // of containers
	Cause  string
}

func (r Removal) String() string { return "remove " + r.What() + ": " + r.Cause }

// What names the thing, with the status of containers.
func (r Removal) What() string {
	return thing{kind: r.Kind, name: r.Name, status: r.Status}.String()
}

// Left is something that fits the match and stays, and why.
type Left struct {
	Run    string
	Kind   engine.Kind
	ID     string
	Name   string
	Status engine.Status // of containers
	Cause  string
	Until  time.Time // when it will be old enough; zero for what time does not mend
}

func (l Left) String() string { return "leave " + l.What() + ": " + l.Cause }

// What names the thing, with the status of containers.
func (l Left) What() string {
	return thing{kind: l.Kind, name: l.Name, status: l.Status}.String()
}

// Plan is what a sweep does. Removals are sorted by run, stage and name.
type Plan struct {
	Removals []Removal
	Left     []Left
}

// Runs lists the runs of which something is to be removed, sorted.
func (p Plan) Runs() []string {
	var out []string
	for _, r := range p.Removals {
		if len(out) == 0 || out[len(out)-1] != r.Run {
			out = append(out, r.Run)
		}
	}
	return out
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
		run := t.run()
		if !m.fits(t.labels) || live[run] || m.KeepVolumes && t.kind == engine.KindVolume {
			continue
		}
		if err := seen.Unanswered[t.id]; err != nil {
			p.Left = append(p.Left, leave(t, "the engine did not say whose it is: "+err.Error(), now.Add(askAgain)))
			continue
		}
		if why := doubt(t, m, &seen); why != "" {
			p.Left = append(p.Left, leave(t, why, time.Time{}))
			continue
		}
		runs[run] = append(runs[run], t)
	}
	for _, t := range seen.Trees {
		if l := owned(t); m.fits(l) && !live[t.Container] {
			runs[t.Container] = append(runs[t.Container], thing{kind: KindCgroup, id: t.Path, name: t.Path, created: t.Since, labels: l, exact: true})
		}
	}
	if m.Container != "" && !live[m.Container] && runs[m.Container] == nil {
		runs[m.Container] = []thing{} // its cgroup alone may be left
	}
	for run, things := range runs {
		if why, until := m.tooYoung(things, now); why != "" {
			for _, t := range things {
				p.Left = append(p.Left, leave(t, why, until))
			}
			continue
		}
		for _, t := range things {
			if t.kind == KindCgroup {
				continue // with all groups of the run
			}
			p.Removals = append(p.Removals, Removal{Run: run, Kind: t.kind, ID: t.id, Name: t.name, Status: t.status, Cause: m.cause()})
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

// owned is whose a tree is, as labels are.
func owned(t tree.Claimed) map[string]string {
	return map[string]string{labels.Scope: t.Scope, labels.Framework: t.Framework, labels.Executor: t.Executor, labels.Container: t.Container}
}

func leave(t thing, why string, until time.Time) Left {
	return Left{Run: t.run(), Kind: t.kind, ID: t.id, Name: t.name, Status: t.status, Cause: why, Until: until}
}

func (t thing) run() string { return t.labels[labels.Container] }

func (seen *Observed) things() []thing {
	out := make([]thing, 0, len(seen.Containers)+len(seen.Networks)+len(seen.Volumes))
	for _, c := range seen.Containers {
		t := thing{kind: engine.KindContainer, id: c.ID, name: c.Name, status: c.Status, created: c.Created, labels: c.Labels}
		if d := seen.Details[c.ID]; !d.Created.IsZero() {
			t.created, t.exact = d.Created, true
		}
		out = append(out, t)
	}
	for _, o := range slices.Concat(seen.Networks, seen.Volumes) {
		out = append(out, thing{kind: o.Kind, id: o.ID, name: o.Name, created: o.Created, labels: o.Labels, exact: o.Created.Nanosecond() != 0})
	}
	return out
}

// latest is when the thing was created at the latest: lists give whole seconds, rounded down.
func (t thing) latest() time.Time {
	if t.exact {
		return t.created
	}
	return t.created.Add(time.Second)
}

// tooYoung says why a whole run is left for its age, and until when where time mends it. Some things bear no time at all; the
// oldest of a run decides for all of it.
func (m Match) tooYoung(things []thing, now time.Time) (why string, until time.Time) {
	var born time.Time
	for _, t := range things {
		if !t.created.IsZero() && (born.IsZero() || t.latest().Before(born)) {
			born = t.latest()
		}
	}
	switch {
	case born.IsZero():
		return "", time.Time{}
	case !m.Before.IsZero() && born.After(m.Before):
		return "its run began after the reason for this sweep", time.Time{}
	case m.Grace > 0 && now.Sub(born) < m.Grace:
		return fmt.Sprintf("its run is younger than %s", m.Grace), born.Add(m.Grace)
	}
	return "", time.Time{}
}

// groups are the cgroups of a run that exist.
func (m Match) groups(run string, cgroups []string) []string {
	return slices.DeleteFunc(m.groupsOf(run), func(own string) bool { return !contains(cgroups, own) })
}

func (m Match) cause() string {
	if m.Cause == "" {
		return "nothing that lives owns it"
	}
	return m.Cause
}
