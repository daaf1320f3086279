package localagent

import (
	"errors"
	"fmt"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// acks is what stands between the agent and the acknowledgements that it sends; the agent's lock guards it.
type acks struct {
	holding bool
	held    []func()
	drop    int
}

func (k *acks) pass(send func()) {
	switch {
	case k.drop > 0:
		k.drop--
	case k.holding:
		k.held = append(k.held, send)
	default:
		send()
	}
}

// HoldAcks keeps acknowledgements back until release is called, which sends them in order: an agent whose disk is slow.
func (a *Agent) HoldAcks() (release func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.acks.holding = true
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		held := a.acks.held
		a.acks.holding, a.acks.held = false, nil
		for _, send := range held {
			send()
		}
	}
}

// DropAcks loses the next n acknowledgements: an agent that dies before it sends them.
func (a *Agent) DropAcks(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.acks.drop = n
}

// HoldScheduler keeps back what the scheduler acknowledges until release is called. Until then the agent goes on to know
// tasks that have ended, and acknowledges their last update again when it comes again; afterwards it does not (see update).
func (a *Agent) HoldScheduler() (release func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.held = true
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.held = false
		for _, e := range a.executors {
			for _, t := range e.active(ended) {
				a.complete(t)
			}
		}
	}
}

// Redeliver sends the LAUNCH of a task that the executor has got already.
func (a *Agent) Redeliver(taskID string) error {
	return a.withTask(taskID, func(e *run, t *task) {
		a.send(e, &executor.Event{Type: executor.Event_LAUNCH, Launch: &executor.Event_Launch{Task: t.info}})
	})
}

// SendKill sends the KILL of a task that the executor was perhaps never given: the LAUNCH before it may have been lost with a
// connection.
func (a *Agent) SendKill(executorID, taskID string) error {
	return a.withRun(executorID, func(e *run) {
		a.send(e, &executor.Event{Type: executor.Event_KILL, Kill: &executor.Event_Kill{TaskID: mesos.TaskID{Value: taskID}}})
	})
}

// Heartbeat sends a HEARTBEAT event now.
func (a *Agent) Heartbeat(executorID string) error {
	return a.withRun(executorID, func(e *run) { a.send(e, &executor.Event{Type: executor.Event_HEARTBEAT}) })
}

// Message sends a framework message. Follows src/slave/slave.cpp, schedulerMessage.
func (a *Agent) Message(executorID string, data []byte) error {
	return a.withRun(executorID, func(e *run) {
		a.send(e, &executor.Event{Type: executor.Event_MESSAGE, Message: &executor.Event_Message{Data: data}})
	})
}

// Error sends an ERROR event, after which an executor is to subscribe again or to abort.
func (a *Agent) Error(executorID, message string) error {
	return a.withRun(executorID, func(e *run) {
		a.send(e, &executor.Event{Type: executor.Event_ERROR, Error: &executor.Event_Error{Message: message}})
	})
}

// Disconnect breaks the subscriptions of all executors, as a fault of the network does. The agent does not care.
func (a *Agent) Disconnect() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.executors {
		if e.stream != nil {
			e.stream.cut()
		}
	}
}

// Down makes the agent a dead process: connections break, nothing listens, no timer runs, the end of executors goes
// unnoticed. Without checkpointing the master then counts the framework's tasks on this agent as lost.
// Follows src/master/master.cpp, removeFramework(Slave*, Framework*).
func (a *Agent) Down() error {
	a.mu.Lock()
	if a.closing || a.state == down {
		a.mu.Unlock()
		return errors.New("the local agent is down already")
	}
	a.state = down
	a.lives++
	a.stopTimers()
	a.acks.held = nil
	server := a.server
	a.server = nil
	for _, e := range a.executors {
		e.stream = nil
		if !a.options.Framework.GetCheckpoint() {
			for _, t := range append(e.active(launched), e.active(queued)...) {
				a.report(e, t.info.TaskID, termination{mesos.TASK_LOST, mesos.REASON_AGENT_DISCONNECTED,
					"Agent " + a.options.Hostname + " disconnected"})
			}
		}
	}
	a.mu.Unlock()
	server.close()
	return nil
}

// Up starts a dead agent again at its old address. It answers 503 to everything for a while, then lets executors
// subscribe for Options.ReregistrationTimeout, after which those that did not are killed, and only then takes updates
// again. Follows src/slave/slave.cpp, recover, _recover and reregisterExecutorTimeout.
func (a *Agent) Up(unavailable time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closing || a.state != down {
		return errors.New("the local agent is up already")
	}
	if err := a.listen(a.endpoint); err != nil {
		return err
	}
	a.state = recovering
	for _, e := range a.executors {
		a.recover(e)
	}
	a.up.Broadcast()
	a.recovery = append(a.recovery, a.after(unavailable, func() {
		a.state = reconnect
		a.recovery = append(a.recovery, a.after(a.options.ReregistrationTimeout, a.recovered))
	}))
	return nil
}

// Restart is Down followed at once by Up.
func (a *Agent) Restart(unavailable time.Duration) error {
	if err := a.Down(); err != nil {
		return err
	}
	if err := a.Up(unavailable); err != nil {
		return fmt.Errorf("the local agent can't come back: %w", err)
	}
	return nil
}

// recover makes of a run what a new agent finds on its disk: tasks that were not delivered are launched ones in staging
// (slave.cpp, Executor::recoverTask). Without checkpointing there is nothing on it, and the container is an orphan
// (src/slave/containerizer/mesos/containerizer.cpp, ___recover).
func (a *Agent) recover(e *run) {
	if !a.options.Framework.GetCheckpoint() {
		e.state = terminated
		a.terminate(e.container, nil)
		return
	}
	e.queue = nil
	for _, t := range e.active(queued) {
		t.phase = launched
	}
	if e.state < terminated {
		e.state = registering
	}
}

// EndRecovery lets the time pass that a recovering agent gives executors to come back: those that have not are killed, and it
// serves. A real agent waits for the whole of it (src/slave/slave.cpp, reregisterExecutorTimeout). An error unless executors may
// come back.
func (a *Agent) EndRecovery() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closing || a.state != reconnect {
		return errors.New("the local agent does not wait for executors to come back")
	}
	for _, t := range a.recovery {
		t.Stop()
	}
	a.recovered()
	return nil
}

// recovered may be called by its timer and by EndRecovery at once.
func (a *Agent) recovered() {
	if a.state != reconnect {
		return
	}
	for _, e := range a.executors {
		if e.state != registering {
			continue
		}
		e.state = terminating
		e.pending = &termination{a.lost(mesos.TASK_GONE), mesos.REASON_EXECUTOR_REREGISTRATION_TIMEOUT,
			"Executor did not reregister within " + formatDuration(a.options.ReregistrationTimeout)}
		a.terminate(e.container, nil)
	}
	a.state = serving
}
