package executor

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dce-go/dce/go/pod"
)

// step is one thing that happens in a random life of an executor.
type step struct {
	Do    string
	Task  int
	State pod.TaskState
	Codes []int
	Pause time.Duration
}

func drawSteps(t *rapid.T) []step {
	one := rapid.Custom(func(t *rapid.T) step {
		return step{
			Do: rapid.SampledFrom([]string{
				"report", "report", "report", "report", "end", "acknowledge", "cut", "close", "refuse", "wait",
			}).Draw(t, "do"),
			Task:  rapid.IntRange(0, 9).Draw(t, "task"),
			State: rapid.SampledFrom([]pod.TaskState{pod.Finished, pod.Failed, pod.Killed}).Draw(t, "state"),
			Codes: rapid.SliceOfN(rapid.SampledFrom([]int{503, 503, 500, 404, 429, 403, never}), 1, 4).Draw(t, "codes"),
			Pause: time.Duration(rapid.IntRange(0, 3000).Draw(t, "pause")) * time.Millisecond,
		}
	})
	return rapid.SliceOfN(one, 20, 60).Draw(t, "steps")
}

// history is what was reported by tasks and what the agent received, by task, in order.
type history struct {
	*world
	session  *subscription
	pods     map[string]*fakePod
	reported map[string][]string
	received map[string][]string
	seen     map[string]bool
	unacked  []mesos.TaskStatus
	count    int
}

func (h *history) receive(status mesos.TaskStatus) {
	if !h.seen[string(status.UUID)] {
		h.seen[string(status.UUID)] = true
		id := status.TaskID.Value
		h.received[id] = append(h.received[id], status.GetMessage())
	}
	h.unacked = append(h.unacked, status)
}

// settle lets everything happen that needs no time, and plays the agent meanwhile.
func (h *history) settle() {
	for {
		synctest.Wait()
		select {
		case status := <-h.agent.updates:
			h.receive(status)
			continue
		default:
		}
		select {
		case s := <-h.agent.subscriptions:
			for _, u := range s.call.UnacknowledgedUpdates {
				h.receive(u.Status)
			}
			h.session = s
			h.try(&executor.Event{Type: executor.Event_SUBSCRIBED, Subscribed: &executor.Event_Subscribed{}})
		default:
			return
		}
	}
}

// try sends an event where there is a subscription.
func (h *history) try(e *executor.Event) bool {
	if h.session == nil {
		return false
	}
	select {
	case h.session.events <- e:
		return true
	case <-h.session.gone:
		return false
	}
}

func (h *history) report(id string, state pod.TaskState) {
	h.count++
	message := fmt.Sprintf("%d %s", h.count, state)
	h.reported[id] = append(h.reported[id], message)
	h.pods[id].report(pod.Status{State: state, Message: message})
}

func (h *history) end(id string, state pod.TaskState) {
	h.report(id, state)
	h.pods[id].report(pod.Status{State: pod.Running, Message: "a task that does not know that it ended"})
	h.pods[id].remove()
	delete(h.pods, id)
}

func (h *history) acknowledge() {
	for len(h.unacked) > 0 {
		first := h.unacked[0]
		if !h.try(&executor.Event{Type: executor.Event_ACKNOWLEDGED,
			Acknowledged: &executor.Event_Acknowledged{TaskID: first.TaskID, UUID: first.UUID}}) {
			return
		}
		h.unacked = h.unacked[1:]
	}
}

func (h *history) launch(id string) {
	if _, known := h.reported[id]; known {
		return
	}
	task := taskInfo(id)
	if !h.try(&executor.Event{Type: executor.Event_LAUNCH, Launch: &executor.Event_Launch{Task: task}}) {
		return
	}
	synctest.Wait()
	select {
	case p := <-h.launcher.pods:
		h.pods[id], h.reported[id] = p, nil
	default: // the subscription ended before the task came through
	}
}

func (h *history) do(s step) {
	id := fmt.Sprint(s.Task)
	h.launch(id)
	switch _, there := h.pods[id]; {
	case s.Do == "report" && there:
		h.report(id, pod.Running)
	case s.Do == "end" && there:
		h.end(id, s.State)
	case s.Do == "acknowledge":
		h.acknowledge()
	case s.Do == "cut":
		h.net.down()
		time.Sleep(s.Pause)
		h.net.up()
	case s.Do == "close" && h.session != nil:
		close(h.session.end)
		h.session = nil
	case s.Do == "refuse":
		h.agent.refuseUpdate(s.Codes...)
		h.agent.refuseSubscribe(slices.DeleteFunc(slices.Clone(s.Codes), func(code int) bool { return code == 403 })...)
	case s.Do == "wait":
		time.Sleep(s.Pause)
	}
	h.settle()
}

// Whatever the network and the agent do, the agent receives every status of every task, in order, and nothing after the last.
func TestNoUpdateIsEverLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawSteps(rt)
		var reported, received map[string][]string
		inWorld(t, func(_ *world, c *Config) { c.Checkpoint, c.RecoveryTimeout = true, 24*time.Hour }, func(w *world) {
			h := &history{
				world: w, pods: map[string]*fakePod{}, reported: map[string][]string{}, received: map[string][]string{}, seen: map[string]bool{},
			}
			h.settle()
			h.launch("last") // keeps the executor up until all is done
			for _, s := range steps {
				h.do(s)
			}
			h.agent.refuseUpdate()
			h.agent.refuseSubscribe()
			for id := range h.pods {
				h.end(id, pod.Finished)
			}
			for range 100 { // of fake time
				h.settle()
				h.acknowledge()
				time.Sleep(time.Second)
				if len(w.result) > 0 {
					break
				}
			}
			require.NoError(w.t, w.ends())
			reported, received = h.reported, h.received
		})
		for id, want := range reported {
			if !slices.Equal(want, received[id]) {
				rt.Fatalf("task %s reported %q, the agent received %q", id, want, received[id])
			}
		}
		if len(received) > len(reported) {
			rt.Fatalf("the agent received updates of tasks that were never launched: %v", received)
		}
	})
}
