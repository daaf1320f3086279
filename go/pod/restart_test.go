package pod

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

// restarted has one service for each way of being brought back.
var restarted = engine.PodSpec{Services: []engine.ContainerSpec{
	{Service: "always", Name: "always-1", Restart: engine.Restart{On: engine.RestartAlways}},
	{Service: "checked", Name: "checked-1", Essential: true, Health: engine.HealthFile, Restart: engine.Restart{On: engine.RestartAlways}},
	{Service: "init", Name: "init-1", Init: true, Restart: engine.Restart{On: engine.RestartAlways, Attempts: 1}},
	{Service: "twice", Name: "twice-1", Essential: true, Restart: engine.Restart{On: engine.RestartOnFailure, Attempts: 2}},
	{Service: "window", Name: "window-1", Restart: engine.Restart{On: engine.RestartAlways, Attempts: 1, Delay: 5 * time.Second, Window: time.Minute}},
}}

var (
	errRefused = errors.New("no such command")
	errAway    = fmt.Errorf("connection refused: %w", errdefs.ErrUnavailable)
)

func restartEvents() []Event {
	var events []Event
	for _, c := range restarted.Services {
		events = append(events, Ran{c.Name}, Exited{Name: c.Name}, Exited{Name: c.Name, ExitCode: 1},
			Exited{Name: c.Name, ExitCode: 1, Ran: time.Hour}, Exited{Name: c.Name, Gone: true},
			RestartFailed{c.Name, errRefused}, RestartFailed{c.Name, errAway}, RanOut{c.Name})
	}
	return append(events, HealthChanged{"checked-1", engine.HealthHealthy})
}

// TestRestartTable writes down what ends a member for good and what does not, in every phase and for both kinds of pods: each
// line is the third of three such events, with the member seen running between them.
func TestRestartTable(t *testing.T) {
	var b strings.Builder
	for _, kind := range []Kind{Service, Job} {
		for _, phase := range []Phase{PhaseStarting, PhaseRunning, PhaseStopping, PhaseFailed} {
			fmt.Fprintf(&b, "%s pod, %s\n", kind, phase)
			for _, c := range restarted.Services {
				for _, e := range []Exited{{ExitCode: 0}, {ExitCode: 1}, {ExitCode: 1, Ran: time.Hour}, {Gone: true}} {
					e.Name = c.Name
					s := in(phase, Rules{Kind: kind})
					if s.Members = members(restarted); phase == PhaseStarting {
						s.Up = true
					}
					fmt.Fprintf(&b, "  %-58s ->", show(e))
					for range 3 {
						var actions []Action
						s, actions = next(s, e)
						s, _ = next(s, Ran{c.Name})
						fmt.Fprintf(&b, " %s", outcome(s, actions))
					}
					b.WriteByte('\n')
				}
			}
		}
	}
	golden(t, "restart", b.String())
}

// outcome is what came of an end in few words.
func outcome(s State, actions []Action) string {
	var out []string
	for _, a := range actions {
		switch a := a.(type) {
		case DoRestart:
			out = append(out, fmt.Sprintf("restart in %v", a.After))
		case DoStop:
			out = append(out, fmt.Sprintf("stop: %s %q", s.Outcome.State, s.Outcome.Message))
		case DoReport:
			out = append(out, fmt.Sprintf("%s %q", a.Status.State, a.Status.Message))
		}
	}
	return "[" + strings.Join(out, ", ") + "]"
}

func TestBackoffIsThatOfTheEngine(t *testing.T) {
	m := Member{Restart: engine.Restart{On: engine.RestartAlways}}
	var pauses []time.Duration
	for range 12 {
		m, _ = m.restarts(Service, Exited{ExitCode: 1})
		pauses = append(pauses, m.Pause)
	}
	require.Equal(t, 100*time.Millisecond, pauses[0])
	require.Equal(t, 200*time.Millisecond, pauses[1])
	require.Equal(t, 51200*time.Millisecond, pauses[9])
	require.Equal(t, time.Minute, pauses[10])
	require.Equal(t, time.Minute, pauses[11])
	m, _ = m.restarts(Service, Exited{ExitCode: 1, Ran: 10 * time.Second})
	require.Equal(t, 100*time.Millisecond, m.Pause)
}

func TestARestartThatLastedDoesNotCount(t *testing.T) {
	m := Member{Restart: engine.Restart{On: engine.RestartAlways, Attempts: 1, Window: time.Minute}}
	for range 5 {
		var again bool
		m, again = m.restarts(Service, Exited{ExitCode: 1, Ran: time.Minute})
		require.True(t, again)
	}
	_, again := m.restarts(Service, Exited{ExitCode: 1, Ran: time.Second})
	require.False(t, again)
}

func TestWhatWaitsForARestartIsNotUp(t *testing.T) {
	s := in(PhaseStarting, Rules{Kind: Service})
	s.Members = members(restarted)
	s, actions := next(s, Exited{Name: "checked-1", ExitCode: 1})
	require.Equal(t, []Action{DoRestart{"checked-1", firstBackoff}}, actions)
	s, actions = next(s, Up{})
	require.Empty(t, actions)
	s, actions = next(s, RestartFailed{"checked-1", errAway})
	require.Equal(t, []Action{DoRestart{"checked-1", 2 * firstBackoff}}, actions, "the engine is away, which says nothing about the service")
	require.Equal(t, 1, s.Members["checked-1"].Restarts)
	s, actions = next(s, Ran{"checked-1"})
	require.Empty(t, actions, "it has a healthcheck")
	s, actions = next(s, HealthChanged{"checked-1", engine.HealthHealthy})
	require.Equal(t, Running, actions[0].(DoReport).Status.State)

	s, actions = next(s, Exited{Name: "checked-1", ExitCode: 1})
	require.Equal(t, `Service checked exited with code 1 and is started again in 400ms.`, actions[1].(DoReport).Status.Message)
	require.False(t, *s.Healthy)
	s, _ = next(s, Ran{"checked-1"})
	s, _ = next(s, HealthChanged{"checked-1", engine.HealthStarting})
	require.False(t, *s.Healthy)
	s, _ = next(s, HealthChanged{"checked-1", engine.HealthHealthy})
	require.True(t, *s.Healthy)

	s, _ = next(s, Exited{Name: "checked-1"})
	s, _ = next(s, RestartFailed{"checked-1", errRefused})
	require.Equal(t, "Service checked exited with code 0, and can't be started again: No such command.", s.Outcome.Message)
	require.Equal(t, PhaseStopping, s.Phase)
}

func TestUpMeansHealthy(t *testing.T) {
	s := in(PhaseStarting, Rules{Kind: Service})
	s.Members = members(restarted)
	s, _ = next(s, Ran{"checked-1"})
	s, actions := next(s, Up{})
	require.True(t, *actions[0].(DoReport).Status.Healthy, "bring-up waits for it, whatever the runner was shown so far")
	_, actions = next(s, HealthChanged{"checked-1", engine.HealthHealthy})
	require.Empty(t, actions)
}

func TestOutOfMemoryNeedsEvidence(t *testing.T) {
	for _, c := range []struct {
		name     string
		before   []Event
		exit     int
		stopped  Stopped
		after    []Event
		reason   Reason
		evidence string
	}{
		{"the engine's hint and SIGKILL", []Event{RanOut{"web-1"}}, 137, Stopped{}, nil, ReasonCommandFailed, ""},
		{"the hint comes late", nil, 137, Stopped{}, []Event{RanOut{"web-1"}}, ReasonCommandFailed, ""},
		{"SIGKILL alone", nil, 137, Stopped{}, nil, ReasonCommandFailed, ""},
		{"the hint alone", []Event{RanOut{"web-1"}}, 1, Stopped{}, nil, ReasonCommandFailed, ""},
		{"the hint for another", []Event{RanOut{"log-1"}}, 137, Stopped{}, nil, ReasonCommandFailed, ""},
		{"a counter of the kernel", nil, 137, Stopped{OutOfMemory: "oom_kill went from 0 to 1"}, nil, ReasonMemory, "(oom_kill went from 0 to 1)"},
		{"a counter, but it was not killed", nil, 2, Stopped{OutOfMemory: "oom_kill went from 0 to 1"}, nil, ReasonCommandFailed, ""},
		{"killed by the stop", []Event{RanOut{"web-1"}, HealthChanged{"web-1", engine.HealthUnhealthy}}, 137, Stopped{}, nil, ReasonHealth, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := in(PhaseRunning, Rules{Kind: Service})
			for _, e := range append(append(c.before, Exited{Name: "web-1", ExitCode: c.exit}), c.after...) {
				s, _ = next(s, e)
			}
			s, _ = next(s, c.stopped)
			require.Equal(t, c.reason, s.Outcome.Reason)
			require.Contains(t, s.Outcome.Message, c.evidence)
			require.Equal(t, c.evidence != "", strings.Contains(s.Outcome.Message, "It ran out of memory"))
			require.Equal(t, strings.Contains(c.name, "the engine's hint and") || strings.Contains(c.name, "comes late"),
				strings.Contains(s.Outcome.Message, "The Docker engine reported want of memory"))
		})
	}
}

// With memory.oom.group the kernel kills the whole pod, and the end of infra may be the first that is seen.
func TestOutOfMemoryOfInfra(t *testing.T) {
	for code, want := range map[int]Reason{137: ReasonMemory, 1: ReasonCommandFailed} {
		s, _ := next(in(PhaseRunning, Rules{Kind: Service}), InfraExited{code})
		s, _ = next(s, InfraExited{137}) // stopping already
		s, _ = next(s, Stopped{OutOfMemory: "oom_kill went from 0 to 1"})
		require.Equal(t, want, s.Outcome.Reason)
		require.Equal(t, want == ReasonMemory, strings.Contains(s.Outcome.Message, "ran out of memory with the pod (oom_kill went"), s.Outcome.Message)
	}
}

// A bring-up that fails for a service that SIGKILL has ended asks for evidence, too, whichever of the two is heard of first.
func TestOutOfMemoryWhileStarting(t *testing.T) {
	for killed, want := range map[bool]Reason{true: ReasonMemory, false: ReasonLaunchFailed} {
		s, actions := next(in(PhaseStarting, Rules{Kind: Service}), LaunchFailed{&engine.OpError{Service: "web", Killed: killed}})
		require.IsType(t, DoStop{}, actions[0])
		s, _ = next(s, LaunchFailed{&engine.OpError{Service: "log", Killed: true}}) // stopping already
		s, _ = next(s, Stopped{OutOfMemory: "oom_kill went from 0 to 1"})
		require.Equal(t, want, s.Outcome.Reason)
		require.Equal(t, "web", s.Outcome.Service)
	}
}

// once is a service that is brought back once.
var once = engine.PodSpec{Services: []engine.ContainerSpec{
	{Service: "web", Name: "web-1", Essential: true, Restart: engine.Restart{On: engine.RestartOnFailure, Attempts: 1, Delay: time.Millisecond}},
}}

func startOnce(t *testing.T, s *scripted, spec engine.PodSpec) (*Runner, <-chan Status) {
	r, reports := start(t, s, Rules{Kind: Service}, func(c *Config) {
		c.Prepare = func(context.Context) (Ready, error) { return Ready{Spec: spec, Engine: s, Logs: s}, nil }
	})
	s.up <- nil
	require.Equal(t, Running, (<-reports).State)
	return r, reports
}

func TestRunnerRestartsAndGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted()
		r, reports := startOnce(t, s, once)
		s.watch <- seen("web-1", "web", engine.StatusRunning, 0)
		s.watch <- seen("web-1", "web", engine.StatusExited, 3)
		s.restart <- nil
		o := seen("web-1", "web", engine.StatusExited, 3) // that it ran in between was too short to be seen
		o.Containers[0].Runs = 1
		s.watch <- o
		<-s.stop
		s.stopped <- engine.StopReport{}
		st := <-reports
		require.Equal(t, Failed, st.State)
		require.Contains(t, st.Message, "Service web exited with code 3 after a restart.")
		<-r.Done()
		require.Contains(t, s.calls, "restart web-1")
	})
}

func TestRunnerKillDuringBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted()
		spec := engine.PodSpec{Services: []engine.ContainerSpec{once.Services[0]}}
		spec.Services[0].Restart.Delay = time.Hour
		r, reports := startOnce(t, s, spec)
		s.watch <- seen("web-1", "web", engine.StatusExited, 3)
		s.watch <- seen("web-1", "web", engine.StatusExited, 3) // nothing new; it is taken after the first
		r.Kill(nil)
		require.Equal(t, Killing, (<-reports).State)
		<-s.stop
		s.stopped <- engine.StopReport{}
		require.Equal(t, Killed, (<-reports).State)
		<-r.Done()
		require.NotContains(t, s.calls, "restart web-1")
	})
}

func TestRunnerStopWaitsForARestartUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted()
		r, reports := startOnce(t, s, once)
		s.watch <- seen("web-1", "web", engine.StatusExited, 3)
		time.Sleep(once.Services[0].Restart.Delay)
		synctest.Wait()
		require.Equal(t, "restart web-1", s.calls[len(s.calls)-1])
		r.Kill(nil)
		require.Equal(t, Killing, (<-reports).State)
		<-s.stop
		s.stopped <- engine.StopReport{}
		require.Equal(t, Killed, (<-reports).State)
		<-r.Done()
		require.Equal(t, []string{"restart web-1", "stop", "remove"}, s.calls[len(s.calls)-3:])
	})
}
