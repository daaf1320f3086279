package executor

import (
	"context"
	"math/rand/v2"
	"path"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/mesos/mesos-go/api/v1/lib/executor/calls"
)

const (
	// registrationTimeout bounds the subscription of an executor without checkpointing; the agent itself waits as long
	// (src/slave/constants.hpp, EXECUTOR_REGISTRATION_TIMEOUT).
	registrationTimeout = time.Minute
	// heartbeatPatience is how long a subscription whose agent sends heartbeats may be silent: two of them may be missed
	// (src/slave/constants.hpp, DEFAULT_EXECUTOR_HEARTBEAT_INTERVAL, 30 minutes). Agents before 1.8 send none.
	heartbeatPatience = 2*30*time.Minute + time.Minute
)

type linkState int

const (
	linkDown       linkState = iota // nothing is going on; retry is set
	linkConnecting                  // SUBSCRIBE was sent
	linkUp                          // SUBSCRIBED came
	linkGone                        // given up for good
)

// link is the connection to the agent: one subscription at a time, and at most one other call, so that updates stay in order.
type link struct {
	state    linkState
	number   int // of the subscription, from 1
	ctx      context.Context
	cancel   context.CancelFunc
	upSince  time.Time
	attempts int   // that failed in a row
	last     error // why the last one did

	sending   bool // a call is on its way
	waiting   bool // for the agent to be ready for calls
	failures  int  // of calls in a row
	heartbeat bool // one is due

	retry    *time.Timer // of SUBSCRIBE
	resend   *time.Timer // of a call
	recovery *time.Timer // while there is no subscription
	silence  *time.Timer // since the last heartbeat
}

func newLink() *link {
	return &link{retry: stoppedTimer(), resend: stoppedTimer(), recovery: stoppedTimer(), silence: stoppedTimer()}
}

// current says whether the subscription of that number goes on: what an older one still says no longer counts.
func (k *link) current(number int) bool {
	return number == k.number && (k.state == linkConnecting || k.state == linkUp)
}

// disconnect ends the subscription, if any, and forgets what was under way with it.
func (k *link) disconnect() {
	if k.cancel != nil {
		k.cancel()
	}
	k.retry.Stop()
	k.resend.Stop()
	k.silence.Stop()
	k.state, k.cancel = linkDown, nil
	k.sending, k.waiting, k.heartbeat, k.failures = false, false, false, 0
}

// recoveryWindow is how long the executor may be without a subscription.
func (l *loop) recoveryWindow() time.Duration {
	if l.cfg.Checkpoint {
		return l.cfg.RecoveryTimeout
	}
	return registrationTimeout
}

// subscribe begins a new subscription with everything that is unacknowledged.
func (l *loop) subscribe() {
	l.link.number++
	l.link.state = linkConnecting
	l.link.ctx, l.link.cancel = context.WithCancel(l.ctx)
	ctx, number := l.link.ctx, l.link.number
	call := calls.Subscribe(l.updates.subscribe(number))
	l.wg.Go(func() {
		err := l.client.subscribe(ctx, call, func(e *executor.Event) { l.inbox.put(eventIn{number, e}) })
		l.inbox.put(lostIn{number, err})
	})
}

func (l *loop) subscribed(s *executor.Event_Subscribed) {
	// Agents before 1.2 don't say the container id, which is the name of the sandbox (src/slave/paths.cpp,
	// getExecutorRunPath).
	container := path.Base(l.cfg.Environment.Directory)
	if s.ContainerID != nil && s.ContainerID.Value != "" {
		container = s.ContainerID.Value
	}
	l.session = &Session{
		Environment: l.cfg.Environment, ExecutorInfo: s.ExecutorInfo, FrameworkInfo: s.FrameworkInfo, AgentInfo: s.AgentInfo,
		ContainerID: container,
	}
	l.log.WithField("agent", s.AgentInfo.GetHostname()).Info("Subscribed to the Mesos agent.")
	l.link.state, l.link.attempts, l.link.upSince = linkUp, 0, time.Now()
	l.link.recovery.Stop()
	l.deliver()
}

// lost reacts to the end of a subscription that the agent caused.
func (l *loop) lost(err error) {
	switch up := l.link.state == linkUp; {
	case refuses(err):
		l.giveUp(&RefusedError{err})
	case up && !l.cfg.Checkpoint:
		l.giveUp(&AgentLostError{err})
	default:
		l.resubscribe(err)
	}
}

// resubscribe ends the subscription and tries again a little later, as long as the recovery timeout allows. An agent that is
// there takes a new subscription from an executor that it thinks is connected, with or without checkpointing
// (src/slave/slave.cpp, Slave::subscribe).
func (l *loop) resubscribe(err error) {
	log := l.log.WithError(err)
	if l.link.state == linkUp {
		l.link.recovery.Reset(l.recoveryWindow())
		log.WithField("for", l.recoveryWindow()).Warn("The subscription to the Mesos agent is lost; it is tried again.")
	} else if l.link.attempts == 0 {
		log.Warn("The Mesos agent does not take the subscription yet; it is tried again.")
	} else {
		log.Debug("The Mesos agent does not take the subscription yet.")
	}
	l.link.disconnect()
	l.link.last = err
	l.link.retry.Reset(backoff(l.link.attempts, l.cfg.BackoffMax, rand.Float64()))
	l.link.attempts++
}

// giveUp ends the executor without an agent: what is unacknowledged can't be delivered any more.
func (l *loop) giveUp(err error) {
	l.link.disconnect()
	l.link.recovery.Stop()
	l.link.state = linkGone
	l.close("There is no agent any more.", err)
}

// deliver makes the next call that is due, if none is on its way.
func (l *loop) deliver() {
	if l.link.state != linkUp || l.link.sending || l.link.waiting {
		return
	}
	var call *executor.Call
	var uuid []byte
	if status, ok := l.updates.next(l.link.number); ok {
		call, uuid = calls.Update(status), status.UUID
	} else if l.link.heartbeat {
		l.link.heartbeat = false
		call = calls.Heartbeat()
	} else {
		return
	}
	l.link.sending = true
	ctx, number := l.link.ctx, l.link.number
	l.wg.Go(func() { l.inbox.put(sentIn{number, uuid, l.client.send(ctx, call)}) })
}

// answered reacts to the answer to a call. An agent that still recovers takes subscriptions but no updates
// (src/slave/http.cpp, Http::executor): those are tried again until it does.
func (l *loop) answered(in sentIn) {
	l.link.sending = false
	switch {
	case in.err == nil && in.uuid != nil:
		l.link.failures = 0
		l.updates.sent(in.uuid, in.subscription)
	case in.err == nil:
	case in.uuid == nil: // a heartbeat asks for nothing
		l.log.WithError(in.err).Debug("The agent did not take a heartbeat.")
	case refuses(in.err):
		l.resubscribe(in.err)
		return
	default:
		l.log.WithError(in.err).Debug("The agent did not take an update; it is sent again.")
		l.link.waiting = true
		l.link.resend.Reset(backoff(l.link.failures, l.cfg.BackoffMax, rand.Float64()))
		l.link.failures++
		return
	}
	l.deliver()
}
