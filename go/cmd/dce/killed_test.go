package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/labels"
)

// killed starts dce as a process of its own, and kills it once its task runs.
func (s *stage) killed(then func(executor int), args ...string) {
	s.Helper()
	dce := exec.Command(s.program("dce"), append([]string{"run", "--work-dir", s.work}, args...)...) // which finds the executor beside itself
	dce.Stdout, dce.Stderr = &s.out, &s.err
	before := s.tasksRun()
	require.NoError(s, dce.Start())
	require.Eventually(s, func() bool { return s.tasksRun() > before }, soon, 10*time.Millisecond)
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", dce.Process.Pid))
	require.NoError(s, err)
	if len(bytes.TrimSpace(children)) == 0 { // another thread has started it
		found, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", dce.Process.Pid))
		require.NoError(s, err)
		for _, file := range found {
			more, err := os.ReadFile(file)
			require.NoError(s, err)
			children = append(children, more...)
		}
	}
	executor, err := strconv.Atoi(strings.TrimSpace(string(children)))
	require.NoError(s, err)
	require.NoError(s, dce.Process.Kill())
	then(executor)
	require.Error(s, dce.Wait())
}

// tasksRun is how many tasks were said to run.
func (s *stage) tasksRun() int {
	return len(regexp.MustCompile(`(?m)^\S.*: running \(`).FindAllString(s.err.String(), -1))
}

// TestTheExecutorEndsThePodWhenDceIsKilled: nobody is there to clean up then but the executor, which has lost its agent. What
// it can't remove is its own cgroup and its sandbox; that the next run does, and leaves alone what is alive or to be kept.
func TestTheExecutorEndsThePodWhenDceIsKilled(t *testing.T) {
	s := newStage(t, service("while true; do echo tick; sleep 0.1; done", "stop_signal: SIGKILL"))
	s.killed(func(int) {})
	require.Eventually(t, func() bool {
		list, err := s.engine.List(t.Context(), labels.Scope+"="+s.work)
		require.NoError(t, err)
		return len(list) == 0
	}, soon, 50*time.Millisecond)
	require.Len(t, s.containers(), 1)
	require.Eventually(t, func() bool { // the executor has ended when its cgroup is empty
		require.Zero(t, execute([]string{"run", "--work-dir", s.work, "--executor", s.program("example-executor")}, &s.out, &s.err))
		return len(s.containers()) == 0
	}, soon, 50*time.Millisecond)
	require.NotContains(t, s.err.String(), "removed what a killed dce run had left")
}

func TestTheNextRunCleansUpBehindOneThatWasKilledWithItsExecutor(t *testing.T) {
	s := newStage(t, service("sleep 1000", "volumes: [\"vol:/v\"]")+"volumes: {vol: {}}\n")
	kill := func(executor int) { require.NoError(t, syscall.Kill(executor, syscall.SIGKILL)) }
	s.killed(kill)
	sandboxes := s.containers()
	require.Len(t, sandboxes, 1)
	live := s.start("running", nil)
	s.says("removed what a killed dce run had left: 2 containers, 1 volume\n")
	require.Eventually(t, func() bool { return s.tasksRun() == 2 }, soon, 10*time.Millisecond)
	require.NotContains(t, s.containers(), sandboxes[0])

	s.killed(kill, "--keep")
	require.Zero(t, execute([]string{"run", "--work-dir", s.work, "--executor", s.program("example-executor")}, &s.out, &s.err))
	require.Equal(t, 2, strings.Count(s.err.String(), "removed what a killed dce run had left: 2 containers, 1 volume\n"))
	require.Len(t, s.containers(), 2, "the one that is to be kept, and the one that lives")
	live.signals <- os.Interrupt
	live.signals <- os.Interrupt
	require.NoError(t, s.ends(live))
	require.Len(t, s.containers(), 1)
}

// TestNobodyReads: as in `dce run | head -n 1`.
func TestNobodyReads(t *testing.T) {
	s := newStage(t, service("while true; do echo tick; sleep 0.1; done", "stop_signal: SIGKILL"))
	dce := exec.Command(s.program("dce"), "run", "--work-dir", s.work)
	dce.Stderr = &s.err
	out, err := dce.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, dce.Start())
	_, err = out.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, out.Close())
	require.NoError(t, dce.Wait())
	require.Contains(t, s.err.String(), "nobody reads the output any more, the task is killed\n")
	require.Contains(t, s.err.String(), ": killed (")
	require.Empty(t, s.containers())
}

func TestACleanUpThatTakesLongCanBeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, err bytes.Buffer
		s := &session{screen: &screen{out: &out, err: &err}}
		signals := make(chan os.Signal, 8)
		signals <- os.Interrupt
		ctx, stop := s.interruptible(t.Context(), signals)
		time.Sleep(cleanUpIsLong)
		synctest.Wait()
		require.NoError(t, ctx.Err(), "that one was for the task")
		require.Equal(t, "what is left can't be removed yet; press Ctrl-C to leave it to the next dce run\n", err.String())
		signals <- os.Interrupt
		synctest.Wait()
		require.Error(t, ctx.Err())
		stop()

		_, stop = s.interruptible(t.Context(), signals)
		stop() // in time, and nothing is said
	})
}
