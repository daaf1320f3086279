package core

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/oom"
	"github.com/dce-go/dce/go/tree"
)

// driverPatience bounds the question to the engine for its cgroup driver at a launch. Without an answer the executor, which has
// to talk to the engine anyhow, makes the tree.
const driverPatience = 2 * time.Second

// driver is the engine's cgroup driver, "" where it does not say.
func (c *Core) driver(ctx context.Context) string {
	if known := c.known.Load(); known != nil {
		return *known
	}
	falls, err := c.gate.state()
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, driverPatience)
	defer cancel()
	if _, err := c.link.get(ctx); err != nil {
		return ""
	}
	info, err := c.link.made().Info(ctx)
	if err != nil || info.CgroupDriver == "" {
		return ""
	}
	c.gate.since(falls, func() { c.known.Store(&info.CgroupDriver) }) // else another engine's, maybe
	return info.CgroupDriver
}

// bindPod sees to the cgroup of a container that is about to run a pod, and returns the parent for the pod's containers: "" where
// the executor has to.
func (c *Core) bindPod(ctx context.Context, container string, l tree.Limits) (string, error) {
	path := c.roots[0] + "/" + container
	hi, err := c.host.Hierarchy("memory")
	var missing *cgroup.NotMountedError
	if errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if hi.Unified {
		return c.makeTree(ctx, container, l)
	}
	if _, err := c.host.Read("memory", path, useHierarchy); err != nil {
		c.log.WithError(err).WithField("container", container).Debug("dce: the agent limits no memory of this container")
		return c.makeTree(ctx, container, l)
	}
	if c.useHierarchy == hierarchyOff {
		return path, nil
	}
	if err := c.hierarchyOf(path); err != nil {
		if c.useHierarchy == hierarchyWarn {
			c.metrics.hierarchy.Store(false)
			c.log.WithError(err).WithField("container", container).Warn("dce: the task's memory limit may not bind its containers")
			return path, nil
		}
		return "", failure(Refused, "the pod would not be bound by its task's memory limit: %w", err)
	}
	return path, nil
}

// makeTree makes the pod's own cgroup, beside the agent's.
func (c *Core) makeTree(ctx context.Context, container string, l tree.Limits) (string, error) {
	driver := c.driver(ctx)
	if driver == "" {
		return "", nil
	}
	t, err := tree.New(c.host, driver, container)
	if err == nil {
		err = t.Make(ctx, l)
	}
	if err == nil {
		err = t.Claim(c.census.owner(container))
	}
	if err == nil && c.useHierarchy != hierarchyOff {
		err = c.host.EnforceHierarchy(t.Path) // nobody else's, so that it may be set in every mode
	}
	if err != nil {
		return "", failure(Failed, "the pod's own cgroup can't be made, which the executor will try too: %w", err)
	}
	return t.Parent, nil
}

// owner is whose the tree of a container that began is.
func (s *census) owner(container string) tree.Owner {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.live[container]
	return tree.Owner{Scope: s.scope, Framework: k.framework, Executor: k.executor, Container: container}
}

// limitsOf is what an agent's isolators make of a container's resources (Mesos: src/slave/containerizer/mesos/isolators/
// cgroups/subsystems/memory.cpp and cpu.cpp, update), and which of the limits it decides: processes, and CPUs without a limit,
// are the executor's business.
func limitsOf(requests, limits resources) (tree.Limits, []tree.Part) {
	var out tree.Limits
	parts := []tree.Part{tree.Memory, tree.MemoryLow}
	out.MemoryLow = positive(requests.MemBytes)
	out.Memory = out.MemoryLow
	if limits.MemBytes != nil {
		out.Memory = positive(limits.MemBytes)
	}
	if requests.CPUs != nil && *requests.CPUs > 0 {
		out.CPUs = *requests.CPUs
		parts = append(parts, tree.CPUs)
	}
	if limits.CPUs != nil {
		out.Quota = max(*limits.CPUs, 0)
		parts = append(parts, tree.Quota)
	}
	return out, parts
}

// positive is 0 for what is not given or without limit.
func positive(bytes *int64) uint64 {
	if bytes == nil || *bytes < 0 {
		return 0
	}
	return uint64(*bytes)
}

// follow gives the tree of a container, where it has one, other limits.
func (c *Core) follow(ctx context.Context, container string, requests, limits resources) error {
	t, there, err := tree.Find(c.host, container)
	if err == nil && there {
		l, parts := limitsOf(requests, limits)
		err = t.Set(ctx, l, parts...)
	}
	if err != nil {
		return failure(Failed, "the limits of the pod's own cgroup can't be changed: %w", err)
	}
	return nil
}

// statistics are fields of mesos.ResourceStatistics, by their names in the .proto.
type statistics struct {
	Processes     uint32  `json:"processes,omitempty"`
	Threads       uint32  `json:"threads,omitempty"`
	UserTime      float64 `json:"cpus_user_time_secs"`
	SystemTime    float64 `json:"cpus_system_time_secs"`
	CPUsLimit     float64 `json:"cpus_limit,omitempty"`
	Periods       uint32  `json:"cpus_nr_periods"`
	Throttled     uint32  `json:"cpus_nr_throttled"`
	ThrottledTime float64 `json:"cpus_throttled_time_secs"`
	MemTotal      uint64  `json:"mem_total_bytes"`
	MemLimit      uint64  `json:"mem_limit_bytes,omitempty"`
	MemRSS        uint64  `json:"mem_rss_bytes"`
	MemAnon       uint64  `json:"mem_anon_bytes"`
	MemCache      uint64  `json:"mem_cache_bytes"`
	MemFile       uint64  `json:"mem_file_bytes"`
	MemSwap       uint64  `json:"mem_swap_bytes"`

	Block *blockStatistics `json:"blkio_statistics,omitempty"`
	networkStatistics
}

// blockStatistics are fields of mesos.CgroupInfo.Blkio.Statistics. Without a device they are of all together.
type blockStatistics struct {
	Throttling [1]struct {
		Operations [2]blockValue `json:"io_serviced"`
		Bytes      [2]blockValue `json:"io_service_bytes"`
	} `json:"throttling"`
}

type blockValue struct {
	Op    string `json:"op"`
	Value uint64 `json:"value"`
}

// statisticsOf puts what a cgroup uses into Mesos' fields (Mesos: src/slave/containerizer/mesos/isolators/cgroups/subsystems/
// cpuacct.cpp, cpu.cpp, memory.cpp and blkio.cpp, usage).
func statisticsOf(u cgroup.Usage, processes int) statistics {
	s := statistics{Processes: count(uint64(processes))}
	if u.CPU != nil {
		s.UserTime, s.SystemTime = u.CPU.User.Seconds(), u.CPU.System.Seconds()
		s.CPUsLimit, s.Periods, s.Throttled = u.CPU.Limit, count(u.CPU.Periods), count(u.CPU.Throttled)
		s.ThrottledTime = u.CPU.ThrottledTime.Seconds()
	}
	if m := u.Memory; m != nil {
		s.MemTotal, s.MemSwap = m.Usage, m.Swap
		s.MemRSS, s.MemAnon, s.MemCache, s.MemFile = m.Anon, m.Anon, m.Cache, m.Cache
		if m.Limit != cgroup.NoLimit {
			s.MemLimit = m.Limit
		}
	}
	if u.Pids != nil {
		s.Threads = count(u.Pids.Now)
	}
	if u.IO != nil {
		s.Block = &blockStatistics{}
		s.Block.Throttling[0].Operations = [2]blockValue{{"READ", u.IO.Reads}, {"WRITE", u.IO.Writes}}
		s.Block.Throttling[0].Bytes = [2]blockValue{{"READ", u.IO.ReadBytes}, {"WRITE", u.IO.WriteBytes}}
	}
	return s
}

func count(n uint64) uint32 { return uint32(min(n, math.MaxUint32)) }

// measure is what the tree of a container uses. Where it has none the agent measures its own cgroup, and not what passed the pod's
// network, which is not the executor's.
func (c *Core) measure(container string) (any, error) {
	path, own, err := c.podGroup(container)
	if err != nil {
		return nothing{}, err
	}
	var services map[string]string
	if sandbox := c.census.of(container).sandbox; sandbox != "" {
		services, _ = oom.Containers(sandbox)
	}
	if !own {
		return c.network(path, services), nil
	}
	u, err := c.host.Usage(path)
	if err != nil {
		return nil, fmt.Errorf("what the pod uses can't be told: %w", err)
	}
	processes, err := c.host.Processes(path)
	if err != nil {
		return nil, fmt.Errorf("what the pod uses can't be told: %w", err)
	}
	out := statisticsOf(u, processes)
	out.networkStatistics = c.network(path, services)
	return out, nil
}
