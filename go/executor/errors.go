package executor

import (
	"errors"
	"fmt"
	"time"
)

// AgentLostError says that the connection to the agent broke and the framework has no checkpointing: an agent that comes
// back would not know this executor, so the pods were stopped.
type AgentLostError struct {
	Cause error
}

func (e *AgentLostError) Error() string {
	return fmt.Sprintf("the connection to the Mesos agent was lost (%v) and the framework has no checkpointing, so all pods were stopped; "+
		"set checkpoint in FrameworkInfo to let pods outlive a restart of the agent", e.Cause)
}

func (e *AgentLostError) Unwrap() error { return e.Cause }

// RecoveryTimeoutError says that the agent did not take a subscription in time.
type RecoveryTimeoutError struct {
	Timeout time.Duration
	Cause   error // of the last attempt
}

func (e *RecoveryTimeoutError) Error() string {
	return fmt.Sprintf("no subscription to the Mesos agent within %v (last: %v), so all pods were stopped; see whether the agent runs, "+
		"and its flag --recovery_timeout", e.Timeout, e.Cause)
}

func (e *RecoveryTimeoutError) Unwrap() error { return e.Cause }

// RefusedError says that the agent answered a SUBSCRIBE with no, in a way that asking again can't change.
type RefusedError struct {
	Cause error
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the Mesos agent refused the subscription (%v), so all pods were stopped; the agent does not know this executor "+
		"(it may have a new agent id) or its token", e.Cause)
}

func (e *RefusedError) Unwrap() error { return e.Cause }

// AgentError is an ERROR event.
type AgentError struct {
	Message string
}

func (e *AgentError) Error() string {
	return fmt.Sprintf("the Mesos agent reported an error to the executor (%s), so all pods were stopped; see the agent's log", e.Message)
}

// errSilent is why a subscription is given up whose heartbeats stopped.
var errSilent = errors.New("the agent's heartbeats stopped")

// StatusError is an answer of the agent that is no success.
type StatusError struct {
	Code int
	Body string // its beginning
}

func (e *StatusError) Error() string {
	if e.Body == "" {
		return fmt.Sprintf("the agent answered with HTTP status %d", e.Code)
	}
	return fmt.Sprintf("the agent answered with HTTP status %d: %s", e.Code, e.Body)
}

// refuses says whether err is an answer that stays the same however often the call is made. Not so 404 (the agent has not set
// up its routes yet), 429 and 503 (it recovers), as in src/executor/executor.cpp, MesosProcess::_send.
func refuses(err error) bool {
	status, ok := errors.AsType[*StatusError](err)
	return ok && status.Code >= 300 && status.Code < 500 && status.Code != 404 && status.Code != 429
}
