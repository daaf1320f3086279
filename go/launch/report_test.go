package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/pod"
)

var reported = engine.PodSpec{
	Infra: &engine.ContainerSpec{Service: "infra", Name: "p-infra", Image: "dce/pause:1"},
	Services: []engine.ContainerSpec{
		{Service: "init", Name: "p-init-1", Image: "i", Init: true},
		{Service: "web", Name: "p-web-1", Image: "registry:5000/web:1", Essential: true},
		{Service: "web", Name: "p-web-2", Image: "registry:5000/web:1", Essential: true},
	},
}

func inState(phase pod.Phase) pod.State {
	return pod.State{Phase: phase, Members: map[string]pod.Member{
		"p-init-1": {Service: "init", Init: true, Seen: true, Exited: true},
		"p-web-1":  {Service: "web", Essential: true, Seen: true, Health: engine.HealthHealthy},
		"p-web-2":  {Service: "web", Essential: true, Seen: true, Exited: true, ExitCode: 3, Waiting: true, Restarts: 2},
	}}
}

func images() map[string]engine.Image {
	return map[string]engine.Image{
		"i":                   {ID: "sha256:1"},
		"registry:5000/web:1": {ID: "sha256:2", Digests: []string{"other/web@sha256:a", "registry:5000/web@sha256:b"}},
	}
}

func TestReportOfAPod(t *testing.T) {
	dir := t.TempDir()
	log, hook := logtest.NewNullLogger()
	r := newReport("p", "task", pod.Service, "that is the default", filesOf(dir, "p", true), log)
	r.changed(pod.State{Phase: pod.PhasePreparing})
	r.prepared(reported, images)
	at := func(d time.Duration) time.Time { return r.timeline.Launched.Add(d) }
	r.finished(engine.Finished{Kind: engine.OpPull, Image: "registry:5000/web:1", Ended: at(time.Second)})
	r.finished(engine.Finished{Kind: engine.OpCreate, Container: "p-web-1", Ended: at(2 * time.Second)})
	r.finished(engine.Finished{Kind: engine.OpStart, Container: "p-web-1", Ended: at(3 * time.Second)})
	r.finished(engine.Finished{Kind: engine.OpWait, Container: "p-web-1", Condition: engine.Healthy, Ended: at(4 * time.Second)})
	r.finished(engine.Finished{Kind: engine.OpWait, Container: "p-init-1", Condition: engine.Completed, Ended: at(5 * time.Second)})
	r.changed(inState(pod.PhaseRunning))
	var got []pod.Status
	tell := r.status(func(s pod.Status) { got = append(got, s) })
	tell(pod.Status{State: pod.Running, Message: "It runs."})
	require.Equal(t, map[string]string{
		"io.dce.pod": "p", "io.dce.kind": "service",
		"io.dce.service.init.state": "exited 0", "io.dce.service.init.image": "sha256:1",
		"io.dce.service.web.state": "1 restarting, 1 running healthy", "io.dce.service.web.image": "registry:5000/web@sha256:b",
	}, got[0].Labels)
	require.JSONEq(t, `{"pod": "p", "kind": "service", "phase": "running", "services": [
		{"service": "init", "state": "exited", "exit_code": 0, "init": true, "image": "i", "image_id": "sha256:1"},
		{"service": "web", "state": "running", "health": "healthy", "essential": true, "image": "registry:5000/web:1", "digest": "registry:5000/web@sha256:b"},
		{"service": "web", "state": "restarting", "exit_code": 3, "restarts": 2, "essential": true, "image": "registry:5000/web:1", "digest": "registry:5000/web@sha256:b"}
	]}`, string(got[0].Data))

	r.changed(inState(pod.PhaseFailed))
	tell(pod.Status{State: pod.Failed, Reason: pod.ReasonCommandFailed, Message: "It failed.", Service: "web"})
	text, err := os.ReadFile(filepath.Join(dir, "pod.json"))
	require.NoError(t, err)
	var whole document
	require.NoError(t, json.Unmarshal(text, &whole))
	require.Equal(t, pod.PhaseFailed, whole.Phase)
	require.Equal(t, "It failed.", whole.Status.Message)
	require.Equal(t, "p-web-2", whole.Services[2].Container)
	text, err = os.ReadFile(filepath.Join(dir, "timeline.json"))
	require.NoError(t, err)
	var times timeline
	require.NoError(t, json.Unmarshal(text, &times))
	web := times.Services[2]
	require.Equal(t, []int64{1000, 2000, 3000, 4000}, []int64{*web.Pull, *web.Create, *web.Start, *web.Healthy})
	require.Nil(t, times.Services[1].Pull)
	require.Equal(t, int64(1000), *times.Services[3].Pull, "one pull serves both")
	var logged []string
	for _, e := range hook.AllEntries() {
		logged = append(logged, e.Message)
	}
	require.Contains(t, logged, "timeline, ms since launch: web         1000     2000     3000     4000")
	require.Contains(t, logged, "timeline, ms since launch: init           -        -        -     5000")

	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "nothing temporary is left")
}

// A pod that runs although a limit does not bind it says so where it is seen: in the status, in a label and in the file.
func TestReportOfWhatDoesNotBind(t *testing.T) {
	log, hook := logtest.NewNullLogger()
	r := newReport("p", "task", pod.Service, "that is the default", filesOf(t.TempDir(), "p", true), log)
	r.unbound(errors.New("memory.use_hierarchy is 0"))
	r.unbound(errors.New("nothing else does either"))
	require.Len(t, hook.AllEntries(), 2)
	var got []pod.Status
	tell := r.status(func(s pod.Status) { got = append(got, s) })
	tell(pod.Status{State: pod.Running, Message: "Every service of the pod is up."})
	tell(pod.Status{State: pod.Running, Reason: pod.ReasonHealth, Message: "Healthy."})
	tell(pod.Status{State: pod.Finished, Message: "It ended."})
	const why = "memory.use_hierarchy is 0; nothing else does either"
	require.Equal(t, "Every service of the pod is up, but "+why, got[0].Message)
	require.Equal(t, "Healthy.", got[1].Message)
	for _, s := range got {
		require.Equal(t, why, s.Labels["io.dce.unbound"])
	}
}

func TestWhatIsSentIsBounded(t *testing.T) {
	d := document{Pod: "p", Kind: pod.Service}
	for i := range 500 {
		d.Services = append(d.Services, member{Service: fmt.Sprintf("service-%d", i), State: "running", Digest: strings.Repeat("d", 1000)})
	}
	all := d.labels()
	require.Len(t, all, 2+2*maxLabelled+1)
	require.Equal(t, "484", all["io.dce.services.more"])
	for _, v := range all {
		require.LessOrEqual(t, len(v), maxLabel)
	}
	data := d.data()
	require.LessOrEqual(t, len(data), maxData)
	var sent document
	require.NoError(t, json.Unmarshal(data, &sent))
	require.Equal(t, 500, len(sent.Services)+sent.More)
	require.NotEmpty(t, sent.Services)
}

func TestDigestIsThatOfTheRepository(t *testing.T) {
	image := engine.Image{Digests: []string{"a/x@sha256:1", "localhost:5000/x@sha256:2", "x@sha256:3"}}
	for ref, want := range map[string]string{
		"x": "x@sha256:3", "x:7": "x@sha256:3", "x@sha256:3": "x@sha256:3", "localhost:5000/x": "localhost:5000/x@sha256:2",
		"localhost:5000/x:7": "localhost:5000/x@sha256:2", "unknown": "a/x@sha256:1",
	} {
		require.Equal(t, want, digest(ref, image), ref)
	}
	require.Empty(t, digest("x", engine.Image{}))
}

func TestFilesOfTheOtherPodsOfAnExecutor(t *testing.T) {
	require.Equal(t, files{dir: "/s", pod: "pod.json", timeline: "timeline.json", logs: "/s/logs"}, filesOf("/s", "p", true))
	require.Equal(t, files{dir: "/s", pod: "pod-p.json", timeline: "timeline-p.json", logs: "/s/logs-p"}, filesOf("/s", "p", false))
}

func TestAFileThatCanNotBeReplacedIsSaidOnce(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "pod.json"), 0o755)) // a container may have done that
	log, hook := logtest.NewNullLogger()
	f := filesOf(dir, "p", true)
	f.write(f.pod, document{}, log)
	f.write(f.pod, document{}, log)
	require.Len(t, hook.AllEntries(), 1)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}
