package fault

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/image"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/tests/faulty"
	"github.com/dce-go/dce/tests/images"
)

// web is a pod that does at each step what a test lets it: it is healthy once flags/healthy exists, and ends after SIGTERM
// once flags/end does.
func web(image string) string {
	return fmt.Sprintf(`
services:
  web:
    image: %s
    command: [sh, -c, "trap 'got=1; echo got TERM' TERM; echo up; until [ \"$$got\" ] && [ -e /flags/end ]; do sleep 0.1; done"]
    healthcheck: {test: [CMD, test, -e, /flags/healthy], interval: 200ms, retries: 1000}
    volumes: ["./flags:/flags"]
    stop_grace_period: 20s
`, image)
}

// states are those that a pod can be held in, in order.
var states = []string{"preparing", "pulling", "creating", "starting", "waiting for healthy", "running", "stopping"}

// infraRuns says that in a state the engine has started a container of the pod, and webRuns that it has started the service.
func infraRuns(state string) bool { return state != "preparing" }
func webRuns(state string) bool {
	return state == "starting" || state == "waiting for healthy" || state == "running" || state == "stopping"
}

// held is a pod in a state that it does not leave before it is let.
type held struct {
	*task
	release func() // lets it go on
}

// with is what a test wants beside the usual.
type with struct {
	settings []string // such as "engine.lost_timeout=1s"
	agent    []func(*localagent.Options)
}

// hold brings a pod into a state and keeps it there. What the engine was asked for to get there, it has done, but the answer
// has not arrived.
func hold(t *testing.T, e *engine, state string, w with) held {
	t.Helper()
	name := images.Busybox
	var registry *faulty.Proxy
	if state == "pulling" {
		registry, name = slowRegistry(t, e)
	}
	n := newNode(t, e, web(name), w.agent...)
	var reached <-chan struct{}
	release := func() {}
	switch state {
	case "preparing":
		reached, release = n.proxy.Hold("GET /info", 1, faulty.Before)
	case "pulling":
		reached, release = registry.Hold("/manifests/", 1, faulty.Before)
	case "creating":
		reached, release = n.proxy.Hold("POST /containers/create.*-web-1", 1, faulty.After)
	case "starting":
		reached, release = n.proxy.Hold("POST /containers/.*/start", 2, faulty.After) // infra's is the first
	}
	l := n.launch(w.settings...)
	h := held{l, release}
	switch state {
	case "waiting for healthy":
		h.Prints("up")
		h.Says("-web-1 op=start")
		h.release = func() { h.flag("healthy") }
		return h
	case "running", "stopping":
		h.flag("healthy")
		h.await(mesos.TASK_RUNNING)
		if state == "stopping" {
			require.NoError(t, n.Kill(l.id, nil))
			h.Prints("got TERM")
			h.release = func() { h.flag("end") }
		}
		return h
	}
	h.flag("healthy")
	h.reaches(reached)
	h.Says("phase=" + state)
	if state == "pulling" || state == "creating" {
		h.Says("-infra op=start") // which does not wait for it
	}
	return h
}

// flag makes a file that the service looks for.
func (l *task) flag(name string) {
	l.t.Helper()
	require.NoError(l.t, os.WriteFile(filepath.Join(l.run.Sandbox, "flags", name), nil, 0o644))
}

// slowRegistry is a real registry that has an image which the engine lacks, behind a proxy.
func slowRegistry(t *testing.T, e *engine) (*faulty.Proxy, string) {
	t.Helper()
	proxy, err := faulty.Start(registry.Addr)
	require.NoError(t, err)
	name := proxy.Host() + "/web:1"
	ctx := context.Background()
	require.NoError(t, e.docker.ImageTag(ctx, images.Busybox, name))
	pushed, err := e.docker.ImagePush(ctx, name, image.PushOptions{RegistryAuth: "e30="}) // {}
	require.NoError(t, err)
	require.NoError(t, progress(pushed))
	forget := func() {
		_, err := e.docker.ImageRemove(ctx, name, image.RemoveOptions{Force: true})
		require.NoError(t, err)
	}
	forget()
	t.Cleanup(func() {
		require.NoError(t, proxy.Close())
		if _, err := e.docker.ImageInspect(ctx, name); err == nil {
			forget()
		}
	})
	return proxy, name
}
