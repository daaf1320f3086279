package executor

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/pod"
)

// Run is the life of an executor: it subscribes, serves the agent, and returns once the last task has ended, is removed and
// acknowledged, or once it was told to end. The end of ctx (SIGTERM) means the same as SHUTDOWN.
//
// The error is nil where the end was wanted, and else one of AgentLostError, RecoveryTimeoutError, RefusedError and
// AgentError; or says what of cfg can't be used, and then nothing was started. When Run returns, no task is left.
func Run(ctx context.Context, cfg Config, launcher Launcher, log logrus.FieldLogger) error {
	return run(ctx, cfg, launcher, log, nil)
}

func run(ctx context.Context, cfg Config, launcher Launcher, log logrus.FieldLogger, dial dialFunc) error {
	client, err := newClient(cfg, dial)
	if err != nil {
		return err
	}
	// The end of ctx must cut neither the connection nor the tasks: both have an end of their own.
	alive, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := &loop{
		cfg: cfg, launcher: launcher, log: log, client: client, inbox: newInbox(), ctx: alive,
		link: newLink(), tasks: map[string]*task{}, ended: map[string]struct{}{}, patience: stoppedTimer(),
	}
	l.run(ctx.Done())
	l.link.disconnect()
	cancel()
	l.wg.Wait()
	client.close()
	return l.err
}

// loop owns all state of an executor. Its methods run on one goroutine; whatever takes time runs beside it and comes back as
// an input.
type loop struct {
	cfg      Config
	launcher Launcher
	log      logrus.FieldLogger
	client   *client
	inbox    *inbox
	ctx      context.Context // ends after the last task
	wg       sync.WaitGroup  // everything that runs beside the loop

	session *Session // nil until the first SUBSCRIBED
	link    *link
	updates updates

	tasks map[string]*task    // by task id, until removed
	ended map[string]struct{} // ids of tasks that were removed: a late KILL of one needs no second end
	begun bool                // a task was launched

	closing   bool
	err       error       // what Run returns
	deadline  time.Time   // when closing: the agent's patience ends
	idleSince time.Time   // when the last task went, zero where there are some
	patience  *time.Timer // for acknowledgements once no task is left
}

// input is what the loop reacts to beside its timers.
type input interface{}

type (
	eventIn struct { // the agent sent an event
		subscription int
		event        *executor.Event
	}
	lostIn struct { // a subscription failed or ended
		subscription int
		err          error
	}
	sentIn struct { // a call was answered
		subscription int
		uuid         []byte // of the update, nil for a heartbeat
		err          error
	}
	launchedIn struct { // Launch returned
		task *task
		pod  Task
		err  error
	}
	reportIn struct { // a task has a new status
		task   *task
		status pod.Status
	}
	removedIn struct { // everything of a task is gone
		task *task
	}
)

func (l *loop) run(done <-chan struct{}) {
	defer l.patience.Stop()
	l.link.recovery.Reset(l.recoveryWindow())
	l.subscribe()
	for !l.finished() {
		select {
		case <-done:
			done = nil
			l.close("The executor was told to end by a signal.", nil)
		case <-l.inbox.ready:
			for _, in := range l.inbox.take() {
				l.handle(in)
			}
		case <-l.link.retry.C:
			l.subscribe()
		case <-l.link.resend.C:
			l.link.waiting = false
			l.deliver()
		case <-l.link.recovery.C:
			l.giveUp(&RecoveryTimeoutError{l.recoveryWindow(), l.link.last})
		case <-l.link.silence.C:
			l.resubscribe(errSilent)
		case <-l.patience.C: // finished looks at the clock
		}
	}
}

func (l *loop) handle(in input) {
	switch in := in.(type) {
	case eventIn:
		if l.link.current(in.subscription) {
			l.event(in.event)
		}
	case lostIn:
		if l.link.current(in.subscription) {
			l.lost(in.err)
		}
	case sentIn:
		if l.link.current(in.subscription) {
			l.answered(in)
		}
	case launchedIn:
		l.launched(in)
	case reportIn:
		l.record(in.task, in.status)
	case removedIn:
		l.removed(in.task)
	}
}

// event serves one event of the agent.
func (l *loop) event(e *executor.Event) {
	switch {
	case e.Type == executor.Event_SUBSCRIBED && e.Subscribed != nil:
		l.subscribed(e.Subscribed)
	case e.Type == executor.Event_LAUNCH && e.Launch != nil && l.session != nil:
		l.launch(e.Launch.Task, nil)
	case e.Type == executor.Event_LAUNCH_GROUP && e.LaunchGroup != nil && l.session != nil:
		g := &group{}
		for _, task := range e.LaunchGroup.TaskGroup.Tasks {
			l.launch(task, g)
		}
	case e.Type == executor.Event_KILL && e.Kill != nil:
		l.kill(e.Kill.TaskID.Value, e.Kill.KillPolicy)
	case e.Type == executor.Event_ACKNOWLEDGED && e.Acknowledged != nil:
		known := l.updates.acknowledge(e.Acknowledged.TaskID, e.Acknowledged.UUID)
		l.log.WithFields(logrus.Fields{"task": e.Acknowledged.TaskID.Value, "known": known}).Debug("An update is acknowledged.")
	case e.Type == executor.Event_MESSAGE && e.Message != nil:
		l.log.WithField("bytes", len(e.Message.Data)).Info("The framework sent a message; dce has no use for messages.")
	case e.Type == executor.Event_SHUTDOWN:
		l.close("The agent told the executor to shut down.", nil)
	case e.Type == executor.Event_ERROR && e.Error != nil:
		l.close("The agent reported an error.", &AgentError{e.Error.Message})
	case e.Type == executor.Event_HEARTBEAT:
		l.link.silence.Reset(heartbeatPatience)
		l.link.heartbeat = true
		l.deliver()
	default:
		l.log.WithField("event", e.Type.String()).Warn("The agent sent an event that makes no sense here; it is ignored.")
	}
}

// tell sends an update: now, or with the next subscription.
func (l *loop) tell(id string, s pod.Status) {
	status := newStatus(id, s, stamp{l.cfg.Environment.ExecutorID, os.Getpid(), time.Now(), uuid.New()})
	l.log.WithFields(logrus.Fields{
		"task": id, "state": status.GetState().String(), "reason": string(s.Reason), "message": s.Message,
	}).Info("The task has a new state.")
	_, known := l.tasks[id]
	l.updates.add(status, !known)
	l.deliver()
}

// stoppedTimer is a timer that is set later.
func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
