package pod

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

var checkedRules = Rules{Kind: Service, HealthCheck: true, Check: &Check{Type: "HTTP"}, KillGrace: new(3 * time.Second)}

func reported(t *testing.T, actions []Action) []Status {
	t.Helper()
	var out []Status
	for _, a := range actions {
		if r, ok := a.(DoReport); ok {
			out = append(out, r.Status)
		}
	}
	return out
}

func TestChecksBeginWithTheRunningPod(t *testing.T) {
	_, actions := next(in(PhaseStarting, checkedRules), Up{})
	require.Equal(t, Running, reported(t, actions)[0].State)
	require.Contains(t, actions, DoCheck{})
	_, actions = next(in(PhaseStarting, Rules{Kind: Service}), Up{})
	require.NotContains(t, actions, DoCheck{})
}

// TestHealthOfAllAndOfTheTask says how the two kinds of healthchecks combine.
func TestHealthOfAllAndOfTheTask(t *testing.T) {
	rules := checkedRules
	rules.ReportUnhealthy = true
	s := in(PhaseRunning, rules)
	s, actions := next(s, HealthChanged{"web-1", engine.HealthHealthy})
	require.Empty(t, reported(t, actions), "the task's own health check has not said anything")

	s, actions = next(s, TaskHealth{Healthy: true, Message: "It passed."})
	require.Equal(t, []Status{{State: Running, Reason: ReasonHealth, Healthy: new(true), Message: "It passed."}}, reported(t, actions))

	s, actions = next(s, HealthChanged{"web-1", engine.HealthUnhealthy})
	require.False(t, *reported(t, actions)[0].Healthy)

	for range 2 { // every failure that counts is reported
		s, actions = next(s, TaskHealth{Message: "It failed."})
		require.Len(t, reported(t, actions), 1)
		require.False(t, *reported(t, actions)[0].Healthy)
	}
	s, actions = next(s, TaskHealth{Healthy: true, Message: "It passed."})
	require.Empty(t, reported(t, actions), "web is unhealthy all the same")
	s, actions = next(s, HealthChanged{"web-1", engine.HealthHealthy})
	require.True(t, *reported(t, actions)[0].Healthy)
	require.True(t, *s.Healthy)
}

func TestFatalHealthCheckKills(t *testing.T) {
	s, actions := next(in(PhaseRunning, checkedRules), TaskHealth{Fatal: true, Message: "It failed too often."})
	statuses := reported(t, actions)
	require.Len(t, statuses, 2)
	require.Equal(t, Running, statuses[0].State)
	require.Equal(t, Killing, statuses[1].State)
	require.Contains(t, actions, DoStop{checkedRules.KillGrace})
	_, actions = next(s, Stopped{})
	require.Equal(t, Status{State: Killed, Reason: ReasonHealth, Healthy: new(false), Message: "It failed too often."},
		reported(t, actions)[0])
}

func TestMaxCompletionTimeKillsAtOnce(t *testing.T) {
	s, actions := next(in(PhaseRunning, Rules{Kind: Job}), CompletionTimeout{time.Minute})
	require.Equal(t, []Action{DoStop{new(time.Duration(0))}}, actions, "no grace, no TASK_KILLING")
	require.Equal(t, Failed, s.Outcome.State)
	require.Equal(t, ReasonMaxCompletion, s.Outcome.Reason)
	_, actions = next(s, CompletionTimeout{time.Minute})
	require.Empty(t, actions)
}

func TestRunnerChecksWhileThePodRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted()
		ended := make(chan struct{})
		_, reports := start(t, s, checkedRules, func(c *Config) {
			c.Prepare = func(context.Context) (Ready, error) {
				return Ready{Spec: twoServices, Engine: s, Logs: s, Checks: func(ctx context.Context, post func(Event)) {
					post(CheckUpdated{Check{"HTTP", new(200)}, "It answers 200."})
					post(TaskHealth{Healthy: true, Message: "It passed."})
					post(TaskHealth{Fatal: true, Message: "It failed too often."})
					<-ctx.Done()
					post(TaskHealth{Healthy: true, Message: "It passed too late."})
					close(ended)
				}}, nil
			}
		})
		s.up <- nil
		require.Equal(t, &Check{Type: "HTTP"}, (<-reports).Check, "each status has the type, even without a result")
		result := &Check{"HTTP", new(200)}
		require.Equal(t, Status{State: Running, Reason: ReasonCheck, Message: "It answers 200.", Check: result}, <-reports)
		require.Equal(t, Status{State: Running, Reason: ReasonHealth, Healthy: new(true), Message: "It passed.", Check: result}, <-reports)
		require.False(t, *(<-reports).Healthy)
		require.Equal(t, Killing, (<-reports).State)
		<-s.stop
		<-ended
		s.stopped <- engine.StopReport{}
		last := <-reports
		require.Equal(t, Killed, last.State)
		require.Equal(t, result, last.Check)
	})
}

func TestRunnerMaxCompletionTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted()
		_, reports := start(t, s, Rules{}, func(c *Config) { c.MaxCompletion = 20 * time.Millisecond })
		at, _ := (<-s.stop).Get()
		require.Zero(t, time.Until(at), "without a grace period")
		s.stopped <- engine.StopReport{}
		st := <-reports
		require.Equal(t, Failed, st.State)
		require.Equal(t, ReasonMaxCompletion, st.Reason)
	})
}
