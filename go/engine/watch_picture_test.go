package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAPictureFollowsEvents(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		name   string
		listed []Container
		events []Event
		want   ContainerState // of "1"
		what   change         // of the last event
	}{
		{"created", nil, []Event{{Action: "create"}}, ContainerState{Status: StatusCreated}, changed},
		{"started", nil, []Event{{Action: "create"}, {Action: "start"}}, ContainerState{Status: StatusRunning}, changed},
		{"ended", nil, []Event{{Action: "start"}, {Action: "die", ExitCode: 3}}, ContainerState{Status: StatusExited, ExitCode: 3}, changed},
		{"out of memory", nil, []Event{{Action: "start"}, {Action: "oom"}, {Action: "die", ExitCode: 137}},
			ContainerState{Status: StatusExited, ExitCode: 137, OOM: true}, changed},
		{"out of memory, told late", nil, []Event{{Action: "die", ExitCode: 137}, {Action: "oom"}},
			ContainerState{Status: StatusExited, ExitCode: 137, OOM: true}, changed},
		{"started again after that", nil, []Event{{Action: "oom"}, {Action: "die", ExitCode: 137}, {Action: "start"}},
			ContainerState{Status: StatusRunning}, changed},
		{"a start that the list knew of keeps its health", []Container{{ID: "1", Status: StatusRunning, Health: HealthHealthy}},
			[]Event{{Action: "start"}}, ContainerState{Status: StatusRunning, Health: HealthHealthy}, nothing},
		{"health", nil, []Event{{Action: "start"}, {Action: "health_status", Health: HealthHealthy}},
			ContainerState{Status: StatusRunning, Health: HealthHealthy}, changed},
		{"health of what has ended", nil, []Event{{Action: "die"}, {Action: "health_status", Health: HealthUnhealthy}},
			ContainerState{Status: StatusExited}, nothing},
		{"paused", nil, []Event{{Action: "start"}, {Action: "pause"}}, ContainerState{Status: StatusPaused}, changed},
		{"resumed", nil, []Event{{Action: "start"}, {Action: "pause"}, {Action: "unpause"}}, ContainerState{Status: StatusRunning}, changed},
		{"told twice", nil, []Event{{Action: "die", ExitCode: 3}, {Action: "die", ExitCode: 3}},
			ContainerState{Status: StatusExited, ExitCode: 3}, nothing},
		{"kill and stop are intentions", nil, []Event{{Action: "start"}, {Action: "kill"}, {Action: "stop"}},
			ContainerState{Status: StatusRunning}, nothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := picture{}
			p.list(c.listed, now)
			var what change
			for _, e := range c.events {
				e.ID, e.Name = "1", "p-a-1"
				what = p.apply(e, now)
			}
			require.Equal(t, c.what, what)
			got := p["1"].ContainerState
			c.want.ID, c.want.Name, c.want.At = "1", got.Name, got.At
			require.Equal(t, c.want, got)
		})
	}
}

func TestWhatIsDestroyedIsGone(t *testing.T) {
	p := picture{}
	require.Equal(t, nothing, p.apply(Event{Action: "destroy", ID: "1"}, time.Now()))
	p.apply(Event{Action: "create", ID: "1"}, time.Now())
	require.Equal(t, removed, p.apply(Event{Action: "destroy", ID: "1"}, time.Now()))
	require.Empty(t, p)
}

func TestAListThatLagsBehindADieEventChangesNothing(t *testing.T) {
	p, now := picture{}, time.Now()
	running := []Container{{ID: "1", Status: StatusRunning}}
	p.list(running, now)
	p.apply(Event{Action: "die", ID: "1", ExitCode: 9}, now)
	p.list(running, now.Add(time.Second))
	require.Equal(t, StatusExited, p["1"].Status)
	require.Equal(t, 9, p["1"].ExitCode)
	p.list(running, now.Add(teardown))
	require.Equal(t, StatusRunning, p["1"].Status, "no tear-down takes so long: it was started again")

	p.apply(Event{Action: "die", ID: "1"}, now)
	p.apply(Event{Action: "start", ID: "1"}, now)
	p.list(running, now)
	require.Equal(t, StatusRunning, p["1"].Status)
	p.list(nil, now)
	require.Empty(t, p)
}
