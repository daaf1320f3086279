package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/labels"
)

const (
	killWait    = 10 * time.Second       // past the deadline, for the engine to report the end of what was killed
	unreachable = time.Second            // past the deadline, for an engine that is out of reach
	resortWait  = 300 * time.Millisecond // past the deadline, for the engine, before its containers are ended without it
	callWait    = 5 * time.Second        // for one signal
	signalPause = 100 * time.Millisecond // before a signal that failed is sent again
)

// Stop ends every container of a pod and returns when none runs any more: those that nobody needs first, in parallel by
// level, each with its own signal and grace, all before the deadline, which may come nearer; then SIGKILL; infra last. The
// end of a container is known from its die event, which comes before the engine has torn down its network. Stop works in any
// state of the pod: what was never started needs nothing, what is started meanwhile is stopped too. What an engine that hangs
// or is out of reach has not ended by the deadline is ended without it, where that is possible. Nothing is removed.
func (p *Pod) Stop(ctx context.Context, spec PodSpec, deadline *Deadline) StopReport {
	sub := p.subscribe(spec.ID)
	defer sub.close()
	s := &stopping{
		pod: p, spec: &spec, sub: sub, deadline: deadline, log: p.Log.WithField("pod", spec.ID), begun: time.Now(),
		levels: stopLevels(&spec), at: -1, members: map[string]*member{}, answers: make(chan answered), lists: make(chan listing),
	}
	s.remember()
	ctx, cancel := context.WithCancel(ctx)
	err := s.loop(ctx)
	cancel()
	for s.calls > 0 {
		select {
		case <-s.answers:
		case <-s.lists:
		}
		s.calls--
	}
	if s.infra != nil {
		(<-s.infra).close()
	}
	slices.Sort(s.overran)
	return StopReport{Overran: slices.Compact(s.overran), Alone: s.alone, Err: err}
}

// stopping is one stop. One goroutine owns it; signals are sent beside it.
type stopping struct {
	pod      *Pod
	spec     *PodSpec
	sub      *subscription
	deadline *Deadline
	log      logrus.FieldLogger
	begun    time.Time

	levels  [][]*ContainerSpec
	at      int       // the level that is being stopped; len(levels) is infra's
	since   time.Time // when it began
	members map[string]*member
	known   bool      // members is current
	lost    error     // why it is not, or why the last list failed
	relist  time.Time // when the last list may be tried again
	listed  bool      // the list at the begin was read, or could not be
	listing bool      // a list is on its way
	infra   chan *process
	calls   int
	answers chan answered
	lists   chan listing
	overran []string
	sure    bool     // members had all that may run when the stop began
	tried   bool     // the last resort
	alone   []string // what it ended
}

// listing is the answer to a list.
type listing struct {
	all  []Container
	err  error
	last bool // nothing was known to run when it was asked for
}

// member is a container of the pod as the stop sees it.
type member struct {
	ContainerState
	spec     *ContainerSpec // nil for one that the spec does not name
	level    int
	assumed  bool // Up has begun to start it; no event and no list has told yet what came of it
	ended    bool // the engine refused a signal because it does not run
	calling  bool // a signal is on its way
	asked    time.Time
	killed   bool
	retry    time.Time // a signal failed: not before
	killOnly bool      // its own signal is none that the engine knows
}

type answered struct {
	m     *member
	err   error
	ended bool // it is known to have ended
}

func (m *member) alive() bool {
	return !m.ended && (m.Status == StatusRunning || m.Status == StatusPaused || m.Status == StatusRestarting)
}

func (s *stopping) loop(ctx context.Context) error {
	for {
		at, changed := s.deadline.Get()
		if at.Before(s.begun) {
			at = s.begun
		}
		now := time.Now()
		alive := s.alive()
		// The first list is for what was just started: its events may still be on their way. The last one is the proof.
		if s.known && !s.listing && !now.Before(s.relist) && (!s.listed || len(alive) == 0) {
			s.list(ctx, len(alive) == 0)
		}
		if s.lost != nil && !s.known && s.sure && len(alive) == 0 { // all that was ever started is known to have ended
			return nil
		}
		if s.resort(ctx, now, at) {
			return nil
		}
		if err := s.overdue(now, at); err != nil {
			return err
		}
		next := s.wake(now, at)
		if s.known && s.listed {
			next = s.act(ctx, now, at)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the stop of pod %s was given up and %s: %w", s.spec.ID, s.left(), context.Cause(ctx))
		case <-s.sub.wake:
			s.observe()
		case a := <-s.answers:
			s.take(a)
		case l := <-s.lists:
			if s.late(l) {
				return nil
			}
		case <-changed:
		case <-time.After(time.Until(next)):
		}
	}
}

// overdue says when to give up.
func (s *stopping) overdue(now, deadline time.Time) error {
	switch {
	case (!s.known || s.lost != nil) && !now.Before(deadline.Add(unreachable)):
		return fmt.Errorf("the containers of pod %s can't be stopped or listed, the Docker engine is out of reach: %w",
			s.spec.ID, cmp.Or(s.lost, errors.New("it did not answer")))
	case !now.Before(deadline.Add(killWait)):
		return fmt.Errorf("pod %s was killed and %s: look into dockerd's log, and for a process in state D", s.spec.ID, s.left())
	}
	return nil
}

func (s *stopping) left() string {
	var names []string
	for _, m := range s.alive() {
		names = append(names, m.Name)
	}
	if len(names) == 0 {
		return "nothing is known of it"
	}
	return strings.Join(names, ", ") + " still ran"
}

func (s *stopping) alive() []*member {
	var out []*member
	for _, m := range s.members {
		if m.alive() {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b *member) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// observe takes what the engine's events tell.
func (s *stopping) observe() {
	for o, ok := s.sub.take(); ok; o, ok = s.sub.take() {
		if o.Lost != nil {
			s.known, s.lost = false, o.Lost
			continue
		}
		if o.Full {
			s.known, s.lost = true, nil
			here := map[string]bool{}
			for _, c := range o.Containers {
				here[c.ID] = true
			}
			maps.DeleteFunc(s.members, func(id string, m *member) bool { return !here[id] && !m.assumed })
		}
		for _, c := range o.Containers {
			s.note(c)
		}
	}
}

func (s *stopping) note(c ContainerState) {
	m := s.members[c.ID]
	if m == nil {
		m = &member{level: 0}
		for i, level := range s.levels {
			for _, spec := range level {
				if spec.Name == c.Name {
					m.spec, m.level = spec, i
				}
			}
		}
		if c.Role == labels.RoleInfra {
			m.level = len(s.levels)
		}
		s.members[c.ID] = m
	}
	if m.assumed && c.Status == StatusCreated { // seen before it was started
		return
	}
	m.assumed = false
	if c.Status == StatusRunning && m.Status != StatusRunning { // it was started meanwhile
		m.ended, m.asked, m.killed = false, time.Time{}, false
	}
	m.ContainerState = c
}

// list asks the engine for what runs, beside the loop.
func (s *stopping) list(ctx context.Context, last bool) {
	s.listing = true
	s.calls++
	go func() {
		ctx, cancel := context.WithTimeout(ctx, callWait)
		defer cancel()
		all, err := s.pod.Gateway.List(ctx, podFilter(s.spec.ID))
		s.lists <- listing{all, err, last}
	}()
}

// late takes a list and says whether it proves that nothing runs any more: a call that was under way when the stop began may
// have started something since.
func (s *stopping) late(l listing) (over bool) {
	s.calls--
	s.listing, s.listed = false, true
	if s.lost = l.err; l.err != nil {
		s.relist = time.Now().Add(signalPause)
		return false
	}
	maps.DeleteFunc(s.members, func(id string, m *member) bool { // what a list does not say to run was not started
		return m.assumed && !slices.ContainsFunc(l.all, func(c Container) bool { return c.ID == id && c.Status == StatusRunning })
	})
	found := false
	for _, c := range l.all {
		m := s.members[c.ID]
		if c.Status != StatusRunning || m != nil && (m.ended || m.Status == StatusExited) {
			continue // a list may lag behind a die event
		}
		s.note(ContainerState{
			ID: c.ID, Name: c.Name, Service: c.Labels[labels.Service], Role: c.Labels[labels.Role], Status: c.Status, At: time.Now(),
		})
		found = true
	}
	return l.last && !found && s.known && len(s.alive()) == 0
}
