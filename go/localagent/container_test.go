package localagent

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	mesostime "github.com/mesos/mesos-go/api/v1/lib/time"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// syncBuffer is a writer that may be read meanwhile.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestAnExecutorStartsInItsSandboxCgroupAndEnvironment(t *testing.T) {
	t.Setenv("SECRET_OF_THE_AGENT", "x")
	var out, errs syncBuffer
	a := newAgent(t, func(o *Options) {
		checkpointing(o)
		o.Stdout, o.Stderr = &out, &errs
		o.Environment = map[string]string{"FLAG": "flag", "BOTH": "flag"}
		o.Prepare = func(sandbox string) error {
			return os.WriteFile(filepath.Join(sandbox, "fetched"), []byte("file"), 0o644)
		}
	})
	info := asTask("t", `cat /proc/self/cgroup >cgroup; env >env; readlink /proc/self/fd/0 >stdin; cat /proc/$$/stat >stat
cat fetched; echo problem >&2; pwd >pwd`)
	value := "command"
	info.Executor.Command.Environment = &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "BOTH", Value: &value}}}
	c, err := a.Launch(info)
	require.NoError(t, err)
	gone(t, c)

	require.Equal(t, filepath.Join(a.WorkDir(), "slaves", a.ID(), "frameworks", a.FrameworkID(), "executors",
		"executor of t", "runs", c.ID), c.Sandbox)
	latest, err := os.Readlink(filepath.Join(filepath.Dir(c.Sandbox), "latest"))
	require.NoError(t, err)
	require.Equal(t, c.Sandbox, latest)
	require.Equal(t, "file", read(t, c, "stdout"))
	require.Equal(t, "problem\n", read(t, c, "stderr"))
	require.Equal(t, "file", out.String())
	require.Equal(t, "problem\n", errs.String())
	require.Equal(t, c.Sandbox+"\n", read(t, c, "pwd"))
	require.Equal(t, "/dev/null\n", read(t, c, "stdin"))
	stat := strings.Fields(read(t, c, "stat"))
	require.Equal(t, stat[0], stat[5], "the executor leads a session of its own")
	groups := read(t, c, "cgroup")
	for _, name := range controllers {
		require.Contains(t, groups, ":"+name+":"+c.Cgroup+"\n")
	}
	require.NotContains(t, read(t, c, "env"), "SECRET_OF_THE_AGENT")
	env := map[string]string{}
	for line := range strings.Lines(read(t, c, "env")) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[k] = v
	}
	delete(env, "_")
	delete(env, "SHLVL")
	delete(env, "PWD")
	require.Equal(t, map[string]string{
		"FLAG": "flag", "BOTH": "command", "PATH": defaultPath,
		"LIBPROCESS_IP": "127.0.0.1", "LIBPROCESS_PORT": "0",
		"MESOS_FRAMEWORK_ID": a.FrameworkID(), "MESOS_EXECUTOR_ID": "executor of t",
		"MESOS_DIRECTORY": c.Sandbox, "MESOS_SANDBOX": c.Sandbox,
		"MESOS_SLAVE_ID": a.ID(), "MESOS_SLAVE_PID": "slave(1)@" + a.Endpoint(), "MESOS_AGENT_ENDPOINT": a.Endpoint(),
		"MESOS_CHECKPOINT": "1", "MESOS_HTTP_COMMAND_EXECUTOR": "0", "MESOS_RECOVERY_TIMEOUT": "15mins",
		"MESOS_SUBSCRIPTION_BACKOFF_MAX": "300ms", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs",
	}, env)
}

func TestTheLimitsAreThoseOfTaskAndExecutor(t *testing.T) {
	a := newAgent(t, nil)
	c, err := a.Launch(asTask("t", "exec sleep 1000"))
	require.NoError(t, err)
	for file, want := range map[string]uint64{
		"memory/memory.limit_in_bytes": 64 << 20, "memory/memory.soft_limit_in_bytes": 64 << 20, "memory/memory.use_hierarchy": 1,
		"cpu/cpu.shares": 512, "cpu/cpu.cfs_quota_us": 50_000, "cpu/cpu.cfs_period_us": 100_000,
	} {
		name, key, _ := strings.Cut(file, "/")
		got, err := a.options.Cgroups.ReadUint(name, c.Cgroup, key)
		require.NoError(t, err)
		require.Equal(t, want, got, file)
	}
}

func TestTheEndOfAnExecutorEndsItsTaskAndAllThatItLeft(t *testing.T) {
	a := newAgent(t, nil)
	c, err := a.Launch(asTask("t", `setsid sleep 1000 & echo $! >pid; exit 3`))
	require.NoError(t, err)
	u := await(t, a, "t", mesos.TASK_FAILED)
	require.Equal(t, mesos.REASON_EXECUTOR_TERMINATED, u.Status.GetReason())
	require.Equal(t, mesos.SOURCE_AGENT, u.Status.GetSource())
	require.Equal(t, "Executor terminated", u.Status.GetMessage())
	gone(t, c)
	require.Equal(t, "exit status 3", c.ExitStatus())
	stat, err := os.ReadFile("/proc/" + strings.TrimSpace(read(t, c, "pid")) + "/stat")
	require.True(t, os.IsNotExist(err) || strings.Contains(string(stat), ") Z "), "what was left behind is at most a zombie: %s", stat)
	_, err = a.find("executor of t")
	require.EqualError(t, err, `the local agent runs no executor "executor of t"`)
}

func TestAFrozenProcessIsKilledToo(t *testing.T) {
	a := newAgent(t, nil)
	c, err := a.Launch(asTask("t", "exec sleep 1000"))
	require.NoError(t, err)
	child := c.Cgroup + "/paused"
	require.NoError(t, a.options.Cgroups.Create(child, "freezer"))
	require.NoError(t, a.options.Cgroups.AddProc(child, c.Pid(), "freezer"))
	require.NoError(t, a.options.Cgroups.Write("freezer", child, "freezer.state", "FROZEN"))
	require.NoError(t, a.Destroy("executor of t"))
	gone(t, c)
	require.Equal(t, "signal: killed", c.ExitStatus())
}

func TestAnExecutorThatCannotStartFailsItsTask(t *testing.T) {
	a := newAgent(t, nil)
	info := asTask("t", "no-such-program")
	no := false
	info.Executor.Command.Shell = &no
	c, err := a.Launch(info)
	require.NoError(t, err)
	u := await(t, a, "t", mesos.TASK_FAILED)
	require.Equal(t, mesos.REASON_CONTAINER_LAUNCH_FAILED, u.Status.GetReason())
	require.Contains(t, u.Status.GetMessage(), `"no-such-program" is neither in the sandbox`)
	gone(t, c)
}

func TestAProgramWithArgumentsNeedsNoShell(t *testing.T) {
	a := newAgent(t, func(o *Options) {
		o.Prepare = func(sandbox string) error {
			return os.WriteFile(filepath.Join(sandbox, "mine"), []byte("#!/bin/sh\necho \"$0|$1\"\n"), 0o755)
		}
	})
	no := false
	info := asTask("t", "./mine")
	info.Executor.Command.Shell, info.Executor.Command.Arguments = &no, []string{"mine", "$(touch x); a b"}
	c, err := a.Launch(info)
	require.NoError(t, err)
	gone(t, c)
	require.Equal(t, c.Sandbox+"/mine|$(touch x); a b\n", read(t, c, "stdout"))
}

func TestRunningOutOfMemoryDestroysTheExecutor(t *testing.T) {
	a := newAgent(t, nil)
	c, err := a.Launch(asTask("t", `head -c 200000000 /dev/zero | tail; sleep 1000`))
	require.NoError(t, err)
	u := await(t, a, "t", mesos.TASK_FAILED)
	require.Equal(t, mesos.REASON_CONTAINER_LIMITATION_MEMORY, u.Status.GetReason())
	require.Contains(t, u.Status.GetMessage(), "Memory limit exceeded: Requested: 64MB")
	gone(t, c)
}

func TestAnExecutorThatDoesNotRegisterIsKilled(t *testing.T) {
	a := newAgent(t, func(o *Options) { o.RegistrationTimeout = 50 * time.Millisecond })
	c, err := a.Launch(asTask("t", "exec sleep 1000"))
	require.NoError(t, err)
	u := await(t, a, "t", mesos.TASK_FAILED)
	require.Equal(t, mesos.REASON_EXECUTOR_REGISTRATION_TIMEOUT, u.Status.GetReason())
	require.Equal(t, "Executor did not register within 50ms", u.Status.GetMessage())
	gone(t, c)
}

func TestManyExecutorsAtOnceLeaveNothing(t *testing.T) {
	a := newAgent(t, nil)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			c, err := a.Launch(asTask(strconv.Itoa(i), "sleep 0.0"+strconv.Itoa(i)))
			if err == nil {
				<-c.Gone()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	left, err := a.options.Cgroups.List(a.cgroupPath(""))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestIDsThatAreNoDirectoryNamesAreRefused(t *testing.T) {
	a := newAgent(t, nil)
	for _, id := range []string{"", ".", "..", "a/b", `a\b`, "a\nb", strings.Repeat("x", 256)} {
		_, err := a.Launch(asTask(id, "true"))
		require.Error(t, err, "%q", id)
	}
	c, err := a.Launch(asTask(`$(touch x) "quoted" ünïcode`, "true"))
	require.NoError(t, err)
	gone(t, c)
}

func TestDurationsAreWrittenAsMesosReadsThem(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"5secs": 5 * time.Second, "15mins": 15 * time.Minute, "250ms": 250 * time.Millisecond, "90secs": 90 * time.Second,
		"1500ms": 1500 * time.Millisecond, "0ns": 0, "1hrs": time.Hour, "2weeks": 14 * 24 * time.Hour, "10days": 240 * time.Hour,
	} {
		require.Equal(t, want, formatDuration(d))
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(30*24*time.Hour)).Draw(t, "d"))
		back, err := mesostime.ParseDuration(formatDuration(d))
		require.NoError(t, err)
		require.InDelta(t, float64(d), float64(back), float64(d)*1e-12+1)
	})
}
