package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/tests/fakehost"
)

func TestContainerID(t *testing.T) {
	for name, want := range map[string]string{"0123abcd": "0123abcd", "docker-0123abcd.scope": "0123abcd", "0123abcd.scope": "0123abcd",
		"docker-": "docker-", ".scope": "", "": ""} {
		require.Equal(t, want, ContainerID(name), name)
	}
}

func TestJudge(t *testing.T) {
	roomy, full, unlimited := memoryOf{100 << 20, 1 << 20, 10 << 20}, memoryOf{100 << 20, 1 << 20, 100 << 20}, memoryOf{NoLimit, 1, 1}
	for name, c := range map[string]struct {
		parent, child uint64 // hits since the last report
		unified       bool
		all, own      memoryOf
		want          Level
	}{
		"v1, only the child heard":                 {0, 1, false, roomy, full, LevelOwn},
		"v1, both heard, the parent is full":       {1, 1, false, full, roomy, LevelParent},
		"v1, both heard, the parent is not full":   {1, 1, false, roomy, roomy, LevelAbove},
		"v1, both heard, no limits":                {1, 1, false, unlimited, unlimited, LevelAbove},
		"v1, the child heard once more":            {1, 2, false, full, full, LevelOwn},
		"v1, nobody heard, the child is full":      {0, 0, false, roomy, full, LevelOwn},
		"v1, nobody heard, the parent is full":     {0, 0, false, full, roomy, LevelParent},
		"v1, nobody heard":                         {0, 0, false, roomy, unlimited, LevelAbove},
		"v2, the child's":                          {0, 1, true, roomy, roomy, LevelOwn},
		"v2, the parent's, which gave memory back": {1, 0, true, roomy, roomy, LevelParent},
		"v2, nobody's":                             {0, 0, true, roomy, roomy, LevelAbove},
		"v2, nothing is known of the child":        {0, 0, true, roomy, memoryOf{}, LevelAbove},
		"v1, nothing is known of the child":        {0, 0, false, roomy, memoryOf{}, LevelOwn},
		"v1, nor of it, the parent is full":        {0, 0, false, full, memoryOf{}, LevelParent},
	} {
		t.Run(name, func(t *testing.T) {
			parent, child := &member{now: counts{hits: 7 + c.parent}}, &member{now: counts{hits: c.child}}
			parent.told.hits = 7
			require.Equal(t, c.want, judge(parent, child, c.unified, c.all, c.own))
		})
	}
}

// The files of v2 in a fake tree: inotify works there as well.
func TestOOMOnV2(t *testing.T) {
	task := "/sys/fs/cgroup/dce/task"
	group := func(dir string, limit, used string) map[string]string {
		return map[string]string{dir + "/memory.events": "oom 0\noom_kill 0\n", dir + "/memory.events.local": "oom 0\noom_kill 0\n",
			dir + "/memory.max": limit + "\n", dir + "/memory.current": used + "\n"}
	}
	root := fakeRoot(t, unified, "0::/\n", map[string]string{"/sys/fs/cgroup/cgroup.controllers": "memory\n"})
	add := func(files map[string]string) {
		for name, content := range files {
			fakehost.Put(t, root, name, content)
		}
	}
	add(group(task, "67108864", "67100000"))
	add(group(task+"/web", "max", "60000000"))
	add(group(task+"/db", "20971520", "1000"))
	add(group(task+"/gone", "33554432", "4096"))
	h, err := Open(Options{Root: root})
	require.NoError(t, err)
	w, got := watch(t, h, "/dce/task")

	fakehost.Put(t, root, task+"/memory.events.local", "oom 1\noom_kill 0\n")
	fakehost.Put(t, root, task+"/web/memory.events", "oom 0\noom_kill 1\n")
	o := got.wait(t, 1)[0]
	require.Equal(t, LevelParent, o.Level)
	require.Equal(t, "web", o.Name)
	require.EqualValues(t, 67108864, o.Limit)
	require.EqualValues(t, 67100000, o.Usage)
	require.EqualValues(t, 60000000, o.Peak)
	require.EqualValues(t, 1000, o.Used["db"])

	require.Eventually(t, func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.until.IsZero() }, 20*time.Second, time.Millisecond)
	fakehost.Put(t, root, task+"/db/memory.peak", "20971520\n")
	fakehost.Put(t, root, task+"/db/memory.events", "oom 2\noom_kill 2\n")
	o = got.wait(t, 2)[1]
	require.Equal(t, LevelOwn, o.Level)
	require.Equal(t, "/dce/task/db", o.Cgroup)
	require.EqualValues(t, 20971520, o.Usage)
	require.EqualValues(t, 2, o.Kills)

	// Of one that goes away while it is looked at: what was known of it.
	require.Eventually(t, func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.until.IsZero() }, 20*time.Second, time.Millisecond)
	require.NoError(t, os.Remove(filepath.Join(root, task, "gone/memory.current")))
	fakehost.Put(t, root, task+"/gone/memory.events", "oom 1\noom_kill 1\n")
	o = got.wait(t, 3)[2]
	require.Equal(t, "gone", o.Name)
	require.Equal(t, LevelOwn, o.Level)
	require.EqualValues(t, 33554432, o.Limit)
	require.EqualValues(t, 33554432, o.Usage)
	require.EqualValues(t, 33554432, o.Peak)
	require.NoError(t, os.RemoveAll(filepath.Join(root, task, "gone")))

	// Garbage is not evidence, and the watch goes on.
	fakehost.Put(t, root, task+"/web/memory.events", "oom x\noom_kill many\n")
	fakehost.Put(t, root, task+"/db/memory.events", "oom 2\noom_kill 3\n")
	require.EqualValues(t, 3, got.wait(t, 4)[3].Kills)
	require.Len(t, got.wait(t, 4), 4)
}

// A kernel without memory.peak is told from a cgroup that goes away, of which some files are there yet.
func TestMemoryOfACgroupThatGoesAway(t *testing.T) {
	for name, goes := range map[string]bool{"an older kernel": false, "it goes away": true} {
		t.Run(name, func(t *testing.T) {
			at := t.TempDir()
			current := filepath.Join(at, "memory.current")
			require.NoError(t, os.WriteFile(filepath.Join(at, "memory.max"), []byte("33554432\n"), 0o644))
			require.NoError(t, unix.Mkfifo(current, 0o644))
			dir, err := os.Open(at)
			require.NoError(t, err)
			defer dir.Close()
			answered := make(chan error, 1)
			go func() { // answers the first question when somebody asks it
				pipe, err := os.OpenFile(current, os.O_WRONLY, 0)
				if err == nil {
					err = os.Remove(current)
				}
				if err == nil && !goes {
					err = os.WriteFile(current, []byte("4096\n"), 0o644)
				}
				if err == nil {
					_, err = pipe.WriteString("8192\n")
				}
				answered <- errors.Join(err, pipe.Close())
			}()
			got, err := readMemory(dir, true)
			require.NoError(t, <-answered)
			if goes {
				require.True(t, gone(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, memoryOf{limit: 33554432, usage: 4096, peak: 4096}, got)
		})
	}
}

// A container's cgroup may go before its counters were read, and the watched one has counted the kill.
func TestOOMOnV2OfAContainerThatIsGone(t *testing.T) {
	task := "/sys/fs/cgroup/dce/task"
	root := fakeRoot(t, unified, "0::/\n", map[string]string{"/sys/fs/cgroup/cgroup.controllers": "memory\n",
		task + "/memory.events": "oom 7\noom_kill 7\n", task + "/memory.events.local": "oom 2\noom_kill 0\n",
		task + "/memory.max": "67108864\n", task + "/memory.current": "30000000\n"})
	for name, limit := range map[string]string{"web": "33554432", "db": "max", "old": "max"} {
		for file, content := range map[string]string{"memory.events": "oom 0\noom_kill 0\n", "memory.max": limit + "\n", "memory.current": "20000000\n"} {
			fakehost.Put(t, root, task+"/"+name+"/"+file, content)
		}
	}
	h, err := Open(Options{Root: root})
	require.NoError(t, err)
	w, got := watch(t, h, "/dce/task")
	remove := func(name string) {
		require.NoError(t, os.RemoveAll(filepath.Join(root, task, name)))
		w.Of(name) // looks
	}

	remove("old")
	require.Empty(t, got.wait(t, 0), "kills before the watch are none of it")
	fakehost.Put(t, root, task+"/web/memory.current", "33500000\n")
	fakehost.Put(t, root, task+"/web/memory.events", "oom 0\noom_kill 0\nmax 1\n")
	w.Of("web")
	fakehost.Put(t, root, task+"/memory.events", "oom 8\noom_kill 8\n")
	remove("web")
	o := got.wait(t, 1)[0]
	require.Equal(t, OOM{Name: "web", Kills: 1, Level: LevelOwn, Cgroup: "/dce/task/web", Limit: 33554432, Usage: 33500000, Peak: 33500000,
		Used: map[string]uint64{}, At: o.At}, o)

	fakehost.Put(t, root, task+"/memory.events.local", "oom 3\noom_kill 0\n")
	fakehost.Put(t, root, task+"/memory.events", "oom 9\noom_kill 9\n")
	remove("db")
	o = got.wait(t, 2)[1]
	require.Equal(t, "db", o.Name)
	require.Equal(t, LevelParent, o.Level)
	require.EqualValues(t, 67108864, o.Limit)
	require.EqualValues(t, 1, o.Kills)
}

func TestWatchOOMNamesTheFile(t *testing.T) {
	for name, c := range map[string]struct {
		mounts []mount
		files  map[string]string
		want   string
	}{
		"v2, no cgroup": {unified, nil, "/sys/fs/cgroup/t"},
		"v2, no events": {unified, map[string]string{"/sys/fs/cgroup/t/": ""}, "can't watch"},
		"v2, garbage":   {unified, map[string]string{"/sys/fs/cgroup/t/memory.events.local": "oom\n"}, `holds "oom"`},
		"v1, no cgroup": {separate, nil, "/sys/fs/cgroup/memory/t"},
		"v1, no events": {separate, map[string]string{"/sys/fs/cgroup/memory/t/memory.oom_control": ""}, "cgroup.event_control"},
		"v1, old kernel": {separate, map[string]string{"/sys/fs/cgroup/memory/t/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\n",
			"/sys/fs/cgroup/memory/t/cgroup.event_control": ""}, "a line oom_kill"},
		"v1, read-only": {separate, map[string]string{"/sys/fs/cgroup/memory/t/memory.oom_control": "oom_kill 0\n",
			"/sys/fs/cgroup/memory/t/cgroup.event_control": "!"}, "cgroup.event_control"},
	} {
		t.Run(name, func(t *testing.T) {
			root := fakeRoot(t, c.mounts, "4:memory:/\n0::/\n", map[string]string{"/sys/fs/cgroup/cgroup.controllers": "memory\n"})
			for file, content := range c.files {
				fakehost.Put(t, root, file, content)
				if name := filepath.Join(root, file); content == "!" {
					require.NoError(t, os.Chmod(name, 0o444))
				} else if filepath.Base(name) == "cgroup.event_control" {
					require.NoError(t, os.Chmod(name, 0o222)) // as the kernel does
				}
			}
			h, err := Open(Options{Root: root})
			require.NoError(t, err)
			fakehost.AsNobody(t, func() {
				_, err = h.WatchOOM("/t", func(OOM) {}, func(error) {})
			})
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, root)
		})
	}
}

func FuzzKeyed(f *testing.F) {
	f.Add("oom 1\noom_kill 2\n")
	f.Add("oom_kill\n")
	f.Add("oom_kill -1\n\n  \n")
	f.Fuzz(func(t *testing.T, s string) {
		values, err := keyed("/f", s, "oom_kill")
		if err != nil {
			require.ErrorContains(t, err, "/f holds")
			return
		}
		require.Contains(t, values, "oom_kill")
	})
}

func FuzzParseLimit(f *testing.F) {
	f.Add("max")
	f.Add("9223372036854771712")
	f.Add("-1")
	f.Add("1\n2")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseLimit("/f", s)
		if err != nil {
			require.ErrorContains(t, err, "/f holds")
		} else if n >= 1<<62 {
			require.Equal(t, NoLimit, n)
		}
	})
}
