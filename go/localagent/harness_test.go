package localagent

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/framing"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/mesos/mesos-go/api/v1/lib/recordio"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newAgent starts an agent of the test's own, which is closed with the test and must leave no cgroup.
func newAgent(t *testing.T, change func(*Options)) *Agent {
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	log := logrus.New()
	log.SetOutput(t.Output())
	log.SetLevel(logrus.DebugLevel)
	o := Options{WorkDir: t.TempDir(), Cgroups: host, EnableCFS: true, Log: log, Hostname: "here",
		CgroupsRoot:         "dce-local-test-" + uuid.NewString()[:8],
		RegistrationTimeout: pollFor}
	if change != nil {
		change(&o)
	}
	a, err := New(o)
	require.NoError(t, err, "these tests make cgroups: run them as root on a host with cgroup v1 for memory, cpu and freezer")
	t.Cleanup(func() {
		require.NoError(t, a.Close())
		for _, c := range controllers {
			hi, err := host.Hierarchy(c)
			require.NoError(t, err)
			require.NoDirExists(t, filepath.Join(hi.Dir, o.CgroupsRoot))
		}
	})
	return a
}

// asTask is a task for an executor that is this shell command.
func asTask(id, shell string) mesos.TaskInfo {
	return mesos.TaskInfo{Name: id, TaskID: mesos.TaskID{Value: id},
		Resources: []mesos.Resource{resources.NewCPUs(0.5).Resource, resources.NewMemory(64).Resource},
		Executor:  asExecutor("executor of "+id, shell)}
}

func asExecutor(id, shell string) *mesos.ExecutorInfo {
	return &mesos.ExecutorInfo{ExecutorID: mesos.ExecutorID{Value: id}, Command: &mesos.CommandInfo{Value: &shell}}
}

func checkpointing(o *Options) {
	yes := true
	o.Framework.Checkpoint = &yes
	o.ReregistrationTimeout = 300 * time.Millisecond
}

func partitionAware(o *Options) {
	o.Framework.Capabilities = append(o.Framework.Capabilities,
		mesos.FrameworkInfo_Capability{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE})
}

func await(t *testing.T, a *Agent, task string, state mesos.TaskState) Update {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), pollFor)
	defer cancel()
	u, err := a.Await(ctx, func(u Update) bool {
		return u.Status.TaskID.Value == task && u.Status.GetState() == state
	})
	require.NoError(t, err, "%s of %s", state, task)
	return u
}

func gone(t *testing.T, c *Container) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), pollFor)
	defer cancel()
	require.NoError(t, c.Wait(ctx))
}

// script is an executor whose calls the test makes itself, while its process only sleeps.
type script struct {
	t     *testing.T
	agent *Agent
	id    string
	kind  string // media type of calls and events
	http  *http.Client
}

func newScript(t *testing.T, a *Agent, executorID string) *script {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &script{t: t, agent: a, id: executorID, kind: protobuf, http: &http.Client{Transport: transport}}
}

func (s *script) call(c executor.Call) executor.Call {
	c.ExecutorID.Value, c.FrameworkID.Value = s.id, s.agent.FrameworkID()
	return c
}

func (s *script) post(c executor.Call) (*http.Response, error) {
	body, err := c.Marshal()
	if s.kind == jsonType {
		body, err = c.MarshalJSON()
	}
	require.NoError(s.t, err)
	return s.raw("POST", body, map[string]string{"Content-Type": s.kind, "Accept": s.kind})
}

func (s *script) raw(method string, body []byte, header map[string]string) (*http.Response, error) {
	r, err := http.NewRequest(method, "http://"+s.agent.Endpoint()+"/slave(1)/api/v1/executor", bytes.NewReader(body))
	require.NoError(s.t, err)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	return s.http.Do(r)
}

// answer makes a call and returns code and text of the answer.
func (s *script) answer(c executor.Call) (int, string) {
	s.t.Helper()
	resp, err := s.post(c)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return resp.StatusCode, strings.TrimSpace(string(text))
}

func (s *script) status(task string, state mesos.TaskState) mesos.TaskStatus {
	id := uuid.New()
	return mesos.TaskStatus{TaskID: mesos.TaskID{Value: task}, State: &state, Source: mesos.SOURCE_EXECUTOR.Enum(), UUID: id[:]}
}

func (s *script) update(status mesos.TaskStatus) (int, string) {
	s.t.Helper()
	return s.answer(s.call(executor.Call{Type: executor.Call_UPDATE, Update: &executor.Call_Update{Status: status}}))
}

// say sends an update that has to be taken, and returns its uuid.
func (s *script) say(task string, state mesos.TaskState) mesos.TaskStatus {
	s.t.Helper()
	status := s.status(task, state)
	code, text := s.update(status)
	require.Equal(s.t, http.StatusAccepted, code, text)
	return status
}

type subscription struct {
	t      *testing.T
	json   bool
	body   io.Closer
	frames framing.Reader
}

func (s *script) subscribe(tasks []mesos.TaskInfo, updates ...mesos.TaskStatus) *subscription {
	s.t.Helper()
	call := s.call(executor.Call{Type: executor.Call_SUBSCRIBE, Subscribe: &executor.Call_Subscribe{UnacknowledgedTasks: tasks}})
	for _, u := range updates {
		call.Subscribe.UnacknowledgedUpdates = append(call.Subscribe.UnacknowledgedUpdates, executor.Call_Update{Status: u})
	}
	resp, err := s.post(call)
	require.NoError(s.t, err)
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		require.Equal(s.t, http.StatusOK, resp.StatusCode, string(text))
	}
	require.Equal(s.t, s.kind, resp.Header.Get("Content-Type"))
	s.t.Cleanup(func() { resp.Body.Close() })
	return &subscription{t: s.t, json: s.kind == jsonType, body: resp.Body, frames: recordio.NewReader(resp.Body)}
}

// next is the next event, which has to be of this type.
func (s *subscription) next(want executor.Event_Type) *executor.Event {
	s.t.Helper()
	frame, err := s.frames.ReadFrame()
	require.NoError(s.t, err, "instead of %s", want)
	e := &executor.Event{}
	if s.json {
		require.NoError(s.t, e.UnmarshalJSON(frame))
	} else {
		require.NoError(s.t, e.Unmarshal(frame))
	}
	require.Equal(s.t, want.String(), e.Type.String())
	return e
}

// broken waits for the end of the stream.
func (s *subscription) broken() error {
	_, err := s.frames.ReadFrame()
	require.Error(s.t, err)
	return err
}

// running launches a task, subscribes its executor and takes the LAUNCH.
func startScript(t *testing.T, a *Agent, task string) (*script, *subscription, *Container) {
	t.Helper()
	c, err := a.Launch(asTask(task, "exec sleep 1000"))
	require.NoError(t, err)
	s := newScript(t, a, "executor of "+task)
	sub := s.subscribe(nil)
	sub.next(executor.Event_SUBSCRIBED)
	require.Equal(t, task, sub.next(executor.Event_LAUNCH).Launch.Task.TaskID.Value)
	return s, sub, c
}

func read(t *testing.T, c *Container, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.Sandbox, name))
	require.NoError(t, err)
	return string(data)
}

func unixClient(path string) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}
}
