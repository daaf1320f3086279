package launch

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
)

func TestKillsAreNamedAfterServices(t *testing.T) {
	dir := t.TempDir()
	log, said := test.NewNullLogger()
	o := newOOM(filesOf(dir, "dce-a-1", true), log)
	o.services = map[string]string{"id1": "web", "id2": "db", "id3": "db", "id0": "infra"}
	k := cgroup.OOM{
		Name: "docker-id1.scope", Kills: 1, Level: cgroup.LevelParent, Cgroup: "/mesos/c", Limit: 64 << 20, Usage: 64<<20 - 4096, Peak: 40 << 20,
		Used: map[string]uint64{"docker-id1.scope": 40 << 20, "docker-id2.scope": 10 << 20, "docker-id3.scope": 13 << 20, "other": 1, "id0": 1}, At: time.Now(),
	}
	o.report(k)
	k.Name = "somebody else's"
	o.report(k)
	require.Len(t, said.AllEntries(), 1)
	require.Equal(t, logrus.WarnLevel, said.LastEntry().Level)

	text, err := os.ReadFile(filepath.Join(dir, "oom.json"))
	require.NoError(t, err)
	var kills []kill
	require.NoError(t, json.Unmarshal(text, &kills))
	require.Len(t, kills, 1)
	got := kills[0]
	require.Equal(t, "web", got.Service)
	require.Equal(t, "id1", got.Container)
	require.Equal(t, "pod", got.Limit)
	require.EqualValues(t, 64<<20, got.Bytes)
	require.Equal(t, map[string]uint64{"web": 40 << 20, "db": 23 << 20, "infra": 1}, got.Used)
	require.Equal(t, "the kernel killed it at the limit of the whole pod, which is the task's, of 64 MB: the pod used 63.9 MB, of these web 40 MB, db 23 MB", got.Message)

	for range 2 * mostKills {
		o.report(cgroup.OOM{Name: "id2", Kills: 1, Level: cgroup.LevelOwn, Limit: 1 << 20, Usage: 1 << 20})
	}
	require.Len(t, o.kills, mostKills)
	require.Empty(t, o.evidence("web"), "nothing is watched")
}

func TestClauses(t *testing.T) {
	for want, k := range map[string]kill{
		"its own limit of 32 MB, of which it used 31.5 MB":     {Limit: "container", Bytes: 32 << 20, Usage: 63 << 19, Processes: 1},
		"a cgroup that it made itself":                         {Limit: "container", Processes: 1},
		"of 64 MB: the pod used 64 MB":                         {Limit: "pod", Bytes: 64 << 20, Usage: 64 << 20, Processes: 2},
		"it ended when the whole pod was at its limit":         {Limit: "pod", Bytes: 64 << 20, Usage: 64 << 20},
		"limit of 128 MB of the cgroup /mesos, which is above": {Limit: "above", Cgroup: "/mesos", Bytes: 128 << 20, Processes: 1},
		"the host had no memory left; it used 5 MB":            {Limit: "above", Peak: 5 << 20, Processes: 1},
	} {
		require.Contains(t, k.clause(), want)
	}
}

type creating struct {
	engine.Gateway
	err error
}

func (c creating) Create(_ context.Context, spec *engine.ContainerSpec) (string, error) {
	return "id-" + spec.Service, c.err
}

func TestContainersAreNotedWhenTheyAreMade(t *testing.T) {
	o := newOOM(files{pod: "pod-x.json"}, logrus.New())
	require.Equal(t, "oom-x.json", o.name)
	_, err := o.gateway(creating{}).Create(t.Context(), &engine.ContainerSpec{Service: "web"})
	require.NoError(t, err)
	_, err = o.gateway(creating{err: errors.New("no")}).Create(t.Context(), &engine.ContainerSpec{Service: "db"})
	require.Error(t, err)
	require.Equal(t, map[string]string{"id-web": "web"}, o.services)
}

func TestNothingIsClaimedWhereNothingCanBeWatched(t *testing.T) {
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	log, said := test.NewNullLogger()
	o := newOOM(files{pod: "pod.json"}, log)
	o.begin(host, "/dce-test/there/is/no/such/cgroup")
	require.Contains(t, said.LastEntry().Message, "not noticed")
	require.Empty(t, o.evidence("web"))
	done := make(chan struct{})
	close(done)
	o.closeAfter(done)

	// The pod ended while it was prepared: the watch ends at once.
	o.begin(host, "/")
	require.Nil(t, o.watch)
}

// Lowering takes CAP_SYS_RESOURCE, which root in a container may not have: then everything stays as it is, and it is said.
func TestTheExecutorIsSpared(t *testing.T) {
	const file = "/proc/self/oom_score_adj"
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	log, said := test.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	spareExecutor(log)
	now, err := os.ReadFile(file)
	require.NoError(t, err)
	if os.WriteFile(file, []byte("-999"), 0) != nil {
		require.Equal(t, before, now)
		require.Contains(t, said.LastEntry().Message, "as likely to be killed")
		return
	}
	require.Equal(t, "-998\n", string(now))
	spareExecutor(log)
	now, err = os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "-999\n", string(now), "what is lower stays")
	require.Empty(t, said.AllEntries())
	require.NoError(t, os.WriteFile(file, before, 0))
}
