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

// Parallel is how many calls a sweep makes at a time unless told otherwise: beyond it an engine gets no faster.
const Parallel = 20

// Sweeper sweeps. Zero values are the defaults.
type Sweeper struct {
	Engine   Engine
	Cgroups  *cgroup.Host  // nil where the matches have no CgroupRoots
	Attempt  time.Duration // one call; default 10s
	Patience time.Duration // a whole sweep; default 1m
	// StopGrace is how long what still runs may take after its stop signal; 0: it is killed at once.
	StopGrace time.Duration
	// Slots bounds the calls to the engine at a time, and may be shared by several sweepers; default Parallel of its own.
	Slots *semaphore.Weighted
	// Look shows what is there, at least all of the match; default Observe.
	Look func(context.Context, Match) (Observed, error)
	// Live says which runs are alive. It is asked after each look, so that nothing that was seen may have come to life
	// unnoticed; default: none is.
	Live func(context.Context, Observed) (Live, error)
	// Keep says that a run's own cgroup in a hierarchy is the agent's to remove; what is below goes. Default: none is.
	Keep func(hi cgroup.Hierarchy, run string) bool
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
	return Sweeper{Engine: e, Cgroups: host}.Sweep(ctx, m)
}

// Plan looks once and says what a sweep would do.
func (s Sweeper) Plan(ctx context.Context, m Match) (Plan, error) {
	if err := s.check(m); err != nil {
		return Plan{}, err
	}
	plan, _, err := s.plan(ctx, m)
	return plan, err
}

// Sweep looks, plans and removes, until a look finds nothing more to remove. What can't be removed is in Report.Failed and in
// the error; that something was left is no error.
func (s Sweeper) Sweep(ctx context.Context, m Match) (Report, error) {
	if err := s.check(m); err != nil {
		return Report{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.Patience, time.Minute))
	defer cancel()
	r := &remover{engine: s.Engine, cgroups: runCgroups{s.Cgroups, s.Keep}, attempt: s.attempt(), grace: s.StopGrace, slots: s.Slots}
	if r.slots == nil {
		r.slots = semaphore.NewWeighted(Parallel)
	}
	var left []Left
	pause := firstPause / 2
	for {
		plan, seen, err := s.persist(ctx, m)
		if err != nil && len(r.failed) > 0 {
			break // those errors say more
		}
		if err != nil {
			return r.report(left), fmt.Errorf("what is left of %s can't be seen: %w", m.name(), err)
		}
		left = plan.Left
		r.forgive(seen)
		if !slices.ContainsFunc(plan.Removals, r.fresh) {
			// What failed is tried again only together with something new, which may have been in its way: a container that
			// an engine was still creating when the look was taken.
			plan.Removals = slices.DeleteFunc(plan.Removals, r.gaveUp)
		} else {
			r.failed = nil
		}
		if len(plan.Removals) == 0 {
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
		if err := r.run(ctx, plan); err != nil {
			return r.report(left), err
		}
	}
	report := r.report(left)
	return report, report.err(m)
}

func (s Sweeper) check(m Match) error {
	if err := m.check(); err != nil {
		return err
	}
	if s.Cgroups == nil && len(m.CgroupRoots) > 0 {
		return fmt.Errorf("a sweep below the cgroups %s needs the host's cgroups: %w", strings.Join(m.CgroupRoots, ", "), errdefs.ErrInvalidArgument)
	}
	return nil
}

func (s Sweeper) attempt() time.Duration { return cmp.Or(s.Attempt, 10*time.Second) }

// plan looks once, within the time of a call.
func (s Sweeper) plan(ctx context.Context, m Match) (Plan, Observed, error) {
	ctx, cancel := context.WithTimeout(ctx, s.attempt())
	defer cancel()
	look := s.Look
	if look == nil {
		look = func(ctx context.Context, m Match) (Observed, error) { return Observe(ctx, s.Engine, s.Cgroups, m) }
	}
	seen, err := look(ctx, m)
	var live Live
	if err == nil && s.Live != nil {
		live, err = s.Live(ctx, seen)
	}
	if err == nil {
		seen, err = Ask(ctx, s.Engine, m, seen, live)
	}
	if err != nil {
		return Plan{}, Observed{}, err
	}
	plan := NewPlan(m, seen, live, time.Now())
	cgroups := runCgroups{s.Cgroups, s.Keep}
	plan.Removals = slices.DeleteFunc(plan.Removals, func(one Removal) bool {
		if err != nil || one.Kind != KindCgroup {
			return false
		}
		var done bool
		done, err = cgroups.done(one)
		return done
	})
	return plan, seen, err
}

// persist is plan until it succeeds or ctx ends: an engine may be starting.
func (s Sweeper) persist(ctx context.Context, m Match) (Plan, Observed, error) {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		plan, seen, err := s.plan(ctx, m)
		temporary := errdefs.IsUnavailable(err) || errdefs.IsInternal(err) || errors.Is(err, context.DeadlineExceeded)
		if err == nil || !temporary || !sleep(ctx, pause) {
			return plan, seen, err
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
		return contains(seen.Cgroups, one.ID)
	}
	return slices.ContainsFunc(seen.things(), func(t thing) bool { return t.kind == one.Kind && t.id == one.ID })
}

func (r Removal) same(o Removal) bool { return r.Kind == o.Kind && r.ID == o.ID }

func (r *remover) gaveUp(one Removal) bool {
	return slices.ContainsFunc(r.failed, func(f Failure) bool { return f.same(one) })
}

func (r *remover) fresh(one Removal) bool { return !r.gaveUp(one) && !r.done(one) }

func (r *remover) done(one Removal) bool { return slices.ContainsFunc(r.removed, one.same) }

// report sorts the outcome as plans are, each thing once.
func (r *remover) report(left []Left) Report {
	order := func(a, b Removal) int {
		return cmp.Or(cmp.Compare(a.Run, b.Run), cmp.Compare(stages[a.Kind], stages[b.Kind]), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	}
	slices.SortStableFunc(r.removed, order)
	removed := slices.CompactFunc(r.removed, Removal.same)
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
