package pod

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dce-go/dce/go/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

var phases = []Phase{
	PhaseReceived, PhasePreparing, PhasePulling, PhaseCreating, PhaseStarting, PhaseRunning, PhaseStopping,
	PhaseFinished, PhaseFailed, PhaseKilled,
}

// twoServices has an essential service, a sidecar and an init container.
var twoServices = engine.PodSpec{Services: []engine.ContainerSpec{
	{Service: "web", Name: "web-1", Essential: true},
	{Service: "log", Name: "log-1"},
	{Service: "migrate", Name: "migrate-1", Init: true},
}}

func everyEvent() []Event {
	return []Event{
		Launch{}, Prepared{twoServices},
		StageBegan{engine.StagePull}, StageBegan{engine.StageCreate}, StageBegan{engine.StageStart}, Up{},
		LaunchFailed{errors.New("no such image")}, LaunchTimeout{time.Minute},
		Ran{"web-1"}, Ran{"stranger"},
		Exited{Name: "web-1"}, Exited{Name: "web-1", ExitCode: 3}, Exited{Name: "web-1", Gone: true},
		Exited{Name: "log-1", ExitCode: 1}, Exited{Name: "migrate-1"}, Exited{Name: "migrate-1", ExitCode: 1},
		Exited{Name: "stranger", ExitCode: 1}, RanOut{"web-1"}, RestartFailed{"web-1", errors.New("no such command")},
		InfraExited{137},
		HealthChanged{"web-1", engine.HealthHealthy}, HealthChanged{"web-1", engine.HealthUnhealthy},
		TaskHealth{Healthy: true, Message: "HTTP health check passed."}, TaskHealth{Message: "HTTP health check failed."},
		TaskHealth{Fatal: true, Message: "HTTP health check failed too often."},
		CheckUpdated{Check{Type: "TCP"}, "TCP check without a result."}, CompletionTimeout{time.Hour},
		EngineLost{2 * time.Minute, errors.New("connection refused")},
		Kill{}, Kill{new(5 * time.Second)}, Shutdown{3 * time.Second},
		Stopped{}, Stopped{Report: engine.StopReport{Overran: []string{"web"}}, Tail: []string{"bye"}}, Removed{},
	}
}

func in(phase Phase, rules Rules) State {
	s := State{Rules: rules, Phase: phase}
	if phase != PhaseReceived && phase != PhasePreparing {
		s.Members = members(twoServices)
	}
	outcomes := map[Phase]TaskState{PhaseStopping: Failed, PhaseFinished: Finished, PhaseFailed: Failed, PhaseKilled: Killed}
	s.Outcome.State = outcomes[phase]
	return s
}

// TestNextTable writes down what every event does in every phase, for both kinds of pods, and compares it with the
// golden file: whoever changes the lifecycle sees the whole change.
func TestNextTable(t *testing.T) {
	var b strings.Builder
	for _, rules := range []Rules{{Kind: Service}, {Kind: Job, ReportUnhealthy: true}} {
		for _, phase := range phases {
			fmt.Fprintf(&b, "%s pod, %s\n", rules.Kind, phase)
			for _, e := range everyEvent() {
				before := in(phase, rules)
				after, actions := next(before, e)
				require.Equal(t, in(phase, rules), before, "next must not change the state it was given")
				if after.Phase == phase && len(actions) == 0 {
					continue // nothing happens: the table shows what does
				}
				fmt.Fprintf(&b, "  %-58s -> %s%s\n", show(e), after.Phase, showActions(actions))
			}
		}
	}
	golden(t, "next", b.String())
}

// golden compares with a file in testdata, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name + ".golden"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "run `go test ./go/pod -update` if the change is meant")
}

func show(e Event) string {
	if p, ok := e.(Prepared); ok {
		return fmt.Sprintf("Prepared{%d services}", len(p.Spec.Services))
	}
	if k, ok := e.(Kill); ok && k.Grace != nil {
		return fmt.Sprintf("Kill{%v}", *k.Grace)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T%+v", e, e), "pod.")
}

func showActions(actions []Action) string {
	var b strings.Builder
	for _, a := range actions {
		switch a := a.(type) {
		case DoReport:
			fmt.Fprintf(&b, "\n      report %s %s %q", a.Status.State, a.Status.Reason, a.Status.Message)
		case DoStop:
			if a.Grace == nil {
				b.WriteString("\n      stop, as long as the services ask for")
			} else {
				fmt.Fprintf(&b, "\n      stop within %v", *a.Grace)
			}
		default:
			fmt.Fprintf(&b, "\n      %s", strings.TrimPrefix(fmt.Sprintf("%T%+v", a, a), "pod."))
		}
	}
	return b.String()
}

// TestNextProperties feeds random sequences of events and checks what must hold for all of them.
func TestNextProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := rapid.SampledFrom([]engine.PodSpec{twoServices, restarted}).Draw(t, "spec")
		events := append(everyEvent(), restartEvents()...)
		for i, e := range events {
			if _, ok := e.(Prepared); ok {
				events[i] = Prepared{spec}
			}
		}
		s := New(Rules{
			Kind:            rapid.SampledFrom([]Kind{Service, Job}).Draw(t, "kind"),
			ReportUnhealthy: rapid.Bool().Draw(t, "report unhealthy"),
		})
		var reports []TaskState
		var stopAsked, stoppedSeen, removeAsked int
		restarts := map[string]int{} // that were asked for because a member ended
		for range rapid.IntRange(1, 60).Draw(t, "n") {
			e := rapid.SampledFrom(events).Draw(t, "event")
			if _, ok := e.(Stopped); ok {
				if stopAsked == 0 {
					continue // the runner sends it only as an answer to a stop
				}
				stoppedSeen++
			}
			var actions []Action
			before := s.Phase
			s, actions = next(s, e)
			for _, a := range actions {
				switch a := a.(type) {
				case DoReport:
					if n := len(reports); n > 0 && reports[n-1].Terminal() {
						t.Fatalf("%s after the terminal %s", a.Status.State, reports[n-1])
					}
					if a.Status.State.Terminal() && stopAsked > 0 && stoppedSeen == 0 {
						t.Fatalf("%s before the containers were stopped", a.Status.State)
					}
					if a.Status.Message == "" {
						t.Fatalf("%s without a message", a.Status.State)
					}
					if a.Status.State == Running && before.launching() && s.Phase == PhaseRunning {
						for _, m := range s.Members {
							if m.Waiting || m.Behind {
								t.Fatalf("%s is reported while %+v", a.Status.State, m)
							}
						}
					}
					reports = append(reports, a.Status.State)
				case DoRestart:
					if stopAsked > 0 {
						t.Fatalf("%s is started again after the pod was stopped", a.Name)
					}
					if !s.Members[a.Name].Waiting || a.After <= 0 {
						t.Fatalf("%+v of %+v", a, s.Members[a.Name])
					}
					if _, ended := e.(Exited); ended {
						restarts[a.Name]++
					}
				case DoStop:
					stopAsked++
				case DoRemove:
					removeAsked++
				}
			}
			if before.Ended() && s.Phase != before {
				t.Fatalf("left %s for %s", before, s.Phase)
			}
		}
		for name, n := range restarts {
			if policy := s.Members[name].Restart; policy.On == engine.RestartNever || policy.Attempts > 0 && policy.Window == 0 && n > policy.Attempts {
				t.Fatalf("%s was started again %d times: %+v", name, n, policy)
			}
		}
		if stopAsked > 1 || removeAsked > 1 {
			t.Fatalf("%d stops and %d removals", stopAsked, removeAsked)
		}
		if s.Phase.Ended() != (len(reports) > 0 && reports[len(reports)-1].Terminal()) {
			t.Fatalf("phase %s, reports %v", s.Phase, reports)
		}
	})
}

func TestJobIsOverBeforeUp(t *testing.T) {
	s := in(PhaseStarting, Rules{Kind: Job})
	s, actions := next(s, Exited{Name: "web-1"})
	require.Empty(t, actions, "TASK_RUNNING comes first")
	s, actions = next(s, Up{})
	require.Equal(t, PhaseStopping, s.Phase)
	require.Equal(t, Running, actions[0].(DoReport).Status.State)
	require.Equal(t, Finished, s.Outcome.State)
}

func TestEnding(t *testing.T) {
	require.Equal(t, "exited with code 137 (SIGKILL)", ending(137))
	require.Equal(t, "exited with code 1", ending(1))
	require.Equal(t, "exited with code 255", ending(255))
}

func TestSentence(t *testing.T) {
	require.Equal(t, "Service web failed.", sentence("service web failed"))
	require.Equal(t, "docker-compose.yml: no such file.", sentence("docker-compose.yml: no such file."))
}
