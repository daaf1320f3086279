package reaper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sync/semaphore"

	"github.com/dce-go/dce/go/cgroup"
)

// maxDoubts is how many looks are taken while something is left in doubt: a container that ends between the list and the
// look at the cgroups is outside of them once.
const maxDoubts = 3

// Sweeper sweeps. Zero values are the defaults.
type Sweeper struct {
	Engine   Engine
	Cgroups  *cgroup.Host  // nil where the matches have no CgroupRoots
	Parallel int           // calls at a time; default 16
	Attempt  time.Duration // one call; default 10s
	Patience time.Duration // a whole sweep; default 1m
}

// Report is what became of a sweep.
type Report struct {
	Removed []Removal
	Left    []Left    // fits the match and stays, with the cause
	Failed  []Failure // should have gone and did not
}

// Failure is a removal that did not succeed.
type Failure struct {
	Removal
	Err error
}

// Sweep sweeps with the defaults of Sweeper and takes nothing for alive. host may be nil where m has no CgroupRoots.
func Sweep(ctx context.Context, e Engine, host *cgroup.Host, m Match) (Report, error) {
	return Sweeper{Engine: e, Cgroups: host}.Sweep(ctx, m, nil)
}

// Sweep looks, plans and removes, until a look finds nothing more to remove. What can't be removed is in Report.Failed and in
// the error; that something was left is no error.
func (s Sweeper) Sweep(ctx context.Context, m Match, live Live) (Report, error) {
	if err := m.check(); err != nil {
		return Report{}, err
	}
	if s.Cgroups == nil && len(m.CgroupRoots) > 0 {
		return Report{}, fmt.Errorf("a sweep below the cgroups %s needs the host's cgroups: %w", strings.Join(m.CgroupRoots, ", "), errdefs.ErrInvalidArgument)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.Patience, time.Minute))
	defer cancel()
	r := &remover{engine: s.Engine, cgroups: s.Cgroups, attempt: cmp.Or(s.Attempt, 10*time.Second),
		slots: semaphore.NewWeighted(int64(cmp.Or(s.Parallel, 16)))}
	var left []Left
	pause := firstPause / 2
	for look := 1; ; look++ {
		seen, err := s.observe(ctx, m, r.attempt)
		if err != nil && len(r.failed) > 0 {
			break // those errors say more
		}
		if err != nil {
			return r.report(left), fmt.Errorf("what is left of %s can't be seen: %w", m.name(), err)
		}
		plan := NewPlan(m, seen, live, time.Now())
		left = plan.Left
		r.forgive(seen)
		plan.Removals = slices.DeleteFunc(plan.Removals, r.gaveUp)
		if len(plan.Removals) == 0 && (len(left) == 0 || look >= maxDoubts) {
			break
		}
		again := slices.ContainsFunc(plan.Removals, r.done) // an engine may still be removing
		if again && !sleep(ctx, pause) {
			for _, one := range plan.Removals {
				r.note(one, fmt.Errorf("the engine still has it: %w", ctx.Err()))
			}
			break
		}
		if again {
			pause = min(2*pause, longestPause)
		}
		r.run(ctx, plan)
	}
	report := r.report(left)
	return report, report.err(m)
}

// observe looks, until it succeeds or ctx ends: an engine may be starting.
func (s Sweeper) observe(ctx context.Context, m Match, attempt time.Duration) (Observed, error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		bounded, cancel := context.WithTimeout(ctx, attempt)
		seen, err := Observe(bounded, s.Engine, s.Cgroups, m)
		cancel()
		temporary := errdefs.IsUnavailable(err) || errdefs.IsInternal(err) || errors.Is(err, context.DeadlineExceeded)
		if err == nil || !temporary || !sleep(ctx, pause) {
			return seen, err
		}
	}
}

// forgive takes back failures of what is gone all the same.
func (r *remover) forgive(seen Observed) {
	r.failed = slices.DeleteFunc(r.failed, func(f Failure) bool {
		if seen.has(f.Removal) {
			return false
		}
		r.removed = append(r.removed, f.Removal)
		return true
	})
}

func (seen Observed) has(one Removal) bool {
	if one.Kind == KindCgroup {
		return slices.Contains(seen.Cgroups, one.ID)
	}
	return slices.ContainsFunc(seen.things(), func(t thing) bool { return t.kind == one.Kind && t.id == one.ID })
}

func (r *remover) gaveUp(one Removal) bool {
	return slices.ContainsFunc(r.failed, func(f Failure) bool { return f.Kind == one.Kind && f.ID == one.ID })
}

func (r *remover) done(one Removal) bool {
	return slices.ContainsFunc(r.removed, func(d Removal) bool { return d.Kind == one.Kind && d.ID == one.ID })
}

// report sorts the outcome as plans are, each thing once.
func (r *remover) report(left []Left) Report {
	order := func(a, b Removal) int {
		return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(stages[a.Kind], stages[b.Kind]), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	}
	slices.SortStableFunc(r.removed, order)
	removed := slices.CompactFunc(r.removed, func(a, b Removal) bool { return a.Kind == b.Kind && a.ID == b.ID })
	slices.SortFunc(r.failed, func(a, b Failure) int { return order(a.Removal, b.Removal) })
	removed = slices.DeleteFunc(removed, r.gaveUp)
	return Report{Removed: removed, Left: left, Failed: r.failed}
}

// err is one sentence about all that failed.
func (r Report) err(m Match) error {
	if len(r.Failed) == 0 {
		return nil
	}
	const most = 3
	var what []string
	var causes []error
	for i, f := range r.Failed {
		if i < most {
			what = append(what, fmt.Sprintf("%s %s (%v)", f.Kind, f.Name, f.Err))
		}
		causes = append(causes, f.Err)
	}
	if more := len(r.Failed) - most; more > 0 {
		what = append(what, fmt.Sprintf("%d more", more))
	}
	return &IncompleteError{sentence: fmt.Sprintf("not everything of %s could be removed: %s", m.name(), strings.Join(what, ", ")), causes: causes}
}

// IncompleteError says what a sweep could not remove.
type IncompleteError struct {
	sentence string
	causes   []error
}

func (e *IncompleteError) Error() string   { return e.sentence }
func (e *IncompleteError) Unwrap() []error { return e.causes }

// name is the narrowest id of the match.
func (m Match) name() string {
	for _, n := range [][2]string{{"task", m.Task}, {"run", m.Container}, {"executor", m.Executor}, {"framework", m.Framework}} {
		if n[1] != "" {
			return n[0] + " " + n[1]
		}
	}
	return "the agent at " + m.Scope
}
