package executor

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dce-go/dce/go/pod"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLauncher hands every launch to the test.
type fakeLauncher struct {
	pods    chan *fakePod
	refuse  map[string]error
	release chan struct{} // Launch waits for it where it is set
	abandon chan struct{} // closed to end every task of a test that failed
}

func newFakeLauncher() *fakeLauncher {
	return &fakeLauncher{pods: make(chan *fakePod, 100), refuse: map[string]error{}, abandon: make(chan struct{})}
}

func (f *fakeLauncher) Launch(_ context.Context, task mesos.TaskInfo, s Session, report func(pod.Status)) (Task, error) {
	if f.release != nil {
		select {
		case <-f.release:
		case <-f.abandon:
			return nil, errors.New("abandoned")
		}
	}
	if err := f.refuse[task.TaskID.Value]; err != nil {
		return nil, err
	}
	p := &fakePod{
		id: task.TaskID.Value, session: s, report: report,
		kills: make(chan *time.Duration, 10), shutdowns: make(chan time.Duration, 10), done: make(chan struct{}),
	}
	f.pods <- p
	go func() {
		select {
		case <-p.done:
		case <-f.abandon:
			p.remove()
		}
	}()
	return p, nil
}

type fakePod struct {
	id        string
	session   Session
	report    func(pod.Status)
	kills     chan *time.Duration
	shutdowns chan time.Duration
	done      chan struct{}
	once      sync.Once
}

func (p *fakePod) Kill(grace *time.Duration)    { p.kills <- grace }
func (p *fakePod) Shutdown(grace time.Duration) { p.shutdowns <- grace }
func (p *fakePod) Done() <-chan struct{}        { return p.done }

func (p *fakePod) say(state pod.TaskState) {
	p.report(pod.Status{State: state, Message: "As the test says."})
}

// end reports a last state and removes everything.
func (p *fakePod) end(state pod.TaskState) {
	p.say(state)
	p.remove()
}

func (p *fakePod) remove() { p.once.Do(func() { close(p.done) }) }

// world is an agent, a launcher and a running executor, on fake time.
type world struct {
	t        *testing.T
	agent    *testAgent
	net      *pipes
	launcher *fakeLauncher
	result   chan error
	signal   context.CancelFunc
}

func testConfig() Config {
	return Config{
		Environment: Environment{
			FrameworkID: "F", ExecutorID: "E", AgentID: "S", Sandbox: "/sandbox",
			Directory: "/var/lib/mesos/slaves/S/frameworks/F/executors/E/runs/C",
		},
		URL: "http://10.0.0.1:5051/slave(1)/api/v1/executor", BackoffMax: 2 * time.Second, ShutdownGrace: 5 * time.Second,
	}
}

func checkpointing(c *Config) { c.Checkpoint, c.RecoveryTimeout = true, 15*time.Minute }

func quiet() logrus.FieldLogger {
	log := logrus.New()
	log.SetLevel(logrus.PanicLevel)
	return log
}

// inWorld runs f in a bubble of fake time, where nothing waits for a clock and synctest.Wait returns when all is settled.
// setup runs before the executor starts.
func inWorld(t *testing.T, setup func(*world, *Config), f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := testConfig()
		w := &world{t: t, agent: newTestAgent(), net: newPipes(), launcher: newFakeLauncher(), result: make(chan error, 1)}
		if setup != nil {
			setup(w, &cfg)
		}
		server := &http.Server{Handler: w.agent, ReadHeaderTimeout: time.Hour}
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = server.Serve(w.net)
		}()
		ctx, cancel := context.WithCancel(t.Context())
		w.signal = cancel
		go func() {
			defer close(w.result)
			w.result <- run(ctx, cfg, w.launcher, quiet(), w.net.dial)
		}()
		defer func() {
			cancel()
			if t.Failed() { // let what the test left behind end, so that the failure is all that is seen
				close(w.launcher.abandon)
				t.Logf("The executor ended with: %v", <-w.result)
			}
			_ = server.Close()
			<-served
		}()
		f(w)
	})
}

// get takes the next item; in fake time, waiting is for free and ends only where nothing happens.
func get[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		require.Fail(t, "Nothing came: "+what)
		panic("unreachable")
	}
}

func (w *world) subscription() *subscription {
	w.t.Helper()
	return get(w.t, w.agent.subscriptions, "a subscription")
}

// session takes a subscription and answers it.
func (w *world) session(capabilities ...mesos.FrameworkInfo_Capability_Type) *subscription {
	w.t.Helper()
	s := w.subscription()
	s.subscribed(w.t, capabilities...)
	return s
}

func (w *world) pod() *fakePod {
	w.t.Helper()
	return get(w.t, w.launcher.pods, "a launch")
}

// launched is a session with the pod of a task "a".
func (w *world) launched() (*subscription, *fakePod) {
	w.t.Helper()
	s := w.session()
	s.launch(w.t, taskInfo("a"))
	return s, w.pod()
}

// update takes the next update, which must be of that task and state.
func (w *world) update(task string, state mesos.TaskState) mesos.TaskStatus {
	w.t.Helper()
	s := get(w.t, w.agent.updates, "an update")
	require.Equal(w.t, task, s.TaskID.Value, s.GetMessage())
	require.Equal(w.t, state.String(), s.GetState().String(), s.GetMessage())
	return s
}

// ack takes the next update and acknowledges it.
func (w *world) ack(s *subscription, task string, state mesos.TaskState) mesos.TaskStatus {
	w.t.Helper()
	status := w.update(task, state)
	s.ack(w.t, status)
	return status
}

// ends waits for the executor to return.
func (w *world) ends() error {
	w.t.Helper()
	return get(w.t, w.result, "the end of the executor")
}

// lives says that the executor has settled, did not return, and has nothing more to say.
func (w *world) lives() {
	w.t.Helper()
	synctest.Wait()
	require.Empty(w.t, w.result, "the executor ended")
	require.Empty(w.t, w.agent.updates, "an update that nobody expects")
}

func grace(d time.Duration) *mesos.KillPolicy {
	return &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: int64(d)}}
}
