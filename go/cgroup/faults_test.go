package cgroup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/tests/fakehost"
)

// podFiles are a pod's cgroup /p, with one container /p/web, as the kernel fills it, and the files above that are read on the way.
var (
	podFilesV1 = map[string]string{
		"memory/p/memory.use_hierarchy": "0", "memory/p/memory.limit_in_bytes": "67108864", "memory/p/memory.usage_in_bytes": "100",
		"memory/p/memory.max_usage_in_bytes": "200", "memory/p/memory.failcnt": "0", "memory/p/memory.stat": "total_cache 1\ntotal_rss 2\n",
		"memory/p/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", "memory/p/cgroup.procs": "", "memory/p/web/cgroup.procs": "",
		"cpu/p/cpu.stat": "nr_periods 1\nnr_throttled 0\nthrottled_time 0\n", "cpu/p/cpu.cfs_quota_us": "50000", "cpu/p/cpu.cfs_period_us": "100000",
		"cpuacct/p/cpuacct.usage": "5", "cpuacct/p/cpuacct.stat": "user 1\nsystem 2\n", "cpu/p/cgroup.procs": "", "cpuacct/p/cgroup.procs": "",
		"cpuset/cpuset.cpus": "0-1", "cpuset/cpuset.mems": "0", "cpuset/p/cpuset.cpus": "0-1", "cpuset/p/cpuset.mems": "0", "cpuset/p/cgroup.procs": "",
		"cpuset/p/new/cpuset.cpus": "0-1", "cpuset/p/new/cpuset.mems": "0",
	}
	podFilesV2 = map[string]string{
		"cgroup.controllers": "cpu memory pids io", "cgroup.subtree_control": "", "p/cgroup.subtree_control": "", "p/cgroup.type": "domain", "p/cgroup.procs": "",
		"p/web/cgroup.procs": "", "p/memory.max": "67108864", "p/memory.current": "100", "p/memory.peak": "200", "p/memory.swap.current": "0",
		"p/memory.stat": "anon 1\nfile 2\n", "p/memory.events": "oom_kill 0\noom 0\nmax 0\n", "p/cpu.stat": "usage_usec 3\nuser_usec 1\nsystem_usec 2\n",
		"p/cpu.max": "max 100000", "p/pids.current": "1", "p/pids.max": "max", "p/io.stat": "8:0 rbytes=1 wbytes=2 rios=1 wios=1\n",
	}
)

// operations are what the project does with a pod's cgroup.
var operations = map[string]func(context.Context, *Host) error{
	"usage":             func(_ context.Context, h *Host) error { _, err := h.Usage("/p"); return err },
	"usage below":       func(_ context.Context, h *Host) error { _, _, err := h.UsageBelow("/p"); return err },
	"memory limit":      func(_ context.Context, h *Host) error { _, err := h.MemoryLimit("/p"); return err },
	"check hierarchy":   func(_ context.Context, h *Host) error { return h.CheckHierarchy("/p") },
	"enforce hierarchy": func(_ context.Context, h *Host) error { return h.EnforceHierarchy("/p") },
	"check parent":      func(_ context.Context, h *Host) error { return h.CheckParent(DriverCgroupfs, "/p") },
	"processes":         func(_ context.Context, h *Host) error { _, err := h.Processes("/p"); return err },
	"procs":             func(_ context.Context, h *Host) error { _, err := h.Procs("/p"); return err },
	"children":          func(_ context.Context, h *Host) error { _, err := h.Children("/p"); return err },
	"list":              func(_ context.Context, h *Host) error { _, err := h.List("/p"); return err },
	"exists":            func(_ context.Context, h *Host) error { _, err := h.Exists("/p"); return err },
	"create":            func(_ context.Context, h *Host) error { return h.Create("/p/new") },
	"write":             func(_ context.Context, h *Host) error { return h.Write("memory", "/p", "memory.max", "1") },
	"kill":              func(ctx context.Context, h *Host) error { _, err := h.Kill(ctx, "/p"); return err },
	"task path":         func(_ context.Context, h *Host) error { _, err := h.TaskPath(); return err },
	"remove":            func(ctx context.Context, h *Host) error { return h.Remove(ctx, "/p") }, // the last: what it can, it removes
}

// typed requires of an error that it is one of this package and says where.
func typed(t *testing.T, what, root string, err error) {
	t.Helper()
	var (
		file      *FileError
		value     *ValueError
		unmounted *NotMountedError
		hierarchy *HierarchyError
		parent    *ParentError
		busy      *BusyError
	)
	switch {
	case err == nil:
	case errors.As(err, &parent), errors.As(err, &hierarchy), errors.As(err, &busy):
		require.Contains(t, err.Error(), "/p", what)
	case errors.As(err, &unmounted):
		require.True(t, strings.HasPrefix(unmounted.File, root), "%s: %v", what, err)
	case errors.As(err, &file):
		require.True(t, strings.HasPrefix(file.File, root) || file.File == "/p", "%s: %v", what, err)
	case errors.As(err, &value):
		require.True(t, strings.HasPrefix(value.File, root), "%s: %v", what, err)
	default:
		require.Fail(t, "an error without a type", "%s: %T: %v", what, err, err)
	}
}

// faults are what may be wrong with a file.
var faults = map[string]func(t *testing.T, file string){
	"missing":    func(t *testing.T, file string) { require.NoError(t, os.Remove(file)) },
	"unreadable": func(t *testing.T, file string) { require.NoError(t, os.Chmod(file, 0o200)) },
	"read-only":  func(t *testing.T, file string) { require.NoError(t, os.Chmod(file, 0o444)) },
	"empty":      func(t *testing.T, file string) { require.NoError(t, os.WriteFile(file, nil, 0o666)) },
	"garbage": func(t *testing.T, file string) {
		require.NoError(t, os.WriteFile(file, []byte("wh\xff\x00at?\n\n -7 1e99"), 0o666))
	},
	"too long": func(t *testing.T, file string) { require.NoError(t, os.Truncate(file, 2*maxFile)) },
	"a number": func(t *testing.T, file string) {
		require.NoError(t, os.WriteFile(file, []byte("99999999999999999999999"), 0o666))
	},
	"a directory": func(t *testing.T, file string) {
		require.NoError(t, os.Remove(file))
		require.NoError(t, os.Mkdir(file, 0o777))
	},
	"a link": func(t *testing.T, file string) {
		require.NoError(t, os.Remove(file))
		require.NoError(t, os.Symlink("/etc/passwd", file))
	},
}

// faulty is a machine with a pod, all of it writable.
func faulty(t *testing.T, v2 bool) (h *Host, root string) {
	t.Helper()
	mounts := separate
	if v2 {
		mounts = unified
	}
	root = fakeRoot(t, mounts, "4:memory:/p\n3:cpu:/p\n2:cpuacct:/p\n1:cpuset:/p\n0::/p\n", nil)
	for name := range podFiles(v2) {
		mend(t, root, v2, name)
	}
	h, err := Open(Options{Root: root, Patience: time.Nanosecond})
	require.NoError(t, err)
	return h, root
}

func podFiles(v2 bool) map[string]string {
	if v2 {
		return podFilesV2
	}
	return podFilesV1
}

// mend makes a file what it was.
func mend(t *testing.T, root string, v2 bool, name string) {
	t.Helper()
	file := filepath.Join(root, "/sys/fs/cgroup", name)
	require.NoError(t, os.RemoveAll(file))
	fakehost.Put(t, root, "/sys/fs/cgroup/"+name, podFiles(v2)[name])
	for ; file != root; file = filepath.Dir(file) {
		require.NoError(t, os.Chmod(file, 0o777))
	}
}

// Whatever is wrong with any file: each operation ends, with what it can say or with an error that has a type and names the place.
func TestFaultsOfEveryFile(t *testing.T) {
	for _, v2 := range []bool{false, true} {
		h, root := faulty(t, v2)
		for _, name := range slices.Sorted(maps.Keys(podFiles(v2))) {
			for fault, inject := range faults {
				inject(t, filepath.Join(root, "/sys/fs/cgroup", name))
				errs := map[string]error{}
				fakehost.AsNobody(t, func() {
					for _, op := range order() {
						errs[op] = operations[op](canceled(), h)
					}
				})
				for op, err := range errs {
					typed(t, fmt.Sprintf("%s, %s is %s", op, name, fault), root, err)
				}
				mend(t, root, v2, name)
			}
		}
	}
}

// order has the removal last.
func order() []string {
	names := slices.Sorted(maps.Keys(operations))
	return append(slices.DeleteFunc(names, func(n string) bool { return n == "remove" }), "remove")
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// The cgroup vanishes while one of its files is read: the file is a pipe, whose writer removes everything before it answers. What
// is read afterwards is not there any more.
func TestCgroupThatVanishesBetweenTwoReads(t *testing.T) {
	times := 0
	for _, v2 := range []bool{false, true} {
		h, root := faulty(t, v2)
		files := podFiles(v2)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if !strings.Contains(name, "p/") || strings.Contains(name, "p/new") || strings.HasSuffix(name, "subtree_control") {
				continue // it is not the pod's, or only written
			}
			for _, op := range order() {
				if op == "write" || op == "remove" {
					continue // they read nothing
				}
				file := filepath.Join(root, "/sys/fs/cgroup", name)
				require.NoError(t, os.Remove(file))
				require.NoError(t, unix.Mkfifo(file, 0o666))
				never, vanished := make(chan struct{}), make(chan bool, 1)
				go func() {
					pipe, err := os.OpenFile(file, os.O_WRONLY, 0) // returns when somebody reads
					if err != nil {
						vanished <- false
						return
					}
					defer pipe.Close()
					select {
					case <-never:
						vanished <- false
					default:
						_ = os.RemoveAll(filepath.Join(root, "/sys/fs/cgroup", name[:strings.Index(name, "p/")], "p"))
						_, _ = pipe.WriteString(files[name])
						vanished <- true
					}
				}()
				typed(t, op+" while "+name+" is read", root, operations[op](canceled(), h))
				close(never)
				fd, err := unix.Open(file, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
				gone := <-vanished
				if err == nil { // nobody read it
					require.NoError(t, unix.Close(fd))
				}
				if gone {
					times++
				}
				for other := range files {
					if other == name || gone {
						mend(t, root, v2, other)
					}
				}
			}
		}
	}
	require.Greater(t, times, 50, "the files are not read at all")
}

// A cgroup that comes and goes all the time, as those of containers do.
func TestCgroupThatComesAndGoes(t *testing.T) {
	for _, v2 := range []bool{false, true} {
		h, root := faulty(t, v2)
		web := filepath.Join(root, "/sys/fs/cgroup/memory/p/web")
		if v2 {
			web = filepath.Join(root, "/sys/fs/cgroup/p/web")
		}
		stop, over := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(over)
			for {
				select {
				case <-stop:
					return
				default:
					_ = os.RemoveAll(web)
					_ = os.Mkdir(web, 0o777)
					_ = os.WriteFile(filepath.Join(web, "cgroup.procs"), nil, 0o666)
				}
			}
		}()
		for range 200 {
			for _, op := range []string{"usage", "memory limit", "processes", "children", "list", "kill"} {
				require.NoError(t, operations[op](canceled(), h), op)
			}
		}
		close(stop)
		<-over
	}
}
