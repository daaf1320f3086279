package cgroup

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// limitMemory limits memory, and swap with it.
func limitMemory(t *testing.T, h *Host, path string, bytes uint64) {
	t.Helper()
	n := strconv.FormatUint(bytes, 10)
	if h.Version() == V2 {
		require.NoError(t, h.Write("memory", path, "memory.max", n))
		require.NoError(t, h.Write("memory", path, "memory.swap.max", "0"))
		return
	}
	require.NoError(t, h.Write("memory", path, "memory.limit_in_bytes", n))
	require.NoError(t, h.Write("memory", path, "memory.memsw.limit_in_bytes", n))
}

// eater is a process that waits in a cgroup until it is told to use memory.
type eater struct {
	cmd  *exec.Cmd
	tell io.WriteCloser
}

// eat starts one that will use so many MB, or all that it gets for 0, and then sleeps.
func eat(t *testing.T, h *Host, path string, mb int) *eater {
	t.Helper()
	eats := "exec tail /dev/zero"
	if mb > 0 {
		// tail holds what it read until its input ends, which the sleep that shares it does not let happen
		eats = fmt.Sprintf(`{ head -c %dm /dev/zero; sleep 300; } | tail -c %dm`, mb, mb)
	}
	e := start(t, exec.Command("sh", "-c", "read go; "+eats))
	require.NoError(t, h.AddProc(path, e.cmd.Process.Pid, "memory"))
	return e
}

// start starts a process of which nothing is left at the end of the test.
func start(t *testing.T, cmd *exec.Cmd) *eater {
	t.Helper()
	tell, err := cmd.StdinPipe()
	require.NoError(t, err)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
	return &eater{cmd, tell}
}

func (e *eater) begin(t *testing.T) {
	t.Helper()
	_, err := e.tell.Write([]byte("go\n"))
	require.NoError(t, err)
}

// reports collects what a watch tells.
type reports struct {
	mu   sync.Mutex
	list []OOM
}

func (r *reports) add(o OOM) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, o)
}

func (r *reports) wait(t *testing.T, n int) []OOM {
	t.Helper()
	var out []OOM
	require.Eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		out = append([]OOM(nil), r.list...)
		return len(out) >= n
	}, 20*time.Second, time.Millisecond)
	return out
}

func watch(t *testing.T, h *Host, path string) (*OOMWatch, *reports) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	got := &reports{}
	w, err := h.WatchOOM(path, got.add, func(err error) { t.Error(err) })
	require.NoError(t, err)
	t.Cleanup(func() {
		w.Close()
		w.Close()
		goleak.VerifyNone(t, before, goleak.IgnoreAnyFunction("os/exec.(*Cmd).Start.func2"))
	})
	return w, got
}

func TestOOMOfTheOwnLimit(t *testing.T) {
	h, path := realGroup(t, 5*time.Second)
	limitMemory(t, h, path, 256<<20)
	w, got := watch(t, h, path)
	require.NoError(t, h.Create(path+"/web", "memory"))
	require.NoError(t, h.Create(path+"/db", "memory"))
	limitMemory(t, h, path+"/web", 24<<20)
	eat(t, h, path+"/db", 0)
	web := eat(t, h, path+"/web", 0)
	_, known := w.Of("web")
	require.False(t, known)
	web.begin(t)
	require.Error(t, web.cmd.Wait())
	o := got.wait(t, 1)[0]
	require.Equal(t, LevelOwn, o.Level)
	require.Equal(t, "web", o.Name)
	require.Equal(t, path+"/web", o.Cgroup)
	require.EqualValues(t, 1, o.Kills)
	require.EqualValues(t, 24<<20, o.Limit)
	require.InDelta(t, 24<<20, o.Usage, 1<<20)
	require.Equal(t, o.Usage, o.Peak)
	_, known = w.Of("db")
	require.False(t, known)

	// A new run under the same name begins with nothing, and what is known outlives the cgroup.
	require.NoError(t, h.Remove(t.Context(), path+"/web"))
	again, known := w.Of("web")
	require.True(t, known)
	require.Equal(t, o, again)
	require.NoError(t, h.Create(path+"/web", "memory"))
	_, known = w.Of("web")
	require.False(t, known)
}

func TestOOMOfThePod(t *testing.T) {
	h, path := realGroup(t, 5*time.Second)
	limitMemory(t, h, path, 64<<20)
	w, got := watch(t, h, path)
	for name, mb := range map[string]int{"a": 20, "b": 40} { // together more than the limit, alone less
		require.NoError(t, h.Create(path+"/"+name, "memory"))
		limitMemory(t, h, path+"/"+name, 60<<20)
		eat(t, h, path+"/"+name, mb).begin(t)
	}
	require.NoError(t, h.Create(path+"/c", "memory"))
	eat(t, h, path+"/c", 40).begin(t)
	o := got.wait(t, 1)[0]
	require.Equal(t, LevelParent, o.Level, "%+v", o)
	require.Equal(t, path, o.Cgroup)
	require.EqualValues(t, 64<<20, o.Limit)
	require.InDelta(t, 64<<20, o.Usage, 1<<20)
	require.Contains(t, []string{"a", "b", "c"}, o.Name)
	require.Less(t, o.Peak, uint64(60<<20))
	require.Len(t, o.Used, 3)
	again, known := w.Of(o.Name)
	require.True(t, known)
	require.Equal(t, path, again.Cgroup)
}

func TestOOMOfACgroupAbove(t *testing.T) {
	h, top := realGroup(t, 5*time.Second)
	limitMemory(t, h, top, 32<<20)
	path := top + "/task"
	require.NoError(t, h.Create(path, "memory"))
	limitMemory(t, h, path, 128<<20)
	require.NoError(t, h.Create(path+"/web", "memory")) // there before the watch
	_, got := watch(t, h, path)
	eat(t, h, path+"/web", 0).begin(t)
	o := got.wait(t, 1)[0]
	require.Equal(t, LevelAbove, o.Level)
	require.Equal(t, top, o.Cgroup)
	require.EqualValues(t, 32<<20, o.Limit)
}

// What was killed before anybody watched is told, and as that: an agent that starts again does not know how long ago it was.
func TestOOMBeforeTheWatch(t *testing.T) {
	h, path := realGroup(t, 5*time.Second)
	require.NoError(t, h.Create(path+"/web", "memory"))
	limitMemory(t, h, path+"/web", 16<<20)
	once := func() {
		e := eat(t, h, path+"/web", 0)
		e.begin(t)
		require.Error(t, e.cmd.Wait())
	}
	once()
	w, got := watch(t, h, path)
	o := got.wait(t, 1)[0]
	require.True(t, o.Before, "%+v", o)
	require.EqualValues(t, 1, o.Kills)
	once()
	o = got.wait(t, 2)[1]
	require.False(t, o.Before, "%+v", o)
	require.EqualValues(t, 2, o.Kills)
	require.Equal(t, LevelOwn, o.Level)
	last, known := w.Of("web")
	require.True(t, known)
	require.Equal(t, o, last)
}

// One after the other, in one pod: each is told apart.
func TestOOMsOfBothLimits(t *testing.T) {
	h, path := realGroup(t, 5*time.Second)
	limitMemory(t, h, path, 64<<20)
	_, got := watch(t, h, path)
	for i := range 3 {
		for j, level := range []Level{LevelOwn, LevelParent} {
			name := fmt.Sprintf("%s-%d", level, i)
			require.NoError(t, h.Create(path+"/"+name, "memory"))
			if level == LevelOwn {
				limitMemory(t, h, path+"/"+name, 16<<20)
			}
			e := eat(t, h, path+"/"+name, 0)
			e.begin(t)
			require.Error(t, e.cmd.Wait())
			got.wait(t, 2*i+j+1) // the engine takes longer than that, too
			require.NoError(t, h.Remove(t.Context(), path+"/"+name))
		}
	}
	list := got.wait(t, 6)
	require.Len(t, list, 6)
	for i, o := range list {
		require.Equal(t, fmt.Sprintf("%s-%d", o.Level, i/2), o.Name, "%+v", o)
	}
}

// A child process that is killed below the main one, in a cgroup that the container made for itself.
func TestOOMBelowTheContainer(t *testing.T) {
	h, path := realGroup(t, 5*time.Second)
	limitMemory(t, h, path, 32<<20)
	_, got := watch(t, h, path)
	require.NoError(t, h.Create(path+"/web/inner", "memory"))
	eat(t, h, path+"/web/inner", 0).begin(t)
	o := got.wait(t, 1)[0]
	require.Equal(t, "web", o.Name)
	require.Equal(t, LevelParent, o.Level)
}

// seenTooLate is a watch of a pod with these limits, own being web's (0 for none), that could not look from when web ran out of
// memory until the children that remove names were gone.
func seenTooLate(t *testing.T, pod, own uint64, remove ...string) (*OOMWatch, *reports) {
	t.Helper()
	h, path := realGroup(t, 5*time.Second)
	limitMemory(t, h, path, pod)
	w, got := watch(t, h, path)
	require.NoError(t, h.Create(path+"/web", "memory"))
	require.NoError(t, h.Create(path+"/db", "memory"))
	if own > 0 {
		limitMemory(t, h, path+"/web", own)
	}
	e := eat(t, h, path+"/web", 0)
	_, known := w.Of("web")
	require.False(t, known)
	require.Zero(t, w.OwnHits("web"), "it is there")
	w.mu.Lock()
	e.begin(t)
	err := e.cmd.Wait()
	var removed error
	for _, name := range remove {
		removed = errors.Join(removed, h.Remove(t.Context(), path+"/"+name))
	}
	w.mu.Unlock()
	require.Error(t, err)
	require.NoError(t, removed)
	return w, got
}

// A host so busy that the container is gone before anybody looks: the pod's limit is told all the same.
func TestOOMOfThePodSeenTooLate(t *testing.T) {
	_, got := seenTooLate(t, 32<<20, 0, "web")
	o := got.wait(t, 1)[0]
	require.Equal(t, "web", o.Name)
	require.Equal(t, LevelParent, o.Level)
	require.Zero(t, o.Kills)
	require.EqualValues(t, 32<<20, o.Limit)
	require.InDelta(t, 32<<20, o.Usage, 1<<20)
}

// The same with a limit of the container's own, which on v1 the eventfd tells that outlives the cgroup.
func TestOOMOfTheOwnLimitSeenTooLate(t *testing.T) {
	w, _ := seenTooLate(t, 256<<20, 24<<20, "web", "db")
	require.Eventually(t, func() bool {
		_, known := w.Of("web") // as on v2
		return known || w.OwnHits("web", "docker-web.scope") > 0
	}, 5*time.Second, time.Millisecond)
	require.Zero(t, w.OwnHits("db"), "its end is no hit")
}
