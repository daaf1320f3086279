package executor

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/mesos/mesos-go/api/v1/lib/recordio"
	"github.com/stretchr/testify/require"
)

// testAgent speaks the agent's side of the executor API over real HTTP, and does just what a test tells it to.
type testAgent struct {
	subscriptions chan *subscription    // SUBSCRIBE calls that were taken
	updates       chan mesos.TaskStatus // UPDATE calls that were taken
	heartbeats    chan struct{}

	mu            sync.Mutex
	requests      []request // all of them, also those that were not taken
	takeSubscribe []int     // status codes of the next SUBSCRIBE calls, 200 after that
	takeUpdate    []int     // likewise, 202 after that
}

type request struct {
	call   executor.Call
	path   string
	header http.Header
	at     time.Time
}

// subscription is one stream of events.
type subscription struct {
	call   *executor.Call_Subscribe
	events chan *executor.Event
	end    chan struct{} // closed by the test to close the stream
	gone   <-chan struct{}
}

func newTestAgent() *testAgent {
	return &testAgent{
		subscriptions: make(chan *subscription, 100), updates: make(chan mesos.TaskStatus, 1000), heartbeats: make(chan struct{}, 100),
	}
}

func (a *testAgent) answer(codes *[]int, standard int) int {
	if len(*codes) == 0 {
		return standard
	}
	code := (*codes)[0]
	*codes = (*codes)[1:]
	return code
}

func (a *testAgent) refuseSubscribe(codes ...int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.takeSubscribe = codes
}

func (a *testAgent) refuseUpdate(codes ...int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.takeUpdate = codes
}

// asked lists the requests of one type so far.
func (a *testAgent) asked(kind executor.Call_Type) []request {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []request
	for _, r := range a.requests {
		if r.call.Type == kind {
			out = append(out, r)
		}
	}
	return out
}

const never = 0 // a status code for no answer at all

func (a *testAgent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var call executor.Call
	if r.Header.Get("Content-Type") != "application/x-protobuf" || call.Unmarshal(body) != nil {
		http.Error(w, "Failed to parse body into Call protobuf", http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	a.requests = append(a.requests, request{call, r.URL.Path, r.Header.Clone(), time.Now()})
	code := http.StatusAccepted
	switch call.Type {
	case executor.Call_SUBSCRIBE:
		code = a.answer(&a.takeSubscribe, http.StatusOK)
	case executor.Call_UPDATE:
		code = a.answer(&a.takeUpdate, http.StatusAccepted)
	}
	a.mu.Unlock()
	switch {
	case code == never:
		<-r.Context().Done()
	case code == http.StatusOK && call.Subscribe != nil:
		a.stream(w, r, call.Subscribe)
	case code != http.StatusAccepted:
		http.Error(w, "a sentence of the agent", code)
	case call.Type == executor.Call_UPDATE:
		w.WriteHeader(code)
		a.updates <- call.Update.Status
	default:
		w.WriteHeader(code)
		a.heartbeats <- struct{}{}
	}
}

func (a *testAgent) stream(w http.ResponseWriter, r *http.Request, call *executor.Call_Subscribe) {
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	s := &subscription{call: call, events: make(chan *executor.Event), end: make(chan struct{}), gone: r.Context().Done()}
	a.subscriptions <- s
	frames := recordio.NewWriter(w)
	for {
		select {
		case e := <-s.events:
			b, err := e.Marshal()
			if err != nil || frames.WriteFrame(b) != nil {
				return
			}
			w.(http.Flusher).Flush()
		case <-s.end:
			return
		case <-s.gone:
			return
		}
	}
}

func (s *subscription) send(t *testing.T, e *executor.Event) {
	t.Helper()
	select {
	case s.events <- e:
	case <-s.gone:
		require.Fail(t, "The executor ended its subscription too early.")
	}
}

func (s *subscription) subscribed(t *testing.T, capabilities ...mesos.FrameworkInfo_Capability_Type) {
	t.Helper()
	framework := mesos.FrameworkInfo{User: "u", Name: "test"}
	for _, c := range capabilities {
		framework.Capabilities = append(framework.Capabilities, mesos.FrameworkInfo_Capability{Type: c})
	}
	s.send(t, &executor.Event{Type: executor.Event_SUBSCRIBED, Subscribed: &executor.Event_Subscribed{
		ExecutorInfo:  mesos.ExecutorInfo{ExecutorID: mesos.ExecutorID{Value: "E"}, FrameworkID: &mesos.FrameworkID{Value: "F"}},
		FrameworkInfo: framework,
		AgentInfo:     mesos.AgentInfo{Hostname: "host", ID: &mesos.AgentID{Value: "S"}},
		ContainerID:   &mesos.ContainerID{Value: "C"},
	}})
}

func taskInfo(id string) mesos.TaskInfo {
	return mesos.TaskInfo{Name: id, TaskID: mesos.TaskID{Value: id}, AgentID: mesos.AgentID{Value: "S"}}
}

func (s *subscription) launch(t *testing.T, task mesos.TaskInfo) {
	t.Helper()
	s.send(t, &executor.Event{Type: executor.Event_LAUNCH, Launch: &executor.Event_Launch{Task: task}})
}

func (s *subscription) launchGroup(t *testing.T, tasks ...mesos.TaskInfo) {
	t.Helper()
	s.send(t, &executor.Event{Type: executor.Event_LAUNCH_GROUP,
		LaunchGroup: &executor.Event_LaunchGroup{TaskGroup: mesos.TaskGroupInfo{Tasks: tasks}}})
}

func (s *subscription) kill(t *testing.T, id string, policy *mesos.KillPolicy) {
	t.Helper()
	s.send(t, &executor.Event{Type: executor.Event_KILL,
		Kill: &executor.Event_Kill{TaskID: mesos.TaskID{Value: id}, KillPolicy: policy}})
}

func (s *subscription) ack(t *testing.T, status mesos.TaskStatus) {
	t.Helper()
	s.send(t, &executor.Event{Type: executor.Event_ACKNOWLEDGED,
		Acknowledged: &executor.Event_Acknowledged{TaskID: status.TaskID, UUID: status.UUID}})
}

func (s *subscription) event(t *testing.T, kind executor.Event_Type) {
	t.Helper()
	s.send(t, &executor.Event{Type: kind})
}

// pipes is a network in memory, so that tests can run on fake time. It can be down.
type pipes struct {
	conns chan net.Conn
	mu    sync.Mutex
	off   bool
	ends  []net.Conn
	done  chan struct{}
	once  sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.mu.Lock()
	off := p.off
	ours, theirs := net.Pipe()
	if !off {
		p.ends = append(p.ends, theirs)
	}
	p.mu.Unlock()
	if off {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// down cuts every connection and refuses new ones, as the kernel does for a process that died; up ends that.
func (p *pipes) down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = true
	for _, c := range p.ends {
		_ = c.Close()
	}
	p.ends = nil
}

func (p *pipes) up() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.off = false
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
