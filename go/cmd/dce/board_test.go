package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/oom"
)

func of(service string) map[string]string {
	return map[string]string{labels.Service: service, labels.Role: labels.RoleService}
}

func TestTheBoardShowsTaskAndServices(t *testing.T) {
	start := time.Now()
	at := func(tenths int) time.Time { return start.Add(time.Duration(tenths) * 100 * time.Millisecond) }
	b := newBoard("app.1", start)
	require.Equal(t, []string{"app.1  starting  0.3s"}, b.lines(at(3)))

	require.Equal(t, "  web: created (0.4s)", b.event(engine.Event{Action: "create", Name: "p-web-1", Labels: of("web"), Time: at(4)}))
	require.Equal(t, "  redis: healthy (0.5s)", b.seen(engine.Container{Name: "p-redis-1", Labels: of("redis"),
		Status: engine.StatusRunning, Health: engine.HealthHealthy}, at(5)))
	require.Empty(t, b.seen(engine.Container{Name: "p-redis-1", Labels: of("redis"), Status: engine.StatusRunning,
		Health: engine.HealthHealthy}, at(6)), "nothing new")
	require.Empty(t, b.event(engine.Event{Action: "start", Name: "p-infra-1", Labels: map[string]string{labels.Role: labels.RoleInfra}}))
	require.Empty(t, b.event(engine.Event{Action: "attach", Name: "p-web-1", Labels: of("web")}))
	b.event(engine.Event{Action: "start", Name: "p-web-1", Labels: of("web"), Time: at(7)})
	state, message := mesos.TASK_RUNNING, "all is well"
	require.Equal(t, "app.1: running (0.8s)", b.update(mesos.TaskStatus{State: &state, Message: &message}, at(8)))
	require.Equal(t, []string{"app.1  running  1m10s", "  redis  healthy        0.5s", "  web    running        0.7s"}, b.lines(at(700)))

	require.Equal(t, "  web: exited (137) (0.9s)", b.event(engine.Event{Action: "die", Name: "p-web-1", Labels: of("web"), ExitCode: 137, Time: at(9)}))
	state, message = mesos.TASK_FAILED, "service web exited with 137\nand more"
	require.Equal(t, "app.1: failed (1.0s) service web exited with 137", b.update(mesos.TaskStatus{State: &state, Message: &message}, at(10)))
}

// What only labels say is shown, too: whom the kernel killed, and that a pod that runs is not bound.
func TestTheBoardShowsLabels(t *testing.T) {
	label := func(key, value string) *mesos.Labels {
		return &mesos.Labels{Labels: []mesos.Label{{Key: "other"}, {Key: key, Value: &value}}}
	}
	b := newBoard("app.1", time.Now())
	state, message := mesos.TASK_RUNNING, "all is up, but memory.use_hierarchy is 0"
	line := b.update(mesos.TaskStatus{State: &state, Message: &message, Labels: label("io.dce.unbound", "memory.use_hierarchy is 0")}, b.start)
	require.Equal(t, "app.1: running (0.0s) all is up, but memory.use_hierarchy is 0", line)
	state, message = mesos.TASK_FAILED, "Memory limit exceeded: Requested: 64MB Maximum Used: 64MB\n\nMEMORY STATISTICS: \n"
	line = b.update(mesos.TaskStatus{State: &state, Message: &message, Labels: label(oom.LabelMessage, "Service web ran out of memory: why.")}, b.start)
	require.Equal(t, "app.1: failed (0.0s) Memory limit exceeded: Requested: 64MB Maximum Used: 64MB. Service web ran out of memory: why.", line)
}

func TestWhereAPodIsReached(t *testing.T) {
	require.Equal(t, []string{
		"http://localhost:31000  (port 80 of the pod)", "localhost:31001/udp  (port 53 of the pod)", "http://[fd00::1]:31002  (port 81 of the pod)",
	}, reach([]engine.Container{{Ports: []engine.Port{
		{HostIP: "fd00::1", Host: 31002, Container: 81, Protocol: "tcp"}, {HostIP: "0.0.0.0", Host: 31000, Container: 80, Protocol: "tcp"},
		{HostIP: "::", Host: 31000, Container: 80, Protocol: "tcp"}, {Container: 99, Protocol: "tcp"},
	}}, {Ports: []engine.Port{{Host: 31001, Container: 53, Protocol: "udp"}}}}))
}

// vt is as much of a terminal as the screen uses: lines, cursor up, clear to the end.
func vt(t *testing.T, text string) []string {
	var rows []string
	for text != "" {
		if strings.HasPrefix(text, "\x1b[") {
			n := 0
			_, err := fmt.Sscanf(text, "\x1b[%dA\x1b[J", &n)
			require.NoError(t, err)
			rows = rows[:len(rows)-n]
			text = text[strings.Index(text, "J")+1:]
			continue
		}
		line, rest, _ := strings.Cut(text, "\n")
		rows = append(rows, line)
		text = rest
	}
	return rows
}

func TestTheBlockStaysBelowTheLines(t *testing.T) {
	var both bytes.Buffer
	s := &screen{out: &both, err: &both, width: func() int { return 12 }}
	s.output([]byte("one\n"))
	s.show([]string{"task", "  web runs for long"})
	s.note("two %d", 2)
	s.show([]string{"task changed"})
	s.output([]byte("three\n"))
	require.Equal(t, []string{"one", "two 2", "three", "task change"}, vt(t, both.String()))
	s.show(nil)
	require.Equal(t, []string{"one", "two 2", "three"}, vt(t, both.String()))
}

func TestWithoutATerminalThereIsNoBlock(t *testing.T) {
	var out, err bytes.Buffer
	s := &screen{out: &out, err: &err}
	s.show([]string{"block"})
	s.output([]byte("a\n"))
	s.note("b")
	require.Equal(t, "a\n", out.String())
	require.Equal(t, "b\n", err.String())
}

func TestLinesAreHandedOnWhole(t *testing.T) {
	var got []string
	l := &lines{each: func(line []byte) { got = append(got, string(line)) }}
	for _, part := range []string{"a", "b\nc\n", "d"} {
		n, err := l.Write([]byte(part))
		require.NoError(t, err)
		require.Equal(t, len(part), n)
	}
	require.Equal(t, []string{"ab\n", "c\n"}, got)
	l.flush()
	l.flush()
	require.Equal(t, []string{"ab\n", "c\n", "d\n"}, got)
	_, err := l.Write(bytes.Repeat([]byte("x"), longLine+3))
	require.NoError(t, err)
	require.Len(t, got, 4, "a line without an end is shown all the same")
}
