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

	"github.com/containerd/errdefs"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/labels"
)

const (
	killWait    = 10 * time.Second       // past the deadline, for the engine to report the end of what was killed
	unreachable = time.Second            // past the deadline, for an engine that is out of reach
	callWait    = 5 * time.Second        // for one signal
	signalPause = 100 * time.Millisecond // before a signal that failed is sent again
)

// Stop ends every container of a pod and returns when none runs any more: those that nobody needs first, in parallel by
// level, each with its own signal and grace, all before the deadline, which may come nearer; then SIGKILL; infra last. The
// end of a container is known from its die event, which comes before the engine has torn down its network. Stop works in any
// state of the pod: what was never started needs nothing, what is started meanwhile is stopped too. Nothing is removed.
func (p *Pod) Stop(ctx context.Context, spec PodSpec, deadline *Deadline) StopReport {
	sub := p.subscribe(spec.ID)
	defer sub.close()
	s := &stopping{
		pod: p, spec: &spec, sub: sub, deadline: deadline, log: p.Log.WithField("pod", spec.ID), begun: time.Now(),
		levels: stopLevels(&spec), at: -1, members: map[string]*member{}, answers: make(chan answered),
	}
	ctx, cancel := context.WithCancel(ctx)
	err := s.loop(ctx)
	cancel()
	for s.calls > 0 {
		<-s.answers
		s.calls--
	}
	slices.Sort(s.overran)
	return StopReport{Overran: slices.Compact(s.overran), Err: err}
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
	calls   int
	answers chan answered
	overran []string
}

// member is a container of the pod as the stop sees it.
type member struct {
	ContainerState
	spec     *ContainerSpec // nil for one that the spec does not name
	level    int
	ended    bool // the engine refused a signal because it does not run
	calling  bool // a signal is on its way
	asked    time.Time
	killed   bool
	retry    time.Time // a signal failed: not before
	killOnly bool      // its own signal is none that the engine knows
}

type answered struct {
	m   *member
	err error
}

func (m *member) alive() bool {
	return !m.ended && (m.Status == StatusRunning || m.Status == StatusPaused || m.Status == StatusRestarting)
}

func (s *stopping) loop(ctx context.Context) error {
	for {
		at, changed := s.deadline.Get()
		now := time.Now()
		alive := s.alive()
		if s.known && len(alive) == 0 && !now.Before(s.relist) {
			if s.stragglers(ctx) {
				continue
			}
			if s.lost == nil {
				return nil
			}
			s.relist = now.Add(signalPause)
		}
		if err := s.overdue(now, at); err != nil {
			return err
		}
		next := s.act(ctx, now, at)
		select {
		case <-ctx.Done():
			return fmt.Errorf("the stop of pod %s was given up while %s: %w", s.spec.ID, s.left(), context.Cause(ctx))
		case <-s.sub.wake:
			s.observe()
		case a := <-s.answers:
			s.take(a)
		case <-changed:
		case <-time.After(time.Until(next)):
		}
	}
}

// overdue says when to give up.
func (s *stopping) overdue(now, deadline time.Time) error {
	if deadline.Before(s.begun) {
		deadline = s.begun
	}
	switch {
	case (!s.known || s.lost != nil) && now.After(deadline.Add(unreachable)):
		return fmt.Errorf("the containers of pod %s can't be stopped or listed, the Docker engine is out of reach: %w",
			s.spec.ID, cmp.Or(s.lost, errors.New("it did not answer")))
	case now.After(deadline.Add(killWait)):
		return fmt.Errorf("%s of pod %s after SIGKILL: look into dockerd's log, and for a process in state D", s.left(), s.spec.ID)
	}
	return nil
}

func (s *stopping) left() string {
	var names []string
	for _, m := range s.alive() {
		names = append(names, m.Name)
	}
	if len(names) == 0 {
		return "nothing was known"
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
	return out
}

// act sends the signals that are due and returns when it has to be called again at the latest.
func (s *stopping) act(ctx context.Context, now, deadline time.Time) time.Time {
	next := now.Add(time.Minute)
	for _, at := range []time.Time{deadline, deadline.Add(unreachable), deadline.Add(killWait), s.relist} {
		if at.After(now) && at.Before(next) {
			next = at
		}
	}
	if !s.known {
		return next
	}
	s.advance(now)
	asks := make([]time.Duration, 0, len(s.levels))
	for _, level := range s.levels[min(s.at, len(s.levels)):] {
		asks = append(asks, s.longestAlive(level))
	}
	var allotted time.Duration
	if len(asks) > 0 {
		allotted = budget(deadline.Sub(s.since), asks)[0]
	}
	over := !now.Before(deadline) // then nobody waits for anybody but infra for all
	for _, m := range s.alive() {
		due := m.level <= s.at || over && m.level < len(s.levels)
		if !due || m.calling || now.Before(m.retry) {
			if due && m.retry.After(now) {
				next = earlier(next, m.retry)
			}
			continue
		}
		grace := min(m.grace(), allotted)
		switch kill := m.asked.Add(grace); {
		case m.killed:
		case over || grace <= 0 || m.killOnly || !m.asked.IsZero() && !now.Before(kill):
			if !m.asked.IsZero() && !m.killOnly {
				s.overran = append(s.overran, m.Service)
			}
			m.killed = true
			s.signal(ctx, m, "SIGKILL")
		case m.asked.IsZero():
			m.asked = now
			s.signal(ctx, m, "")
			next = earlier(next, now.Add(grace))
		default:
			next = earlier(next, kill)
		}
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// advance goes to the level where something runs. It never goes back: what starts late is stopped with the current one.
func (s *stopping) advance(now time.Time) {
	lowest := len(s.levels)
	for _, m := range s.alive() {
		lowest = min(lowest, m.level)
	}
	if lowest > s.at {
		s.at, s.since = lowest, now
	}
}

// longestAlive is what the containers of a level that still run may ask for.
func (s *stopping) longestAlive(level []*ContainerSpec) time.Duration {
	var most time.Duration
	for _, m := range s.alive() {
		if slices.Contains(level, m.spec) {
			most = max(most, m.spec.grace())
		}
	}
	return most
}

func (m *member) grace() time.Duration {
	switch {
	case m.Role == labels.RoleInfra: // pause has no state to save
		return 0
	case m.spec == nil:
		return defaultGrace
	}
	return m.spec.grace()
}

// signal sends a signal beside the loop; an empty one is the container's own stop signal.
func (s *stopping) signal(ctx context.Context, m *member, signal string) {
	m.calling = true
	s.calls++
	id, spec := m.ID, m.spec
	s.log.WithFields(logrus.Fields{"container": m.Name, "signal": cmp.Or(signal, "its own")}).Debug("Signalling.")
	go func() {
		ctx, cancel := context.WithTimeout(ctx, callWait)
		defer cancel()
		if signal == "" {
			signal = s.pod.stopSignal(ctx, spec)
		}
		s.answers <- answered{m, s.pod.Gateway.Signal(ctx, id, signal)}
	}()
}

// stopSignal is the service's own, else its image's, else SIGTERM.
func (p *Pod) stopSignal(ctx context.Context, c *ContainerSpec) string {
	if c == nil {
		return "SIGTERM"
	}
	own := c.Signal
	if own == "" && c.Config != nil {
		own = c.Config.StopSignal
	}
	if own != "" {
		return own
	}
	image, known := p.image(c.Image)
	if !known {
		image, _ = p.Gateway.Image(ctx, c.Image) // without an answer SIGTERM is what nearly all images want
	}
	return cmp.Or(image.Stop, "SIGTERM")
}

func (s *stopping) take(a answered) {
	s.calls--
	m, err := a.m, a.err
	m.calling = false
	switch {
	case err == nil:
	case errdefs.IsNotFound(err), errdefs.IsConflict(err): // it does not run; its die event is on the way or was missed
		m.ended = true
	case errdefs.IsInvalidArgument(err) && !m.killed:
		s.log.WithField("container", m.Name).WithError(err).Warn("The engine does not know the stop signal; the container is killed.")
		m.killOnly = true
	default:
		s.log.WithField("container", m.Name).WithError(err).Warn("A signal could not be sent; it is sent again.")
		if m.killed {
			m.killed = false
		} else {
			m.asked = time.Time{}
		}
		m.retry = time.Now().Add(signalPause)
	}
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
			maps.DeleteFunc(s.members, func(id string, _ *member) bool { return !here[id] })
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
	if c.Status == StatusRunning && m.Status != StatusRunning { // it was started meanwhile
		m.ended, m.asked, m.killed = false, time.Time{}, false
	}
	m.ContainerState = c
}

// stragglers lists once more and says whether something runs: a call that was under way when the stop began may have
// started it since. An error is left in lost.
func (s *stopping) stragglers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	all, err := s.pod.Gateway.List(ctx, podFilter(s.spec.ID))
	if s.lost = err; err != nil {
		return false
	}
	found := false
	for _, c := range all {
		m := s.members[c.ID]
		if c.Status != StatusRunning || m != nil && (m.ended || m.Status == StatusExited) {
			continue // a list may lag behind a die event
		}
		s.note(ContainerState{
			ID: c.ID, Name: c.Name, Service: c.Labels[labels.Service], Role: c.Labels[labels.Role], Status: c.Status, At: time.Now(),
		})
		found = true
	}
	return found
}
