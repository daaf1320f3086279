package core

import (
	"sync"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/oom"
	"github.com/dce-go/dce/go/tree"
)

// podMetrics are what all pods of this agent that live use together. Those of one are in its statistics, by service in `dce ps`.
type podMetrics struct {
	Pods             int     `json:"pods"`
	CPUSeconds       float64 `json:"pods_cpu_seconds"` // of those that live now, so that it falls when one ends
	ThrottledSeconds float64 `json:"pods_throttled_seconds"`
	MemoryBytes      uint64  `json:"pods_memory_bytes"` // without the page cache
	CacheBytes       uint64  `json:"pods_cache_bytes"`
	Pids             uint64  `json:"pods_pids"`
	BlockBytes       uint64  `json:"pods_block_bytes"`   // read and written
	NetworkBytes     uint64  `json:"pods_network_bytes"` // received and sent
}

// freshUsage is how long what was read of the pods serves: a snapshot of an agent's metrics asks for each of them alone.
const freshUsage = time.Second

// readUsage is what was read last.
type readUsage struct {
	mu   sync.Mutex
	at   time.Time
	last podMetrics
}

// podsUse reads what the pods use. What can't be read, or ends meanwhile, uses nothing.
func (c *Core) podsUse() podMetrics {
	read := &c.metrics.used
	read.mu.Lock()
	defer read.mu.Unlock()
	if time.Since(read.at) < freshUsage {
		return read.last
	}
	var sum podMetrics
	for container, sandbox := range c.census.ours() {
		services, _ := oom.Containers(sandbox)
		if len(services) == 0 { // no pod (yet): only our executor notes containers
			continue
		}
		path, _, err := c.podGroup(container)
		if err != nil {
			continue
		}
		if u, err := c.host.Usage(path); err == nil {
			sum.add(u, c.network(path, services))
		}
	}
	read.last, read.at = sum, time.Now()
	return sum
}

// podGroup is the cgroup that the pods of a container are below: a tree of their own, or the task's.
func (c *Core) podGroup(container string) (path string, own bool, err error) {
	t, own, err := tree.Find(c.host, container)
	if own {
		return t.Path, true, nil
	}
	return c.roots[0] + "/" + container, false, err
}

func (m *podMetrics) add(u cgroup.Usage, n networkStatistics) {
	m.Pods++
	if u.CPU != nil {
		m.CPUSeconds += u.CPU.Time.Seconds()
		m.ThrottledSeconds += u.CPU.ThrottledTime.Seconds()
	}
	if u.Memory != nil {
		m.MemoryBytes += u.Memory.WithoutCache()
		m.CacheBytes += u.Memory.Cache
	}
	if u.Pids != nil {
		m.Pids += u.Pids.Now
	}
	if u.IO != nil {
		m.BlockBytes += u.IO.ReadBytes + u.IO.WriteBytes
	}
	m.NetworkBytes += n.ReceivedBytes + n.SentBytes
}

// ours are the sandboxes of the containers that live and may have a pod.
func (s *census) ours() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for id, k := range s.live {
		if !k.foreign && k.sandbox != "" {
			out[id] = k.sandbox
		}
	}
	return out
}

// networkStatistics are fields of mesos.ResourceStatistics, like statistics.
type networkStatistics struct {
	ReceivedBytes   uint64 `json:"net_rx_bytes,omitempty"`
	ReceivedPackets uint64 `json:"net_rx_packets,omitempty"`
	ReceiveErrors   uint64 `json:"net_rx_errors,omitempty"`
	ReceiveDropped  uint64 `json:"net_rx_dropped,omitempty"`
	SentBytes       uint64 `json:"net_tx_bytes,omitempty"`
	SentPackets     uint64 `json:"net_tx_packets,omitempty"`
	SendErrors      uint64 `json:"net_tx_errors,omitempty"`
	SendDropped     uint64 `json:"net_tx_dropped,omitempty"`
}

// network is what passed the interfaces of a pod's containers, those that several share once; nothing where they have none, or the
// host's. The services are what the sandbox says, to which containers write: only those are looked at whose cgroup is there.
func (c *Core) network(path string, services map[string]string) networkStatistics {
	var paths []string
	if len(services) > 0 {
		children, _ := c.host.Children(path)
		for _, name := range children {
			if _, known := services[cgroup.ContainerID(name)]; known {
				paths = append(paths, path+"/"+name)
			}
		}
	}
	n, _, _ := c.host.Interfaces(paths...)
	return networkStatistics{n.ReceivedBytes, n.ReceivedPackets, n.ReceiveErrors, n.ReceiveDropped, n.SentBytes, n.SentPackets, n.SendErrors, n.SendDropped}
}
