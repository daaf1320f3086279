package engine

import (
	"cmp"
	"context"
	"time"

	"github.com/containerd/errdefs"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/labels"
)

// act sends the signals that are due and returns when it has to be called again at the latest.
func (s *stopping) act(ctx context.Context, now, deadline time.Time) time.Time {
	next := s.wake(now, deadline)
	s.advance(now)
	asks := make([]time.Duration, 0, len(s.levels))
	for level := s.at; level <= len(s.levels); level++ {
		asks = append(asks, s.longestAlive(level))
	}
	allotted := budget(deadline.Sub(s.since), asks)[0]
	over := !now.Before(deadline) // then nobody waits for anybody but infra for all
	alive := s.alive()
	s.hold(ctx, alive)
	for _, m := range alive {
		due := m.level <= s.at || over
		if m.Role == labels.RoleInfra {
			due = len(alive) == 1 // whatever starts late still needs its network
		}
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

// wake is when time alone changes something at the latest.
func (s *stopping) wake(now, deadline time.Time) time.Time {
	next := now.Add(time.Minute)
	for _, at := range []time.Time{
		deadline, deadline.Add(resortWait), deadline.Add(unreachable), deadline.Add(killWait), s.relist,
	} {
		if at.After(now) && at.Before(next) {
			next = at
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

// longestAlive is what the containers of a level that still run may ask for. Late ones of levels before count to the current.
func (s *stopping) longestAlive(level int) time.Duration {
	var most time.Duration
	for _, m := range s.alive() {
		if m.level == level || level == s.at && m.level < level {
			most = max(most, m.grace())
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

// hold gets a hold of infra's process while the services stop, so that nobody has to wait for the engine once they have: its
// stop alone takes an engine as long as that of a service, and would come behind it.
func (s *stopping) hold(ctx context.Context, alive []*member) {
	if s.infra != nil {
		return
	}
	for _, m := range alive {
		if m.Role != labels.RoleInfra || m.calling || m.killed {
			continue
		}
		s.infra = make(chan *process, 1)
		go func(id string, held chan<- *process) { // m is the loop's
			ctx, cancel := context.WithTimeout(ctx, callWait)
			defer cancel()
			details, err := s.pod.Gateway.Inspect(ctx, id)
			if err != nil {
				held <- nil
				return
			}
			held <- holdProcess(details.Pid, id)
		}(m.ID, s.infra)
	}
}

// signal sends a signal beside the loop; an empty one is the container's own stop signal.
func (s *stopping) signal(ctx context.Context, m *member, signal string) {
	m.calling = true
	s.calls++
	id, spec := m.ID, m.spec
	var holding <-chan *process
	if m.Role == labels.RoleInfra {
		holding, s.infra = s.infra, nil
	}
	s.log.WithFields(logrus.Fields{"container": m.Name, "signal": cmp.Or(signal, "its own")}).Debug("Signalling.")
	go func() {
		ctx, cancel := context.WithTimeout(ctx, callWait)
		defer cancel()
		if holding != nil {
			held := <-holding
			err := held.kill()
			held.close()
			if err == nil {
				s.answers <- answered{m: m, ended: true}
				return
			}
		}
		if signal == "" {
			signal = s.pod.stopSignal(ctx, spec)
		}
		s.answers <- answered{m: m, err: s.pod.Gateway.Signal(ctx, id, signal)}
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
	case a.ended:
		m.ended = true
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
