package fault

import (
	"context"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/tests/faulty"
	"github.com/dce-go/dce/tests/harness"
	"github.com/dce-go/dce/tests/images"
)

// up starts dockerd again.
func (n *node) up() {
	n.t.Helper()
	ctx, cancel := harness.Within()
	defer cancel()
	require.NoError(n.t, n.engine.box.Up(ctx))
}

func TestAnEngineThatIsDownAtFirst(t *testing.T) {
	n := newNode(t, plain, web(images.Busybox))
	require.NoError(t, plain.box.Down())
	l := n.launch()
	l.Says("The Docker engine does not answer yet")
	l.flag("healthy")
	l.up()
	l.await(mesos.TASK_RUNNING)
	l.flag("end")
	l.end()
}

func TestAnEngineThatStaysDown(t *testing.T) {
	n := newNode(t, plain, web(images.Busybox))
	require.NoError(t, plain.box.Down())
	l := n.launch("engine.lost_timeout=500ms")
	status := l.await(mesos.TASK_FAILED)
	require.Equal(t, mesos.REASON_CONTAINER_LAUNCH_FAILED.String(), status.GetReason().String())
	require.Contains(t, status.GetMessage(), "engine.lost_timeout")
	l.gone()
}

// TestAnEngineThatIsLostInTheMiddleOfALaunch: dockerd dies and does not come back while the pod is brought up.
func TestAnEngineThatIsLostInTheMiddleOfALaunch(t *testing.T) {
	engineIsLost(t, "creating", "starting")
}

func engineIsLost(t *testing.T, states ...string) {
	for _, state := range states {
		t.Run(state, func(t *testing.T) {
			h := hold(t, live, state, with{})
			require.NoError(t, live.box.Kill())
			h.proxy.Cut()
			require.NoError(t, h.Kill(h.id, new(time.Duration))) // a kill, while it waits for the engine
			status := h.await(mesos.TASK_KILLED)
			require.Empty(t, h.processes())
			if webRuns(state) {
				require.Contains(t, status.GetMessage(), "the executor itself ended the processes of: web")
			}
			h.release()
			h.up()
			h.gone()
		})
	}
}

// TestAnEngineThatIsLostForTooLong: with live-restore the containers run on without dockerd. After engine.lost_timeout the pod
// has failed, and that is true.
func TestAnEngineThatIsLostForTooLong(t *testing.T) {
	l := hold(t, live, "running", with{settings: []string{"engine.lost_timeout=5s"}}).task
	require.NotEmpty(t, l.processes())
	require.NoError(t, live.box.Kill())
	l.Says("The Docker engine is out of reach")
	l.Says("event=EngineLost")
	require.NotEmpty(t, l.processes(), "the stop waits for the engine as long as the services may take")
	require.NoError(t, l.Kill(l.id, new(100*time.Millisecond))) // until somebody has no patience
	status := l.await(mesos.TASK_FAILED)
	require.Contains(t, status.GetMessage(), "raise engine.lost_timeout")
	require.Contains(t, status.GetMessage(), "the executor itself ended the processes of: web")
	require.Empty(t, l.processes())
	l.up()
	l.gone()
	require.Equal(t, []string{"STARTING", "RUNNING", "FAILED"}, l.updates())
}

// TestKillWhileDockerdIsDown: with live-restore the containers run on, so TASK_KILLED is only true if the executor ends them.
func TestKillWhileDockerdIsDown(t *testing.T) {
	for name, c := range map[string]struct {
		die  func() error
		kill func(l *task) error
	}{
		"stopped, kill":    {live.box.Down, func(l *task) error { return l.Kill(l.id, new(500*time.Millisecond)) }},
		"killed, kill":     {live.box.Kill, func(l *task) error { return l.Kill(l.id, new(500*time.Millisecond)) }},
		"killed, shutdown": {live.box.Kill, func(l *task) error { return l.Shutdown("executor-" + l.id) }},
	} {
		t.Run(name, func(t *testing.T) {
			l := hold(t, live, "running", with{agent: []func(*localagent.Options){harness.Unhurried}}).task
			require.NoError(t, c.die())
			require.NotEmpty(t, l.processes())
			require.NoError(t, c.kill(l))
			status := l.await(mesos.TASK_KILLED)
			require.Equal(t, mesos.SOURCE_EXECUTOR, status.GetSource(), "the executor says so, in time")
			require.Contains(t, status.GetMessage(), "the executor itself ended the processes of: web")
			require.Empty(t, l.processes())
			l.up()
			l.gone()
		})
	}
}

// TestDockerdComesBackInTheMiddleOfAStop: the rest of the stop is as gentle as if it had never been away.
func TestDockerdComesBackInTheMiddleOfAStop(t *testing.T) {
	l := hold(t, live, "running", with{}).task
	l.flag("end")
	require.NoError(t, live.box.Kill())
	l.Says("The Docker engine is out of reach")
	require.NoError(t, l.Kill(l.id, nil))
	l.Says("event=Kill phase=stopping")
	l.up()
	status := l.await(mesos.TASK_KILLED)
	require.Equal(t, "The pod was killed on request.", status.GetMessage())
	l.Prints("got TERM")
	l.gone()
}

// TestAnEventStreamThatBreaks: what happened meanwhile is found in the list that is read afterwards.
func TestAnEventStreamThatBreaks(t *testing.T) {
	h := hold(t, plain, "running", with{})
	reached, release := h.proxy.Hold("GET /events", 1, faulty.Before)
	h.proxy.Cut()
	h.reaches(reached)
	h.Says("The Docker engine is out of reach")
	release()
	h.Says("The Docker engine answers again")

	reached, release = h.proxy.Hold("GET /events", 1, faulty.Before)
	h.proxy.Cut()
	h.reaches(reached)
	require.NoError(t, h.engine.docker.ContainerKill(context.Background(), h.containers()["web"].ID, "KILL"))
	release()
	status := h.await(mesos.TASK_FAILED)
	require.Contains(t, status.GetMessage(), "ervice web exited with code 137")
	h.gone()
}

// TestAnEngineThatLies answers 500 after having done what it was asked. Names are deterministic, so what exists is adopted.
func TestAnEngineThatLies(t *testing.T) {
	const compose = `
services:
  web:
    image: dce-test/busybox
    command: [sleep, "1000"]
    init: true
    networks: [front]
    volumes: ["data:/data"]
networks: {front: {}}
volumes: {data: {}}
`
	n := newNode(t, plain, compose)
	told := []<-chan struct{}{
		n.proxy.Lie("POST /containers/create"), n.proxy.Lie("POST /containers/.*/start"),
		n.proxy.Lie("POST /networks/create"), n.proxy.Lie("POST /volumes/create"), n.proxy.Lie("POST /containers/.*/kill"),
		n.proxy.Lie("DELETE /containers"),
	}
	l := n.launch("network.mode=compose")
	l.await(mesos.TASK_RUNNING)
	require.Len(t, l.containers(), 1+len(infra(l)))
	require.NoError(t, l.Kill(l.id, nil))
	l.await(mesos.TASK_KILLED)
	for _, c := range told {
		l.reaches(c)
	}
	l.gone()
	require.Equal(t, []string{"STARTING", "RUNNING", "KILLED"}, l.updates())
}

func infra(l *task) []string {
	if _, ok := l.containers()["infra"]; ok {
		return []string{"infra"}
	}
	return nil
}
