package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/inventory"
	"github.com/dce-go/dce/go/labels"
)

func TestPsTable(t *testing.T) {
	now := time.Now()
	var out strings.Builder
	require.NoError(t, psTable(&out, nil, now))
	require.Equal(t, "no pods are on this host\n", out.String())

	out.Reset()
	require.NoError(t, psTable(&out, []inventory.Pod{{
		ID: "dce-shop-0123456789", Identity: labels.Identity{Task: "shop"},
		Usage: &cgroup.Usage{CPU: &cgroup.CPUUsage{Time: 1234 * time.Millisecond, ThrottledTime: 50 * time.Millisecond}, Memory: &cgroup.MemoryUsage{Usage: 30 << 20, Cache: 10 << 20, Limit: 64 << 20},
			Pids: &cgroup.PidsUsage{Now: 7, Limit: cgroup.NoLimit}, IO: &cgroup.IOUsage{ReadBytes: 1 << 20, WriteBytes: 512}},
		Network: &cgroup.NetworkUsage{ReceivedBytes: 2048, SentBytes: 1},
		Services: []inventory.Service{
			{Name: "web", Container: strings.Repeat("0123456789", 6), Status: engine.StatusRunning, Health: engine.HealthHealthy, Created: now.Add(-3 * time.Minute)},
			{Name: "job", Container: "short", Status: engine.StatusExited, ExitCode: 3, Created: now.Add(-2 * time.Minute)},
		},
	}}, now))
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{
		"TASK / SERVICE STATE AGE CPU TIME THROTTLED MEMORY CACHE PIDS BLOCK IO NETWORK POD / CONTAINER",
		"shop 1/2 running 3 minutes 1.23s 50ms 20MiB of 64MiB 10MiB 7 1MiB / 512B 2KiB / 1B dce-shop-0123456789",
		"web running (healthy) 3 minutes - - - - - - 012345678901",
		"job exited (3) 2 minutes - - - - - - short",
	} {
		require.Equal(t, want, strings.Join(strings.Fields(lines[i]), " "))
	}
}

func TestPsOfARunningPod(t *testing.T) {
	s := newStage(t, service("sleep 1000", "stop_signal: SIGKILL"))
	r := s.start("running", nil)
	code := execute([]string{"ps", "-o", "json"}, &s.out, &s.err)
	require.Zero(t, code, s.err.String())
	var pods []podDocument
	text := s.out.String()
	require.NoError(t, json.Unmarshal([]byte(text[strings.Index(text, "[\n"):]), &pods))
	var own *podDocument
	for i := range pods { // the engine may have others
		if pods[i].WorkDir == s.work {
			own = &pods[i]
		}
	}
	require.NotNil(t, own, text)
	require.Equal(t, []string{"infra", "a"}, []string{own.Services[0].Service, own.Services[1].Service})
	require.NotEmpty(t, own.Cgroup)
	require.EqualValues(t, 64<<20, *own.Usage.MemoryLimit, "the task's")
	for _, service := range own.Services {
		require.Equal(t, "running", service.Status)
		require.Positive(t, *service.Usage.MemoryBytes)
		require.Positive(t, *service.Usage.CPUSeconds)
	}
	require.GreaterOrEqual(t, *own.Usage.MemoryBytes, *own.Services[1].Usage.MemoryBytes)
	require.NotNil(t, own.Usage.ReceivedBytes, "infra's interfaces")
	r.signals <- os.Interrupt
	r.signals <- os.Interrupt
	require.NoError(t, s.ends(r))
}

func TestPsOfBadInput(t *testing.T) {
	var out, err strings.Builder
	require.Equal(t, exitBadInput, execute([]string{"ps", "-o", "yaml"}, &out, &err))
	require.Equal(t, "dce: -o yaml is no format; there are text and json\n", err.String())
}
