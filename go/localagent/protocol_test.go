package localagent

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/stretchr/testify/require"
)

func TestATaskFromSubscribeToItsEnd(t *testing.T) {
	for _, kind := range []string{protobuf, jsonType} {
		t.Run(kind, func(t *testing.T) {
			a := newAgent(t, nil)
			c, err := a.Launch(asTask("t", "exec sleep 1000"))
			require.NoError(t, err)
			s := newScript(t, a, "executor of t")
			s.kind = kind
			sub := s.subscribe(nil)
			subscribed := sub.next(executor.Event_SUBSCRIBED).Subscribed
			require.Equal(t, "executor of t", subscribed.ExecutorInfo.ExecutorID.Value)
			require.Equal(t, a.FrameworkID(), subscribed.FrameworkInfo.ID.Value)
			require.Equal(t, a.ID(), subscribed.AgentInfo.ID.Value)
			require.Equal(t, c.ID, subscribed.ContainerID.Value)
			launch := sub.next(executor.Event_LAUNCH).Launch.Task
			require.Equal(t, a.ID(), launch.AgentID.Value)
			require.InDelta(t, 0.5, launch.Resources[0].Scalar.Value, 1e-9)

			starting := s.say("t", mesos.TASK_STARTING)
			ack := sub.next(executor.Event_ACKNOWLEDGED).Acknowledged
			require.Equal(t, starting.UUID, ack.UUID)
			require.Equal(t, "t", ack.TaskID.Value)
			finished := s.say("t", mesos.TASK_FINISHED)
			require.Equal(t, finished.UUID, sub.next(executor.Event_ACKNOWLEDGED).Acknowledged.UUID)
			u := await(t, a, "t", mesos.TASK_FINISHED)
			require.True(t, u.Terminal())
			require.Equal(t, "executor of t", u.Status.ExecutorID.Value)
			require.NoError(t, a.Destroy("executor of t"))
			gone(t, c)
			require.Len(t, a.updates, 2, "a task that has ended is not reported again when its executor ends")
			require.Equal(t, io.EOF, sub.broken())
		})
	}
}

func TestCallsThatAreRefused(t *testing.T) {
	a := newAgent(t, nil)
	_, err := a.Launch(asTask("t", "exec sleep 1000"))
	require.NoError(t, err)
	s := newScript(t, a, "executor of t")

	code, text := s.update(s.status("t", mesos.TASK_RUNNING))
	require.Equal(t, http.StatusForbidden, code)
	require.Equal(t, "Executor is not subscribed", text)
	sub := s.subscribe(nil)
	sub.next(executor.Event_SUBSCRIBED)

	as := func(change func(*mesos.TaskStatus)) executor.Call {
		status := s.status("t", mesos.TASK_RUNNING)
		change(&status)
		return s.call(executor.Call{Type: executor.Call_UPDATE, Update: &executor.Call_Update{Status: status}})
	}
	stranger := s.call(executor.Call{Type: executor.Call_MESSAGE, Message: &executor.Call_Message{Data: []byte("x")}})
	stranger.FrameworkID.Value = "other"
	unknown := stranger
	unknown.FrameworkID.Value, unknown.ExecutorID.Value = a.FrameworkID(), "other"
	const bad = "Failed to validate Executor::Call: "
	for text, call := range map[string]executor.Call{
		bad + "Expecting 'uuid' to be present":               as(func(u *mesos.TaskStatus) { u.UUID = nil }),
		bad + "Invalid 'uuid': it has 3 bytes instead of 16": as(func(u *mesos.TaskStatus) { u.UUID = []byte("abc") }),
		bad + "Received TASK_STAGING from executor executor of t of framework " + a.FrameworkID() + " which is not allowed":                     as(func(u *mesos.TaskStatus) { u.State = mesos.TASK_STAGING.Enum() }),
		bad + "Received Call from executor executor of t of framework " + a.FrameworkID() + " with invalid source, expecting 'SOURCE_EXECUTOR'": as(func(u *mesos.TaskStatus) { u.Source = nil }),
		bad + "ExecutorID in Call: executor of t does not match ExecutorID in TaskStatus: other":                                                as(func(u *mesos.TaskStatus) { u.ExecutorID = &mesos.ExecutorID{Value: "other"} }),
		bad + "CheckStatusInfo must specify 'type'":                as(func(u *mesos.TaskStatus) { u.CheckStatus = &mesos.CheckStatusInfo{} }),
		bad + "Expecting 'http' to be set for HTTP check's status": as(func(u *mesos.TaskStatus) { u.CheckStatus = &mesos.CheckStatusInfo{Type: mesos.CheckInfo_HTTP.Enum()} }),
		bad + "Expecting 'update' to be present":                   s.call(executor.Call{Type: executor.Call_UPDATE}),
		bad + "Expecting 'subscribe' to be present":                s.call(executor.Call{Type: executor.Call_SUBSCRIBE}),
		bad + "Expecting 'message' to be present":                  s.call(executor.Call{Type: executor.Call_MESSAGE}),
		bad + "Expecting 'executor_id' to be present":              {Type: executor.Call_HEARTBEAT},
		"Framework cannot be found":                                stranger,
		"Executor cannot be found":                                 unknown,
	} {
		code, got := s.answer(call)
		require.Equal(t, http.StatusBadRequest, code, text)
		require.Equal(t, text, got)
	}
	code, _ = s.answer(s.call(executor.Call{Type: executor.Call_UNKNOWN}))
	require.Equal(t, http.StatusNotImplemented, code)
	for _, kind := range []string{"HEARTBEAT", "MESSAGE"} {
		call := s.call(executor.Call{Type: executor.Call_Type(executor.Call_Type_value[kind])})
		if kind == "MESSAGE" {
			call.Message = &executor.Call_Message{Data: []byte("hello")}
		}
		code, _ = s.answer(call)
		require.Equal(t, http.StatusAccepted, code, kind)
	}
	require.Empty(t, a.updates)
}

func TestRequestsThatAreNoCalls(t *testing.T) {
	a := newAgent(t, func(o *Options) { o.Token = "secret" })
	s := newScript(t, a, "executor of t")
	subscribe, err := json.Marshal(s.call(executor.Call{Type: executor.Call_SUBSCRIBE, Subscribe: &executor.Call_Subscribe{}}))
	require.NoError(t, err)
	for _, c := range []struct {
		name, method, body string
		header             map[string]string
		code               int
		text               string
	}{
		{"get", "GET", "", nil, http.StatusMethodNotAllowed, "Expecting one of { 'POST' }, but received 'GET'"},
		{"no token", "POST", "", map[string]string{"Authorization": ""}, http.StatusUnauthorized, "bearer token is missing or wrong"},
		{"no type", "POST", "", nil, http.StatusBadRequest, "Expecting 'Content-Type' to be present"},
		{"other type", "POST", "", map[string]string{"Content-Type": "text/plain"}, http.StatusUnsupportedMediaType, "Expecting 'Content-Type' of"},
		{"no JSON", "POST", "{", map[string]string{"Content-Type": jsonType}, http.StatusBadRequest, "Failed to parse body into JSON"},
		{"other JSON", "POST", `{"executor_id":3}`, map[string]string{"Content-Type": jsonType}, http.StatusBadRequest, "Failed to convert JSON into Call protobuf"},
		{"no protobuf", "POST", "xyz", map[string]string{"Content-Type": protobuf}, http.StatusBadRequest, "Failed to parse body into Call protobuf"},
		{"other answer", "POST", string(subscribe), map[string]string{"Content-Type": jsonType, "Accept": "text/html"}, http.StatusNotAcceptable, "Expecting 'Accept' to allow"},
		{"unknown", "POST", string(subscribe), map[string]string{"Content-Type": jsonType, "Accept": "application/*;q=0.5"}, http.StatusBadRequest, "Executor cannot be found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.header == nil {
				c.header = map[string]string{}
			}
			if _, ok := c.header["Authorization"]; !ok {
				c.header["Authorization"] = "Bearer secret"
			}
			resp, err := s.raw(c.method, []byte(c.body), c.header)
			require.NoError(t, err)
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, c.code, resp.StatusCode)
			require.Contains(t, string(text), c.text)
		})
	}
}

func TestTheTokenReachesTheExecutor(t *testing.T) {
	a := newAgent(t, func(o *Options) { o.Token = "secret" })
	c, err := a.Launch(asTask("t", `echo "$MESOS_EXECUTOR_AUTHENTICATION_TOKEN"`))
	require.NoError(t, err)
	gone(t, c)
	require.Equal(t, "secret\n", read(t, c, "stdout"))
}

func TestADomainSocketServesTheSameAPI(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	a := newAgent(t, func(o *Options) { o.DomainSocket = path })
	c, err := a.Launch(asTask("t", `echo "$MESOS_DOMAIN_SOCKET" >socket; exec sleep 1000`))
	require.NoError(t, err)
	s := newScript(t, a, "executor of t")
	transport := unixClient(path)
	t.Cleanup(transport.CloseIdleConnections)
	s.http.Transport = transport
	sub := s.subscribe(nil)
	sub.next(executor.Event_SUBSCRIBED)
	sub.next(executor.Event_LAUNCH)
	s.say("t", mesos.TASK_RUNNING)
	await(t, a, "t", mesos.TASK_RUNNING)
	require.Eventually(t, func() bool {
		told, _ := os.ReadFile(filepath.Join(c.Sandbox, "socket"))
		return string(told) == path+"\n"
	}, pollFor, pollEvery)
}

func TestANewSubscriptionTakesThePlaceOfTheOld(t *testing.T) {
	a := newAgent(t, nil)
	s, sub, _ := startScript(t, a, "t")
	again := s.subscribe([]mesos.TaskInfo{asTask("t", "")})
	require.Equal(t, io.EOF, sub.broken())
	again.next(executor.Event_SUBSCRIBED)
	require.NoError(t, a.Heartbeat("executor of t"))
	again.next(executor.Event_HEARTBEAT) // and no LAUNCH before it
}

func TestUpdatesThatChangeNothing(t *testing.T) {
	a := newAgent(t, nil)
	release := a.HoldScheduler()
	s, sub, _ := startScript(t, a, "t")
	running := s.say("t", mesos.TASK_RUNNING)
	sub.next(executor.Event_ACKNOWLEDGED)
	s.update(running)
	require.Equal(t, running.UUID, sub.next(executor.Event_ACKNOWLEDGED).Acknowledged.UUID, "a duplicate is acknowledged")
	s.say("t", mesos.TASK_FINISHED)
	sub.next(executor.Event_ACKNOWLEDGED)
	late := s.say("t", mesos.TASK_FAILED)
	require.Equal(t, late.UUID, sub.next(executor.Event_ACKNOWLEDGED).Acknowledged.UUID, "a second end is dropped and acknowledged")
	require.Len(t, a.updates, 2)
	release()
	s.say("t", mesos.TASK_FAILED)
	s.say("stranger", mesos.TASK_RUNNING)
	require.NoError(t, a.Heartbeat("executor of t"))
	sub.next(executor.Event_HEARTBEAT) // what belongs to no task any more is forwarded, but never acknowledged
	require.Len(t, a.updates, 4)
}
