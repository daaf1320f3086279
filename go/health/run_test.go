package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/pod"
)

func quiet() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// told is an event with the time at which it came.
type told struct {
	after time.Duration
	event pod.Event
}

// during runs a checker for so long, in a bubble, and returns what it told.
func during(d time.Duration, c Check, p probe) []told {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var out []told
	Run(ctx, []*Checker{{check: c, probe: p, log: quiet()}}, func(e pod.Event) { out = append(out, told{time.Since(began), e}) })
	return out
}

var everySecond = Timing{Delay: 2 * time.Second, Interval: time.Second, Timeout: 500 * time.Millisecond}

func TestChecksAreMadeOnTimeAndNeverTwoAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		running := 0
		during(9*time.Second, Check{Type: Command, Timing: Timing{Delay: 2 * time.Second, Interval: time.Second}}, func(context.Context) (Result, error) {
			running++
			require.Equal(t, 1, running)
			at = append(at, time.Since(began))
			time.Sleep(3 * time.Second) // longer than the interval
			running--
			return Result{}, nil
		})
		require.Equal(t, []time.Duration{2 * time.Second, 6 * time.Second}, at, "an interval lies between the end of one and the next")
	})
}

func TestHealthIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Check{Type: HTTP, Scheme: "http", Port: 80, Path: "/up", Timing: everySecond, Health: &Tolerance{Grace: 3 * time.Second, Failures: 2}}
		codes := []int{500, 500, 200, 200, 500, 200, 404, 503}
		require.Equal(t, []told{
			// At 2 and 3 s it fails, in the grace period.
			{4 * time.Second, pod.TaskHealth{Healthy: true, Message: "HTTP health check passed: http://127.0.0.1:80/up answers with status 200."}},
			{6 * time.Second, pod.TaskHealth{Message: "HTTP health check failed (1 in a row, 2 end the pod): http://127.0.0.1:80/up answers with status 500."}},
			{7 * time.Second, pod.TaskHealth{Healthy: true, Message: "HTTP health check passed: http://127.0.0.1:80/up answers with status 200."}},
			{8 * time.Second, pod.TaskHealth{Message: "HTTP health check failed (1 in a row, 2 end the pod): http://127.0.0.1:80/up answers with status 404."}},
			{9 * time.Second, pod.TaskHealth{Fatal: true, Message: "HTTP health check failed too often (2 in a row), so the pod is killed: " +
				"http://127.0.0.1:80/up answers with status 503."}},
		}, during(9500*time.Millisecond, c, func(context.Context) (Result, error) {
			code := codes[0]
			codes = codes[1:]
			return Result{Value: code}, nil
		}))
	})
}

func TestACheckThatTakesTooLongFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(ctx context.Context) (Result, error) { <-ctx.Done(); return Result{}, ctx.Err() }
		c := Check{Type: TCP, Port: 80, Timing: everySecond, Health: &Tolerance{Failures: 2}}
		require.Equal(t, []told{
			{2500 * time.Millisecond, pod.TaskHealth{Message: "TCP health check failed (1 in a row, 2 end the pod): it did not end within 500ms."}},
			{4 * time.Second, pod.TaskHealth{Fatal: true, Message: "TCP health check failed too often (2 in a row), so the pod is killed: it did not end within 500ms."}},
		}, during(5*time.Second, c, hangs))

		c.Timeout = 0
		require.Empty(t, during(time.Hour, c, hangs), "no timeout is none")
	})
}

func TestAnEngineThatIsAwayIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := Check{Type: TCP, Port: 80, Timing: everySecond, Health: &Tolerance{Failures: 1}}
		require.Empty(t, during(time.Minute, c, func(context.Context) (Result, error) {
			return Result{}, fmt.Errorf("no engine: %w", errdefs.ErrUnavailable)
		}))
		require.Empty(t, during(time.Minute, c, func(ctx context.Context) (Result, error) {
			<-ctx.Done()
			return Result{}, fmt.Errorf("no engine: %w", errdefs.ErrUnavailable)
		}))
	})
}

func TestACheckIsToldWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := []struct {
			value int
			err   error
		}{{err: errors.New("no such container")}, {value: 0}, {value: 0}, {value: 3}, {err: errors.New("gone")}, {err: errors.New("gone")}, {value: 3}}
		check := func(result *int, message string) pod.Event {
			return pod.CheckUpdated{Check: pod.Check{Type: "COMMAND", Result: result}, Message: message}
		}
		require.Equal(t, []told{
			{3 * time.Second, check(new(0), "COMMAND check: the command exits with code 0.")},
			{5 * time.Second, check(new(3), "COMMAND check: the command exits with code 3 (why).")},
			{6 * time.Second, check(nil, "COMMAND check has no result: gone.")},
			{8 * time.Second, check(new(3), "COMMAND check: the command exits with code 3 (why).")},
		}, during(8500*time.Millisecond, Check{Type: Command, Timing: everySecond}, func(context.Context) (Result, error) {
			r := results[0]
			results = results[1:]
			if r.value != 0 {
				return Result{r.value, "why"}, nil
			}
			return Result{Value: r.value}, r.err
		}))
	})
}
