package reap

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/jsonmessage"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/faulty"
	"github.com/dce-go/dce/tests/harness"
	"github.com/dce-go/dce/tests/images"
)

// states are those in which an executor is killed, with the request to the engine that it is in, which keeps it there.
var states = []struct {
	name    string
	request string
	nth     int
	when    faulty.When
}{
	{"received", "/_ping", 1, faulty.Before},
	{"preparing", "GET /info", 1, faulty.Before},
	{"pulling", "", 0, faulty.Before}, // the registry keeps it there
	{"creating a network", "POST /networks/create", 1, faulty.After},
	{"creating", "POST /containers/create.*-web-1", 1, faulty.Before},
	{"created", "POST /containers/create.*-web-1", 1, faulty.After},
	{"starting infra", "POST /containers/.*/start", 1, faulty.After},
	{"starting", "POST /containers/.*/start", 2, faulty.After},
	{"running", "", 0, faulty.Before},
	{"stopping", "POST /containers/.*/(stop|kill)", 1, faulty.Before},
	{"stopped", "DELETE /containers/", 1, faulty.Before},
	{"removing", "DELETE /containers/", 1, faulty.After},
}

// TestExecutorKilledInEveryState: what it leaves is anything from nothing at all to a whole pod.
func TestExecutorKilledInEveryState(t *testing.T) {
	h := newHost(t)
	module := h.start()
	a := h.agent()
	for _, state := range states {
		t.Log(state.name)
		proxy, err := faulty.Start(world.box.Host())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, proxy.Close()) })
		compose := longLived
		var reached <-chan struct{}
		switch {
		case state.name == "pulling":
			reached, compose = slowImage(t)
		case state.request != "":
			reached, _ = proxy.Hold(state.request, state.nth, state.when)
		}
		p := a.launch("executor", compose, "env:DOCKER_HOST", proxy.Host())
		switch state.name {
		case "running":
			p.Reach(mesos.TASK_RUNNING)
		case "stopping", "stopped", "removing":
			p.Reach(mesos.TASK_RUNNING)
			grace := time.Millisecond
			require.NoError(t, p.Kill(p.Task, &grace))
		}
		if reached != nil {
			select {
			case <-reached:
			case <-time.After(harness.Patience):
				require.FailNow(t, "the pod does not get there")
			}
		}
		p.die()
		h.clean()
	}
	time.Sleep(1700 * time.Millisecond) // so long it takes until it is looked for what the engine was still making
	h.clean()
	require.Zero(t, module.metric("reap_failures"))
}

// slowImage is a pod whose image the engine lacks, and whose registry does not answer.
func slowImage(t *testing.T) (asked <-chan struct{}, compose string) {
	t.Helper()
	proxy, err := faulty.Start(world.registry.Addr)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	ctx := context.Background()
	name := proxy.Host() + "/web:1"
	require.NoError(t, world.docker.ImageTag(ctx, images.Busybox, name))
	pushed, err := world.docker.ImagePush(ctx, name, image.PushOptions{RegistryAuth: "e30="}) // {}
	require.NoError(t, err)
	require.NoError(t, errors.Join(jsonmessage.DisplayJSONMessagesStream(pushed, io.Discard, 0, false, nil), pushed.Close()))
	_, err = world.docker.ImageRemove(ctx, name, image.RemoveOptions{Force: true})
	require.NoError(t, err)
	asked, _ = proxy.Hold("/manifests/", 1, faulty.Before)
	return asked, "services: {web: {image: " + name + "}}"
}
