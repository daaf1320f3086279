package pod

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/engine"
)

// The sentences and reasons of the updates, one function a cause.

func running(s State) Status {
	return Status{State: Running, Message: "Every service of the pod is up.", Healthy: s.Healthy}
}

func finished() Status {
	return Status{State: Finished, Message: "Every essential service of the pod has exited with code 0."}
}

func killed(s State) Status {
	if s.Phase == PhaseRunning {
		return Status{State: Killed, Message: "The pod was killed on request."}
	}
	return Status{State: Killed, Reason: ReasonKilledInLaunch,
		Message: fmt.Sprintf("The pod was killed on request while it was %s.", s.Phase)}
}

func shutDown() Status {
	return Status{State: Killed, Reason: ReasonExecutorEnded, Message: "The pod was stopped because its executor was told to shut down."}
}

func launchFailed(e LaunchFailed) Status {
	st := Status{State: Failed, Reason: reasonOf(e.Err, ReasonLaunchFailed), Message: sentence(e.Err.Error())}
	if op, ok := errors.AsType[*engine.OpError](e.Err); ok {
		st.Service = op.Service
	}
	return st
}

func launchTimeout(s State, e LaunchTimeout) Status {
	var waiting []string
	for _, name := range s.names() {
		if m := s.Members[name]; m.Waiting || m.Behind || !m.Exited && (!m.Seen || m.Checked && m.Health != engine.HealthHealthy) {
			waiting = append(waiting, m.Service)
		}
	}
	what := "the pod"
	if len(waiting) > 0 {
		what = "service " + strings.Join(waiting, ", ")
	}
	return Status{State: Failed, Reason: ReasonLaunchFailed, Message: fmt.Sprintf(
		"The pod was still %s after %v, waiting for %s; look at its logs, or raise launch.timeout.", s.Phase, e.After, what)}
}

func engineLost(e EngineLost) Status {
	return Status{State: Failed, Reason: ReasonLaunchFailed, Message: sentence(fmt.Sprintf(
		"the Docker engine has not answered for %v (%v); see that dockerd runs, or raise engine.lost_timeout", e.For.Round(time.Second), e.Err))}
}

func infraExited(e InfraExited) Status {
	return Status{State: Failed, Reason: ReasonCommandFailed, Message: fmt.Sprintf(
		"The pod's infra container, which holds its network, %s; it was stopped from outside, or by a restart of dockerd without live-restore.", ending(e.ExitCode))}
}

func exitedStatus(s State, m Member, e Exited) Status {
	msg := fmt.Sprintf("service %s %s", m.Service, ending(e.ExitCode))
	switch m.Restarts {
	case 0:
	case 1:
		msg += " after a restart"
	default:
		msg += fmt.Sprintf(" after %d restarts", m.Restarts)
	}
	switch {
	case e.Gone:
		msg = fmt.Sprintf("the container of service %s was removed from outside", m.Service)
	case m.Init:
		msg += ", and other services wait for its successful completion"
	case e.ExitCode == 0:
		msg += ", and a service pod needs it to go on running (a pod that is to end says dce.pod.kind=job)"
	}
	reason := ReasonCommandFailed
	if s.Phase != PhaseRunning {
		reason = ReasonLaunchFailed
	}
	return Status{State: Failed, Reason: reason, Message: sentence(msg), Service: m.Service}
}

func unhealthy(m Member) Status {
	return Status{State: Failed, Reason: ReasonHealth, Healthy: new(false), Service: m.Service, Message: fmt.Sprintf(
		"Service %s is unhealthy: its healthcheck failed too often; look at %s, or raise its retries or start_period.",
		m.Service, m.LogFile)}
}

func healthReport(s State, m Member) Status {
	st := Status{State: Running, Reason: ReasonHealth, Healthy: s.Healthy, Message: "Every service of the pod is healthy."}
	if !*s.Healthy {
		st.Message = fmt.Sprintf("Service %s is unhealthy.", m.Service)
	}
	return st
}

// atTheEnd adds to the outcome what an operator must know of the end.
func atTheEnd(s State, e Stopped) Status {
	st := s.Outcome
	switch killed := s.Killed && st.State == Failed; {
	case killed && e.OutOfMemory != "" && st.Service == "":
		st.Reason = ReasonMemory
		st.Message = fmt.Sprintf("The pod's infra container, which holds its network, ran out of memory with the pod (%s): give the task more.", e.OutOfMemory)
	case killed && e.OutOfMemory != "":
		st.Reason = ReasonMemory
		st.Message += fmt.Sprintf(" It ran out of memory (%s): give the task or services.%s.mem_limit more.", e.OutOfMemory, st.Service)
	case killed && hinted(s):
		st.Message += " The Docker engine reported want of memory, which it does of every container below a cgroup that ran out; that the kernel " +
			"killed this one for it is not known: look at dmesg on the host."
	}
	if len(e.Tail) > 0 {
		st.Message += fmt.Sprintf(" Its last output: %q.", strings.Join(e.Tail, "\n"))
	}
	if len(e.Report.Overran) > 0 {
		st.Message += fmt.Sprintf(" Killed after the grace period: %s.", strings.Join(e.Report.Overran, ", "))
	}
	if len(e.Report.Alone) > 0 {
		st.Message += fmt.Sprintf(" The Docker engine did not answer in time, so the executor itself ended the processes of: %s.", strings.Join(e.Report.Alone, ", "))
	}
	if e.Report.Err != nil {
		st.Message += " Not everything could be stopped: " + sentence(e.Report.Err.Error())
	}
	return st
}

// hinted says whether the engine reported the service that failed the pod out of memory. That proves nothing, also beside SIGKILL:
// the report may be about a limit above, or about a child of the service long ago, and the signal anybody's.
func hinted(s State) bool {
	for _, m := range s.Members {
		if m.Service == s.Outcome.Service && m.OOM {
			return true
		}
	}
	return false
}

// killedCode is the exit code of what SIGKILL ended.
const killedCode = 128 + int(syscall.SIGKILL)

// ending says in words how a process ended. Docker reports a death by signal N as 128+N.
func ending(code int) string {
	if sig := syscall.Signal(code - 128); code > 128 && unix.SignalName(sig) != "" {
		return fmt.Sprintf("exited with code %d (%s)", code, unix.SignalName(sig))
	}
	return fmt.Sprintf("exited with code %d", code)
}

func reasonOf(err error, other Reason) Reason {
	var r interface{ Reason() string }
	if errors.As(err, &r) && r.Reason() != "" {
		return Reason(r.Reason())
	}
	return other
}

// sentence makes a sentence of an error text. A first word that is a name (a file, an address) keeps its case.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	if first, _, _ := strings.Cut(s, " "); !strings.ContainsAny(first, "./:_-\"") {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	if !strings.ContainsAny(s[len(s)-1:], ".?!") {
		s += "."
	}
	return s
}
