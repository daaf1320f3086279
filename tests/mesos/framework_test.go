//go:build mesos

package mesos

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpsched"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler/calls"
	"github.com/stretchr/testify/require"
)

// framework is the decider with a connection to a master.
type framework struct {
	t      *testing.T
	caller calls.Caller

	order   sync.Mutex // what was decided is called before anything else is: a late DECLINE undoes a REVIVE
	mu      sync.Mutex
	decider decider
	changed chan struct{} // closed and made anew after every event
	err     error         // the end
}

// subscribe connects a framework that checkpoints, so that its executors survive their agent.
func subscribe(t *testing.T, master string) *framework {
	t.Helper()
	cli := httpcli.New(httpcli.Endpoint(master+"/api/v1/scheduler"), httpcli.Codec(codecs.ByMediaType[codecs.MediaTypeProtobuf]),
		httpcli.Do(httpcli.With(httpcli.Timeout(patience))))
	f := &framework{t: t, caller: httpsched.NewCaller(cli), changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	info := &mesos.FrameworkInfo{User: "root", Name: "dce-test", Checkpoint: new(true), FailoverTimeout: new(float64(3600)), Roles: []string{"*"},
		Capabilities: []mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE}, {Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE}}}
	stream, err := f.caller.Call(ctx, calls.Subscribe(info))
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.follow(stream)
	}()
	t.Cleanup(func() {
		cancel()
		_ = stream.Close() // the master may be gone
		<-ended
	})
	f.until("the master gives the framework an id", func(d *decider) bool { return d.framework != "" })
	return f
}

func (f *framework) follow(stream mesos.Response) {
	for {
		var e scheduler.Event
		err := stream.Decode(&e)
		f.order.Lock()
		f.mu.Lock()
		var out []*scheduler.Call
		if err == nil {
			out, err = f.decider.next(&e)
		}
		f.err = err
		close(f.changed)
		f.changed = make(chan struct{})
		f.mu.Unlock()
		for _, call := range out {
			if failed := f.call(call); failed != nil {
				f.t.Logf("%s: %v", call.Type, failed) // an offer may have been rescinded; acknowledgements are asked for again
			}
		}
		f.order.Unlock()
		if err != nil {
			return
		}
	}
}

func (f *framework) call(call *scheduler.Call) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := f.caller.Call(ctx, call)
	if answer != nil {
		_ = answer.Close() // it has no body
	}
	return err
}

// until waits for the framework to have heard something.
func (f *framework) until(what string, is func(*decider) bool) {
	f.t.Helper()
	late := time.After(patience)
	for {
		f.mu.Lock()
		yes, changed, err := is(&f.decider), f.changed, f.err
		var said []string
		for _, s := range f.decider.history {
			said = append(said, fmt.Sprintf("%s %s %s %s", s.TaskID.Value, s.GetState(), s.GetReason(), s.GetMessage()))
		}
		f.mu.Unlock()
		if yes {
			return
		}
		require.NoError(f.t, err, "the connection to the master: %s", what)
		select {
		case <-changed:
		case <-late:
			require.FailNow(f.t, "not in time", "%s: not within %v; so far: %q", what, patience, said)
		}
	}
}

func (f *framework) launch(task mesos.TaskInfo) {
	f.t.Helper()
	f.order.Lock()
	defer f.order.Unlock()
	f.mu.Lock()
	out := f.decider.launch(task)
	f.mu.Unlock()
	for _, call := range out {
		require.NoError(f.t, f.call(call))
	}
}

// await waits for a state of a task; another one that ends it fails the test at once.
func (f *framework) await(task string, state mesos.TaskState) mesos.TaskStatus {
	f.t.Helper()
	var status mesos.TaskStatus
	f.until(fmt.Sprintf("%s of %s", state, task), func(d *decider) bool {
		last, _ := d.last(task)
		var is bool
		if status, is = d.last(task, state); !is && ended(last.GetState()) {
			status = last
		}
		return is || ended(last.GetState())
	})
	require.Equal(f.t, state.String(), status.GetState().String(), "%s: %s", status.GetReason(), status.GetMessage())
	return status
}

// over waits for the end of a task, whatever it is.
func (f *framework) over(task string) (status mesos.TaskStatus) {
	f.t.Helper()
	f.until("the end of "+task, func(d *decider) bool {
		status, _ = d.last(task)
		return ended(status.GetState())
	})
	return status
}

func (f *framework) kill(task string) {
	f.t.Helper()
	f.mu.Lock()
	status, _ := f.decider.last(task)
	out := f.decider.addressed(calls.Kill(task, status.AgentID.GetValue()))
	f.mu.Unlock()
	require.NoError(f.t, f.call(out[0]))
}

// teardown ends the framework: the agent shuts its executors down.
func (f *framework) teardown() error {
	f.mu.Lock()
	out := f.decider.addressed(&scheduler.Call{Type: scheduler.Call_TEARDOWN})
	f.mu.Unlock()
	return f.call(out[0])
}
