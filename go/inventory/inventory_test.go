package inventory

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/tests/fakehost"
)

type fixed struct {
	containers []engine.Container
	err        error
}

func (f fixed) List(_ context.Context, filter ...string) ([]engine.Container, error) {
	if len(filter) != 1 || filter[0] != labels.Pod {
		return nil, errors.New("one list of what bears our label is enough")
	}
	return f.containers, f.err
}

func container(task, service, role, id string, status engine.Status) engine.Container {
	of := labels.Identity{Scope: "/var/lib/mesos", Agent: "a", Framework: "f", Executor: "e-" + task, Container: "c-" + task, Task: task}
	return engine.Container{ID: id, Image: "image", Status: status, Created: time.Unix(1, 0),
		Labels: labels.ForService(of.Labels("1"), service, role, "1")}
}

// host is a machine of cgroup v2 with such cgroup files.
func host(t *testing.T, files map[string]string) *cgroup.Host {
	t.Helper()
	files["/proc/self/mountinfo"] = "30 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
	files["/proc/self/cgroup"] = "0::/\n"
	files["/sys/fs/cgroup/cgroup.controllers"] = "cpu memory pids io\n"
	h, err := cgroup.Open(cgroup.Options{Root: fakehost.Root(t, files)})
	require.NoError(t, err)
	return h
}

func TestList(t *testing.T) {
	files := map[string]string{"/proc/77/net/dev": "Inter-|\n face |\n  eth0: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n    lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n"}
	for path, pids := range map[string]string{
		"/dce/c-web": "3", "/dce/c-web/id-infra": "1", "/dce/c-web/id-web": "2", "/dce.slice/dce-c.slice/docker-id-db.scope": "1", "/dce.slice/dce-c.slice": "1",
	} {
		dir := "/sys/fs/cgroup" + path
		files[dir+"/pids.current"], files[dir+"/pids.max"] = pids, "max"
		files[dir+"/cgroup.procs"] = ""
	}
	files["/sys/fs/cgroup/dce/c-web/id-infra/cgroup.procs"] = "77\n"
	files["/sys/fs/cgroup/dce/c-web/id-web/cgroup.procs"] = "78\n" // with a network of its own
	files["/proc/78/net/dev"] = "eth0: 10 0 0 0 0 0 0 0 30 0 0 0 0 0 0 0\n"
	h := host(t, files)
	pods, err := List(t.Context(), fixed{containers: []engine.Container{
		container("web", "web", labels.RoleService, "id-web", engine.StatusRunning),
		container("web", "old", labels.RoleService, "id-old", engine.StatusExited),
		container("web", "infra", labels.RoleInfra, "id-infra", engine.StatusRunning),
		container("db", "db", labels.RoleService, "id-db", engine.StatusRunning),
		{ID: "stranger", Labels: map[string]string{labels.Pod: "forged"}},
	}})
	require.NoError(t, err)
	require.NoError(t, Measure(h, pods))
	require.Len(t, pods, 2, "by task")
	db, web := pods[0], pods[1]
	require.Equal(t, "db", db.Identity.Task)
	require.Equal(t, "/dce.slice/dce-c.slice", db.Cgroup, "the systemd driver's")
	require.EqualValues(t, 1, db.Services[0].Usage.Pids.Now)

	require.Equal(t, "/dce/c-web", web.Cgroup)
	require.EqualValues(t, 3, web.Usage.Pids.Now)
	require.Equal(t, web.Identity.PodID(), web.ID)
	require.Equal(t, []string{"infra", "old", "web"}, []string{web.Services[0].Name, web.Services[1].Name, web.Services[2].Name})
	require.Nil(t, web.Services[1].Usage, "it ended")
	require.EqualValues(t, 2, web.Services[2].Usage.Pids.Now)
	require.Equal(t, &cgroup.NetworkUsage{ReceivedBytes: 11, ReceivedPackets: 2, SentBytes: 33, SentPackets: 4}, web.Network)
}

func TestErrors(t *testing.T) {
	gone := errors.New("the engine is gone")
	_, err := List(t.Context(), fixed{err: gone})
	require.ErrorIs(t, err, gone)

	h := host(t, map[string]string{"/sys/fs/cgroup/dce/c/pids.current": "1", "/sys/fs/cgroup/dce/c/pids.max": "max", "/sys/fs/cgroup/dce/c/id/pids.current": "garbage", "/sys/fs/cgroup/dce/c/id/cgroup.procs": "",
		"/sys/fs/cgroup/dce/d/pids.current": "7", "/sys/fs/cgroup/dce/d/pids.max": "max", "/sys/fs/cgroup/dce/d/whole/cgroup.procs": ""})
	pods, err := List(t.Context(), fixed{containers: []engine.Container{container("web", "web", labels.RoleService, "id", engine.StatusRunning),
		container("x-next", "web", labels.RoleService, "whole", engine.StatusRunning)}})
	require.NoError(t, err)
	var bad *cgroup.ValueError
	require.ErrorAs(t, Measure(h, pods), &bad)
	require.Equal(t, "web", pods[0].Services[0].Name, "what is known stays")
	require.EqualValues(t, 7, pods[1].Usage.Pids.Now, "and the next one is read")
}
