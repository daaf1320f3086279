package pod

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is an engine whose every answer the test gives: it shows the runner orders of events that a real engine can't be
// made to produce on demand.
type scripted struct {
	mu      sync.Mutex
	calls   []string
	up      chan error
	watch   chan engine.Observation
	stopped chan engine.StopReport
	stop    chan *engine.Deadline
	began   chan struct{} // closed when Up is called
	restart chan error
}

func newScripted() *scripted {
	return &scripted{
		up: make(chan error), watch: make(chan engine.Observation), stopped: make(chan engine.StopReport),
		stop: make(chan *engine.Deadline, 1), began: make(chan struct{}), restart: make(chan error),
	}
}

func (s *scripted) log(call string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call)
}

func (s *scripted) Up(ctx context.Context, _ engine.PodSpec, progress func(engine.Stage)) error {
	s.log("up")
	close(s.began)
	progress(engine.StageStart)
	select {
	case err := <-s.up:
		return err
	case <-ctx.Done():
		s.log("up cancelled")
		return ctx.Err()
	}
}

func (s *scripted) Watch(context.Context, string) <-chan engine.Observation { return s.watch }

func (s *scripted) Stop(_ context.Context, _ engine.PodSpec, d *engine.Deadline) engine.StopReport {
	s.log("stop")
	s.stop <- d
	return <-s.stopped
}

func (s *scripted) Restart(ctx context.Context, _ engine.PodSpec, name string) error {
	s.log("restart " + name)
	select {
	case err := <-s.restart:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *scripted) Remove(context.Context, engine.PodSpec) error { s.log("remove"); return nil }

func (s *scripted) Follow(c engine.ContainerState) { s.log("follow " + c.Service) }
func (s *scripted) Tail(string) []string           { return []string{"one", "two", "three", "four"} }
func (s *scripted) Drain(context.Context)          {}
func (s *scripted) Close()                         {}

func start(t *testing.T, s *scripted, rules Rules, change func(*Config)) (*Runner, <-chan Status) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	reports := make(chan Status, 16)
	cfg := Config{
		Rules: rules, ID: "dce-x", Log: log,
		Prepare: func(context.Context) (Ready, error) { return Ready{Spec: twoServices, Engine: s, Logs: s}, nil },
		Report:  func(st Status) { reports <- st },
	}
	if change != nil {
		change(&cfg)
	}
	r := Start(cfg)
	t.Cleanup(func() {
		select {
		case <-r.Done():
		case <-time.After(10 * time.Second):
			t.Error("the runner did not end")
		}
	})
	require.Equal(t, Starting, (<-reports).State)
	return r, reports
}

func seen(name, service string, status engine.Status, code int) engine.Observation {
	return engine.Observation{Containers: []engine.ContainerState{
		{Name: name, Service: service, Role: labels.RoleService, Status: status, ExitCode: code},
	}}
}

func TestRunnerFailsWithTheLastOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted()
		_, reports := start(t, s, Rules{Kind: Service}, nil)
		s.up <- nil
		require.Equal(t, Running, (<-reports).State)
		s.watch <- seen("web-1", "web", engine.StatusRunning, 0)
		s.watch <- seen("web-1", "web", engine.StatusExited, 3)
		<-s.stop
		require.Empty(t, reports, "the terminal update waits for the stop")
		s.stopped <- engine.StopReport{}
		st := <-reports
		require.Equal(t, Failed, st.State)
		require.Equal(t, `Service web exited with code 3. Its last output: "two\nthree\nfour".`, st.Message)
	})
}

func TestRunnerKillWhileStarting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted()
		r, reports := start(t, s, Rules{Kind: Service}, nil)
		<-s.began
		r.Kill(new(time.Hour))
		require.Equal(t, Killing, (<-reports).State)
		d := <-s.stop
		r.Kill(new(time.Second))
		synctest.Wait()
		at, _ := d.Get()
		require.Equal(t, time.Second, time.Until(at))
		s.stopped <- engine.StopReport{Overran: []string{"web"}}
		st := <-reports
		require.Equal(t, Killed, st.State)
		require.Equal(t, ReasonKilledInLaunch, st.Reason)
		require.Contains(t, st.Message, "Killed after the grace period: web.")
		<-r.Done()
		require.Equal(t, []string{"up", "up cancelled", "stop", "remove"}, s.calls)
	})
}

func TestRunnerKillWhilePreparing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted()
		preparing := make(chan struct{})
		r, reports := start(t, s, Rules{Kind: Service}, func(c *Config) {
			c.Prepare = func(ctx context.Context) (Ready, error) {
				close(preparing)
				<-ctx.Done()
				return Ready{}, ctx.Err()
			}
		})
		<-preparing
		r.Kill(nil)
		require.Equal(t, Killing, (<-reports).State)
		require.Equal(t, Killed, (<-reports).State)
		<-r.Done()
		require.Empty(t, s.calls, "nothing was created, so nothing is asked of the engine")
	})
}

func TestRunnerPrepareFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, reports := start(t, newScripted(), Rules{}, func(c *Config) {
			c.Prepare = func(context.Context) (Ready, error) { return Ready{}, invalid("no file") }
		})
		st := <-reports
		require.Equal(t, Status{State: Failed, Reason: ReasonInvalid, Message: "No file."}, st)
	})
}

type invalid string

func (e invalid) Error() string { return string(e) }
func (invalid) Reason() string  { return string(ReasonInvalid) }

func TestRunnerLaunchTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted()
		_, reports := start(t, s, Rules{}, func(c *Config) { c.LaunchTimeout = 20 * time.Millisecond })
		<-s.stop
		s.stopped <- engine.StopReport{}
		st := <-reports
		require.Equal(t, Failed, st.State)
		require.Contains(t, st.Message, "launch.timeout")
	})
}

func TestRunnerEngineLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted()
		r, reports := start(t, s, Rules{}, func(c *Config) { c.LostTimeout = 50 * time.Millisecond })
		s.up <- nil
		require.Equal(t, Running, (<-reports).State)
		s.watch <- engine.Observation{Lost: errors.New("connection refused")}
		s.watch <- engine.Observation{Full: true} // it is back: the timer is off
		select {
		case <-s.stop:
			t.Fatal("the pod was given up although the engine came back")
		case <-time.After(time.Minute):
		}
		s.watch <- engine.Observation{Lost: errors.New("connection refused")}
		<-s.stop
		s.stopped <- engine.StopReport{}
		require.Contains(t, (<-reports).Message, "engine.lost_timeout")
		<-r.Done()
	})
}

func TestViewTellsWhatIsNewOnce(t *testing.T) {
	v := view{}
	running := seen("web-1", "web", engine.StatusRunning, 0)
	require.Equal(t, []Event{Ran{"web-1"}}, v.update(running))
	require.Empty(t, v.update(running))
	require.Equal(t, []Event{Exited{Name: "web-1", Gone: true}}, v.update(engine.Observation{Full: true}))
	require.Empty(t, v.update(engine.Observation{Full: true}))
	infra := engine.Observation{Containers: []engine.ContainerState{{Name: "i", Role: labels.RoleInfra, Status: engine.StatusExited, ExitCode: 137}}}
	require.Equal(t, []Event{InfraExited{137}}, v.update(infra))
}

func TestRunnerKnowsTheMembersWhenThePodIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScripted()
		spec := engine.PodSpec{Services: []engine.ContainerSpec{{Service: "web", Name: "web-1", Essential: true, Health: engine.HealthFile}}}
		r, reports := start(t, s, Rules{Kind: Service}, func(c *Config) {
			c.Prepare = func(context.Context) (Ready, error) { return Ready{Spec: spec, Engine: s, Logs: s}, nil }
		})
		s.up <- nil // Up's own hands are quicker than those of the watch
		healthy := seen("web-1", "web", engine.StatusRunning, 0)
		healthy.Containers[0].Health = engine.HealthHealthy
		s.watch <- healthy
		st := <-reports
		require.Equal(t, Running, st.State)
		require.NotNil(t, st.Healthy)
		require.True(t, *st.Healthy)
		r.Kill(nil)
		<-s.stop
		s.stopped <- engine.StopReport{}
	})
}
