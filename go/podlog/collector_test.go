package podlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/podlog"
)

// source is the log of each container; a run of it is what one call of Logs gives.
type source struct {
	mu    sync.Mutex
	runs  map[string][]run
	since []time.Time
}

type run struct {
	entries []engine.LogEntry
	lasts   time.Duration
	err     error
}

func (s *source) Logs(ctx context.Context, id string, since time.Time, sink func(engine.LogEntry) error) error {
	s.mu.Lock()
	s.since = append(s.since, since)
	if len(s.runs[id]) == 0 {
		s.mu.Unlock()
		return errdefs.ErrNotFound
	}
	r := s.runs[id][0]
	s.runs[id] = s.runs[id][1:]
	s.mu.Unlock()
	for _, e := range r.entries {
		if e.Time.IsZero() || !e.Time.Before(since) {
			if err := sink(e); err != nil {
				return err
			}
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(r.lasts):
		return r.err
	}
}

func at(n int, text string) engine.LogEntry {
	return engine.LogEntry{Time: time.Unix(int64(n), 0), Data: []byte(text)}
}

func onStderr(e engine.LogEntry) engine.LogEntry {
	e.Stderr = true
	return e
}

func seen(service, id string, status engine.Status) engine.ContainerState {
	return engine.ContainerState{ID: id, Service: service, Name: "p-" + service + "-1", Role: labels.RoleService, Status: status}
}

type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

type fixture struct {
	*testing.T
	*podlog.Collector
	source  *source
	sandbox string
	out     *buffer
	log     *logtest.Hook
}

func newFixture(t *testing.T, runs map[string][]run) *fixture {
	t.Helper()
	log, hook := logtest.NewNullLogger()
	log.SetLevel(logrus.DebugLevel)
	f := &fixture{T: t, source: &source{runs: runs}, sandbox: t.TempDir(), out: &buffer{}, log: hook}
	f.Collector = podlog.New(f.source, filepath.Join(f.sandbox, "logs"), f.out, log)
	return f
}

func (f *fixture) file(name string) string {
	f.Helper()
	text, err := os.ReadFile(filepath.Join(f.sandbox, "logs", name))
	require.NoError(f, err)
	return string(text)
}

func TestOutputGoesToFilesAndLineByLineToOneWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, map[string][]run{
			"1": {{entries: []engine.LogEntry{
				at(1, "hel"), onStderr(at(2, "warn\n")), at(3, "lo\nwor"), at(4, "ld\n\x00\xff\n"), at(5, "no end"),
			}, lasts: time.Second}},
			"2": {{entries: []engine.LogEntry{at(1, "other\n")}, lasts: time.Second}},
			"i": {{entries: []engine.LogEntry{at(1, "never\n")}}},
		})
		infra := seen("infra", "i", engine.StatusRunning)
		infra.Role = labels.RoleInfra
		f.Follow(infra)
		f.Follow(seen("web", "1", engine.StatusRunning))
		f.Follow(seen("web", "1", engine.StatusRunning))
		synctest.Wait()
		f.Follow(seen("db", "2", engine.StatusRunning))
		f.Follow(seen("web", "1", engine.StatusExited))
		f.Follow(seen("db", "2", engine.StatusExited))
		begun := time.Now()
		f.Drain(t.Context())
		require.Equal(t, time.Second, time.Since(begun), "the known end of a container costs no pause")
		require.Equal(t, "hello\nworld\n\x00\xff\nno end", strings.Replace(f.file("web.log"), "warn\n", "", 1))
		require.Equal(t, "helwarn\nlo\nworld\n\x00\xff\nno end", f.file("web.log"), "as it came")
		require.Equal(t, "other\n", f.file("db.log"))
		require.Equal(t, "web | warn\nweb | hello\nweb | world\nweb | \x00\xff\ndb | other\nweb | no end\n", f.out.String())
		require.Equal(t, []string{"warn", "hello", "world", "\x00\uFFFD", "no end"}, f.Tail("web"))
		require.Nil(t, f.Tail("nobody"))
		entries, err := os.ReadDir(filepath.Join(f.sandbox, "logs"))
		require.NoError(t, err)
		require.Len(t, entries, 2)
		f.Close()
		f.Follow(seen("web", "3", engine.StatusRunning)) // too late
	})
}

func TestABrokenStreamIsTakenUpWhereItEnded(t *testing.T) {
	for name, end := range map[string]error{"with an error": errors.New("broken"), "without one": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				long := strings.Repeat("x", 16<<10)
				first := []engine.LogEntry{at(1, "a\n"), at(2, "b\n"), at(3, long), at(3, long)}
				f := newFixture(t, map[string][]run{"1": {
					{entries: first, lasts: time.Second, err: end},
					{err: errors.New("refused")}, {err: errors.New("refused")},
					{entries: append(first, at(3, "y\n"), at(3, "z\n"), onStderr(at(2, "late\n")), at(4, "c\n")), lasts: time.Second},
				}})
				f.Follow(seen("web", "1", engine.StatusRunning))
				f.Drain(t.Context())
				want := "a\nb\n" + long + long + "y\nz\n"
				require.Equal(t, want+"c\n", f.file("web.log"), "what is older than the last entry is not asked for again")
				require.Equal(t, time.Unix(3, 0), f.source.since[1])
				require.Equal(t, time.Unix(4, 0), f.source.since[4])
			})
		})
	}
}

func TestATerminalIsTakenUpByItsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := func(s string) engine.LogEntry { return engine.LogEntry{Data: []byte(s)} }
		f := newFixture(t, map[string][]run{"1": {
			{entries: []engine.LogEntry{raw("one\r\ntw")}, err: errors.New("broken")},
			{entries: []engine.LogEntry{raw("one\r\n"), raw("two\r\n"), raw("three\r\n")}},
		}})
		f.Follow(seen("web", "1", engine.StatusExited))
		f.Drain(t.Context())
		require.Equal(t, "one\r\ntwo\r\nthree\r\n", f.file("web.log"))
		require.Equal(t, []string{"one", "two", "three"}, f.Tail("web"))
	})
}

func TestAContainerThatRunsAgainIsFollowedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, map[string][]run{"1": {
			{entries: []engine.LogEntry{at(1, "first\n")}},
			{entries: []engine.LogEntry{at(1, "first\n"), at(2, "second\n")}},
		}, "2": {{entries: []engine.LogEntry{at(1, "another of the service\n")}}}})
		f.Follow(seen("web", "1", engine.StatusExited))
		f.Drain(t.Context())
		f.Follow(seen("web", "1", engine.StatusExited)) // read to its end
		f.Drain(t.Context())
		require.Equal(t, "first\n", f.file("web.log"))
		f.Follow(seen("web", "1", engine.StatusRunning))
		f.Follow(seen("web", "1", engine.StatusExited))
		f.Drain(t.Context())
		f.Follow(seen("web", "2", engine.StatusExited))
		f.Drain(t.Context())
		require.Equal(t, "first\nsecond\nanother of the service\n", f.file("web.log"))
	})
}

func TestARunThatBeginsWhileTheLastIsReadIsFollowedToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, map[string][]run{"1": {
			{entries: []engine.LogEntry{at(1, "first\n")}, lasts: time.Second},
			{entries: []engine.LogEntry{at(1, "first\n"), at(2, "second\n")}},
		}})
		f.Follow(seen("web", "1", engine.StatusExited))
		f.Follow(seen("web", "1", engine.StatusRunning))
		f.Follow(seen("web", "1", engine.StatusExited))
		f.Drain(t.Context())
		require.Equal(t, "first\nsecond\n", f.file("web.log"))
	})
}

func TestLinesWithoutEndAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var entries []engine.LogEntry
		for i := range 20 {
			entries = append(entries, at(i, strings.Repeat("x", 10_000)))
		}
		for i := range 12 {
			entries = append(entries, at(100+i, fmt.Sprintf("\nline %d", i)))
		}
		f := newFixture(t, map[string][]run{"1": {{entries: entries}}})
		f.Follow(seen("web", "1", engine.StatusExited))
		f.Drain(t.Context())
		lines := strings.Split(f.out.String(), "\n")
		for _, line := range lines[:3] {
			require.Len(t, line, len("web | ")+64<<10)
		}
		require.Len(t, lines[3], len("web | ")+200_000-3*64<<10)
		require.Len(t, f.file("web.log"), 200_000+2*len("\nline 10")+10*len("\nline 1"))
		require.Equal(t, "line 2 line 3 line 4 line 5 line 6 line 7 line 8 line 9 line 10 line 11", strings.Join(f.Tail("web"), " "))
	})
}

func TestDrainAndCloseDoNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, map[string][]run{"1": {{entries: []engine.LogEntry{at(1, "half")}, lasts: time.Hour}}})
		f.Drain(t.Context()) // nothing to wait for
		f.Follow(seen("web", "1", engine.StatusRunning))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		f.Drain(ctx)
		require.Equal(t, time.Second, time.Since(begun))
		f.Close()
		require.Equal(t, time.Second, time.Since(begun))
		require.Equal(t, "web | half\n", f.out.String())
		f.Close()
	})
}

func TestFilesStayInsideOfTheSandbox(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "victim")
	require.NoError(t, os.WriteFile(outside, []byte("untouched"), 0o600))
	for name, prepare := range map[string]func(logs string) error{
		"a linked file": func(logs string) error {
			return errors.Join(os.Mkdir(logs, 0o755), os.Symlink(outside, filepath.Join(logs, "web.log")))
		},
		"a linked directory": func(logs string) error { return os.Symlink(filepath.Dir(outside), logs) },
		"a FIFO": func(logs string) error {
			return errors.Join(os.Mkdir(logs, 0o755), unix.Mkfifo(filepath.Join(logs, "web.log"), 0o600))
		},
		"a directory": func(logs string) error { return os.MkdirAll(filepath.Join(logs, "web.log"), 0o755) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, map[string][]run{"1": {{entries: []engine.LogEntry{at(1, "line\n")}}}})
			require.NoError(t, prepare(filepath.Join(f.sandbox, "logs")))
			f.Follow(seen("web", "1", engine.StatusExited))
			f.Drain(t.Context())
			require.Equal(t, "web | line\n", f.out.String(), "it is on stdout all the same")
			require.Contains(t, f.log.AllEntries()[0].Message, "can't be stored")
			text, err := os.ReadFile(outside)
			require.NoError(t, err)
			require.Equal(t, "untouched", string(text))
			_, err = os.Stat(filepath.Join(filepath.Dir(outside), "web.log"))
			require.ErrorIs(t, err, os.ErrNotExist)
		})
	}
	for _, service := range []string{"../../x", "a/b", "..", ""} {
		f := newFixture(t, map[string][]run{"1": {{entries: []engine.LogEntry{at(1, "line\n")}}}})
		f.Follow(seen(service, "1", engine.StatusExited))
		f.Drain(t.Context())
		entries, err := os.ReadDir(filepath.Join(f.sandbox, "logs"))
		require.NoError(t, err)
		require.Len(t, entries, 1, "%q", service)
		require.NotContains(t, entries[0].Name(), "/")
	}
}

func TestNoFileStaysOpen(t *testing.T) {
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		require.NoError(t, err)
		return len(entries)
	}
	before := open()
	runs := map[string][]run{}
	for i := range 20 {
		runs[fmt.Sprint(i)] = []run{{entries: []engine.LogEntry{at(1, "line\n")}}}
	}
	f := newFixture(t, runs)
	for i := range 20 {
		f.Follow(seen(fmt.Sprint("s", i%5), fmt.Sprint(i), engine.StatusExited))
	}
	f.Drain(t.Context())
	require.Equal(t, before, open())
}
