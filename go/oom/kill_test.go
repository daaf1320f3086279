package oom

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/cgroup"
)

func TestClauses(t *testing.T) {
	for want, k := range map[string]Kill{
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

func TestLabels(t *testing.T) {
	k, ok := NewKill(cgroup.OOM{Name: "a", Kills: 1, Level: cgroup.LevelOwn, Limit: 1 << 20, Usage: 1 << 20}, map[string]string{"a": "web"})
	require.True(t, ok)
	require.Equal(t, map[string]string{
		LabelService: "web", LabelLimit: "container", LabelBytes: "1048576", LabelUsage: "1048576",
		LabelMessage: "Service web ran out of memory: the kernel killed it at its own limit of 1 MB, of which it used 1 MB.",
	}, k.Labels())
	_, ok = NewKill(cgroup.OOM{Name: "b"}, map[string]string{"a": "web"})
	require.False(t, ok)
}

// Containers may write to the sandbox: whatever they put there, reading ends, and stays inside.
func TestContainersOfASandbox(t *testing.T) {
	dir := t.TempDir()
	put := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	got, err := Containers(dir)
	require.NoError(t, err)
	require.Empty(t, got)
	put("oom.json", `{"containers":{"a":"web"}}`)
	put("oom-dce-x.json", `{"containers":{"b":"db"}}`)
	got, err = Containers(dir)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "web", "b": "db"}, got)

	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "oom-pipe.json"), 0o644))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(dir, "oom-link.json")))
	put("oom-garbage.json", "{")
	put("oom-huge.json", strings.Repeat(" ", maxFile)+`{"containers":{"c":"x"}}`)
	got, err = Containers(dir)
	require.Equal(t, map[string]string{"a": "web", "b": "db"}, got)
	for _, name := range []string{"pipe", "link", "garbage", "huge"} {
		require.ErrorContains(t, err, "oom-"+name+".json")
	}
	_, err = Containers(filepath.Join(dir, "nowhere"))
	require.Error(t, err)
}

// However many files a container puts there, and however large, little is read; those of the executor's first pod are.
func TestReadingASandboxIsBounded(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, size int) {
		content := `{"containers":{"` + name + `":"web"}}`
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content+strings.Repeat(" ", size-len(content))), 0o644))
	}
	for i := range 2 * maxFiles {
		put(fmt.Sprintf("oom-%d.json", i), 1<<10)
	}
	put(FileName, 1<<10)
	got, err := Containers(dir)
	require.ErrorContains(t, err, dir+" has more files than are looked at")
	require.Len(t, got, maxFiles)
	require.Contains(t, got, FileName)

	dir = t.TempDir()
	for i := range 10 {
		put(fmt.Sprintf("oom-%d.json", i), maxFile)
	}
	got, err = Containers(dir)
	require.ErrorContains(t, err, "it is too large: of one such file 128 kB are read")
	require.Len(t, got, maxAll/maxFile)
}

func TestWhichKillEndedThePod(t *testing.T) {
	at := func(limit string, s int) Kill { return Kill{Limit: limit, At: time.Unix(int64(s), 0)} }
	for name, c := range map[string]struct {
		a, b Kill
		want bool
	}{
		"the later":                {at("container", 2), at("container", 1), true},
		"the earlier":              {at("pod", 1), at("pod", 2), false},
		"all its services' limit":  {at("pod", 1), at("container", 2), true},
		"one service's limit":      {at("container", 2), at("pod", 1), false},
		"above is everybody's too": {at("above", 1), at("container", 2), true},
		"pod and above alike":      {at("above", 1), at("pod", 2), false},
	} {
		require.Equal(t, c.want, c.a.Outweighs(c.b), name)
	}
}

func TestCause(t *testing.T) {
	services := map[string]string{"1": "web", "2": "db"}
	kill := func(name string, level cgroup.Level, s int64) cgroup.OOM {
		return cgroup.OOM{Name: name, Kills: 1, Level: level, At: time.Unix(s, 0)}
	}
	kills := []cgroup.OOM{kill("1", cgroup.LevelParent, 10), kill("2", cgroup.LevelOwn, 20), kill("3", cgroup.LevelParent, 30)}
	for since, want := range map[int64]string{0: "web", 10: "web", 11: "db", 21: ""} {
		cause, ok := Cause(kills, services, time.Unix(since, 0))
		require.Equal(t, want != "", ok)
		require.Equal(t, want, cause.Service)
	}
}
