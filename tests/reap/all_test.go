package reap

import (
	"context"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/dce-go/dce/go/labels"
)

// beyondCI says whether the long tests are asked for; if they are not it says how to.
func beyondCI(t *testing.T) bool {
	t.Helper()
	if os.Getenv("DCE_TEST_ALL") == "1" {
		return true
	}
	fmt.Fprintf(os.Stderr, "%s is left to `make test-all`, which sets DCE_TEST_ALL=1.\n", t.Name())
	return false
}

// leak makes pods as dead executors leave them: n of so many containers each, every third of which runs in the cgroup of its
// run.
func (h *host) leak(framework string, n, each int) []string {
	h.Helper()
	var group errgroup.Group
	group.SetLimit(8)
	ids := make([]string, n*each)
	for i := range n {
		run := fmt.Sprintf("leaked-%s-%d", framework, i)
		id := labels.Identity{Scope: h.workDir, Agent: "a", Framework: framework, Executor: fmt.Sprint("executor-", i), Container: run, Task: "t"}
		require.NoError(h, h.cgroups.Create("/"+h.root+"/"+run, "memory"))
		for j := range each {
			group.Go(func() error {
				service := fmt.Sprint("s", j)
				made, err := world.docker.ContainerCreate(context.Background(),
					&container.Config{Image: "dce-test/busybox", Cmd: []string{"sleep", "10000"}, Labels: labels.ForService(maps.Clone(id.Labels("1")), service, labels.RoleService, "1")},
					&container.HostConfig{Resources: container.Resources{CgroupParent: "/" + h.root + "/" + run}, NetworkMode: "none"}, nil, nil, id.PodID()+"-"+service+"-1")
				if err == nil && (i*each+j)%3 == 0 {
					err = world.docker.ContainerStart(context.Background(), made.ID, container.StartOptions{})
				}
				ids[i*each+j] = made.ID
				return err
			})
		}
	}
	require.NoError(h, group.Wait())
	return ids
}

// TestAll300LeakedPods at once, told by 300 hook calls.
func TestAll300LeakedPods(t *testing.T) {
	if !beyondCI(t) {
		return
	}
	h := newHost(t)
	h.leak("f", 300, 1)
	time.Sleep(time.Second)
	m := h.module("work_dir", h.workDir)
	m.ok("attach", map[string]any{"module": "hook"})
	begun := time.Now()
	for i := range 300 {
		m.do("hook.removed", map[string]any{"framework": "f", "executor": fmt.Sprint("executor-", i), "at_ns": time.Now().UnixNano()}, 0)
	}
	require.Less(t, time.Since(begun), time.Second)
	require.Eventually(t, func() bool { return len(h.difference()) == 0 }, 3*time.Minute, 100*time.Millisecond)
	t.Logf("300 pods are gone after %v", time.Since(begun).Round(10*time.Millisecond))
}
