package launch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/oom"
)

func TestKillsAreNamedAfterServices(t *testing.T) {
	dir := t.TempDir()
	log, said := test.NewNullLogger()
	m := newMemory(filesOf(dir, "dce-a-1", true), log)
	m.file.Containers = map[string]string{"id1": "web", "id2": "db", "id3": "db", "id0": "infra"}
	k := cgroup.OOM{
		Name: "docker-id1.scope", Kills: 1, Level: cgroup.LevelParent, Cgroup: "/mesos/c", Limit: 64 << 20, Usage: 64<<20 - 4096, Peak: 40 << 20,
		Used: map[string]uint64{"docker-id1.scope": 40 << 20, "docker-id2.scope": 10 << 20, "docker-id3.scope": 13 << 20, "other": 1, "id0": 1}, At: time.Now(),
	}
	m.killed(k)
	k.Name = "somebody else's"
	m.killed(k)
	require.Len(t, said.AllEntries(), 1)
	require.Equal(t, logrus.WarnLevel, said.LastEntry().Level)

	text, err := os.ReadFile(filepath.Join(dir, "oom.json"))
	require.NoError(t, err)
	var file oom.File
	require.NoError(t, json.Unmarshal(text, &file))
	kills := file.Kills
	services, err := oom.Containers(dir)
	require.NoError(t, err)
	require.Equal(t, m.file.Containers, services)
	require.Len(t, kills, 1)
	got := kills[0]
	require.Equal(t, "web", got.Service)
	require.Equal(t, "id1", got.Container)
	require.Equal(t, "pod", got.Limit)
	require.EqualValues(t, 64<<20, got.Bytes)
	require.Equal(t, map[string]uint64{"web": 40 << 20, "db": 23 << 20, "infra": 1}, got.Used)
	require.Equal(t, "the kernel killed it at the limit of the whole pod, which is the task's, of 64 MB: the pod used 63.9 MB, of these web 40 MB, db 23 MB", got.Message)

	for range 2 * mostKills {
		m.killed(cgroup.OOM{Name: "id2", Kills: 1, Level: cgroup.LevelOwn, Limit: 1 << 20, Usage: 1 << 20})
	}
	require.Len(t, m.file.Kills, mostKills)
	require.Empty(t, m.evidence("web", time.Time{}), "nothing is watched")
}

// A container whose cgroup was gone too soon has run into the limit that it was given.
func TestAKillWithoutNumbers(t *testing.T) {
	log, _ := test.NewNullLogger()
	m := newMemory(filesOf(t.TempDir(), "dce-a-1", true), log)
	m.file.Containers, m.limits = map[string]string{"id1": "web", "id2": "db"}, map[string]uint64{"id1": 32 << 20}
	for _, k := range []cgroup.OOM{
		{Name: "docker-id1.scope", Kills: 1, Level: cgroup.LevelOwn},
		{Name: "id1", Kills: 1, Level: cgroup.LevelOwn, Limit: cgroup.NoLimit, Usage: 4096},
		{Name: "id1", Kills: 1, Level: cgroup.LevelOwn, Limit: 16 << 20, Usage: 16 << 20}, // it was changed since
		{Name: "id2", Kills: 1, Level: cgroup.LevelOwn},
	} {
		m.killed(k)
	}
	var said []string
	for _, kill := range m.file.Kills {
		said = append(said, kill.Message)
	}
	const at = "the kernel killed it at its own limit of %[1]d MB, of which it used %[1]d MB"
	require.Equal(t, []string{fmt.Sprintf(at, 32), fmt.Sprintf(at, 32), fmt.Sprintf(at, 16),
		"the kernel killed a process of it at its own limit, or at that of a cgroup that it made itself"}, said)
}

type creating struct {
	engine.Gateway
	err error
}

func (c creating) Start(context.Context, string) error { return c.err }

func (c creating) Create(_ context.Context, spec *engine.ContainerSpec) (string, error) {
	return "id-" + spec.Service, c.err
}

func TestContainersAreNotedWhenTheyAreMade(t *testing.T) {
	m := newMemory(files{dir: t.TempDir(), pod: "pod-x.json"}, logrus.New())
	require.Equal(t, "oom-x.json", m.name)
	_, err := m.gateway(creating{}).Create(t.Context(), &engine.ContainerSpec{Service: "web"})
	require.NoError(t, err)
	_, err = m.gateway(creating{err: errors.New("no")}).Create(t.Context(), &engine.ContainerSpec{Service: "db"})
	require.Error(t, err)
	require.Equal(t, map[string]string{"id-web": "web"}, m.file.Containers)
}

func TestNothingIsClaimedWhereNothingCanBeWatched(t *testing.T) {
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	log, said := test.NewNullLogger()
	m := newMemory(files{pod: "pod.json"}, log)
	m.begin(host, parent{Path: "/dce-test/there/is/no/such/cgroup"})
	require.Contains(t, said.LastEntry().Message, "not noticed")
	require.Empty(t, m.evidence("web", time.Time{}))
	done := make(chan struct{})
	close(done)
	m.closeAfter(done)

	// The pod ended while it was prepared: the watch ends at once.
	m.begin(host, parent{Path: "/"})
	require.Nil(t, m.watch)
}

// The cgroup that the engine makes, for an executor without rights, is watched from the first start on.
func TestACgroupThatTheEngineMakesIsWatched(t *testing.T) {
	root, host := fakeHost(t, v2Mount, "0::/user.slice\n", v2Controllers)
	log, said := test.NewNullLogger()
	m := newMemory(files{dir: t.TempDir(), pod: "pod.json"}, log)
	m.file.Containers = map[string]string{"id1": "web"}
	m.begin(host, parent{Path: "/dce/c", absent: true})
	require.Empty(t, said.AllEntries())
	require.Error(t, m.gateway(creating{err: errors.New("no")}).Start(t.Context(), "id0"))
	require.Nil(t, m.watch)

	for file, content := range map[string]string{
		"memory.events.local": "oom 0\noom_kill 0\n", "memory.events": "oom 1\noom_kill 1\n", "memory.max": "max", "memory.current": "0",
		"id1/memory.events": "oom 1\noom_kill 1\n", "id1/memory.max": "33554432", "id1/memory.current": "33554432",
	} {
		file = filepath.Join(root, "cg/dce/c", file)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	}
	require.NoError(t, m.gateway(creating{}).Start(t.Context(), "id1"))
	require.NotNil(t, m.watch)
	for _, one := range said.AllEntries() { // the watch may have told already
		require.Equal(t, "The kernel killed a process of a service for want of memory.", one.Message)
	}
	require.Equal(t, "the kernel killed it at its own limit of 32 MB, of which it used 32 MB", m.evidence("web", time.Now().Add(-time.Minute)))
	require.Empty(t, m.evidence("web", time.Now().Add(time.Minute)), "that is not why it ended much later")
	require.Empty(t, m.evidence("db", time.Time{}))
	done := make(chan struct{})
	close(done)
	m.closeAfter(done) // when it is said: by the watch, at any time from the start on
	require.Len(t, said.AllEntries(), 1)
	require.Contains(t, said.LastEntry().Message, "The kernel killed a process of a service")
}
