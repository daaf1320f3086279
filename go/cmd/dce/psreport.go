package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/inventory"
)

// psTable writes a line for each pod, and below it one for each of its services.
func psTable(out io.Writer, pods []inventory.Pod, now time.Time) error {
	if len(pods) == 0 {
		_, err := fmt.Fprintln(out, "no pods are on this host")
		return err
	}
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	row := func(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) } // Flush has the error
	row("TASK / SERVICE", "STATE", "AGE", "CPU TIME", "THROTTLED", "MEMORY", "CACHE", "PIDS", "BLOCK IO", "NETWORK", "POD / CONTAINER")
	for _, p := range pods {
		running := 0
		oldest := now
		for _, s := range p.Services {
			if s.Status == engine.StatusRunning {
				running++
			}
			if s.Created.Before(oldest) {
				oldest = s.Created
			}
		}
		cells := append([]string{p.Identity.Task, fmt.Sprintf("%d/%d running", running, len(p.Services)), age(now.Sub(oldest))}, used(p.Usage)...)
		row(append(cells, passed(p.Network), p.ID)...)
		for _, s := range p.Services {
			cells := append([]string{"  " + s.Name, state(s), age(now.Sub(s.Created))}, used(s.Usage)...)
			row(append(cells, "", s.Container[:min(12, len(s.Container))])...)
		}
	}
	return t.Flush()
}

// state is that of a container, with its health or its exit code.
func state(s inventory.Service) string {
	switch {
	case s.Status == engine.StatusExited || s.Status == engine.StatusDead:
		return fmt.Sprintf("%s (%d)", s.Status, s.ExitCode)
	case s.Health != "":
		return fmt.Sprintf("%s (%s)", s.Status, s.Health)
	}
	return string(s.Status)
}

func age(d time.Duration) string { return strings.ToLower(units.HumanDuration(max(d, 0))) }

// used has the six cells of what something uses; "-" is not known.
func used(u *cgroup.Usage) []string {
	cells := []string{"-", "-", "-", "-", "-", "-"}
	if u == nil {
		return cells
	}
	if c := u.CPU; c != nil {
		cells[0], cells[1] = c.Time.Round(10*time.Millisecond).String(), c.ThrottledTime.Round(10*time.Millisecond).String()
	}
	if m := u.Memory; m != nil {
		cells[2], cells[3] = limited(bytesOf(m.WithoutCache()), bytesOf(m.Limit), m.Limit), bytesOf(m.Cache)
	}
	if p := u.Pids; p != nil {
		cells[4] = limited(fmt.Sprint(p.Now), fmt.Sprint(p.Limit), p.Limit)
	}
	if io := u.IO; io != nil {
		cells[5] = bytesOf(io.ReadBytes) + " / " + bytesOf(io.WriteBytes)
	}
	return cells
}

// passed is what a pod received and sent; "-" is not known.
func passed(n *cgroup.NetworkUsage) string {
	if n == nil {
		return "-"
	}
	return bytesOf(n.ReceivedBytes) + " / " + bytesOf(n.SentBytes)
}

func bytesOf(n uint64) string { return units.BytesSize(float64(n)) }

func limited(now, most string, limit uint64) string {
	if limit == cgroup.NoLimit {
		return now
	}
	return now + " of " + most
}

// The JSON of dce ps. What is not known is left out; there is no limit where none is given.
type (
	podDocument struct {
		Task      string            `json:"task"`
		Pod       string            `json:"pod"`
		Framework string            `json:"framework"`
		Executor  string            `json:"executor"`
		Container string            `json:"container"` // Mesos container id
		Agent     string            `json:"agent"`
		WorkDir   string            `json:"work_dir"`
		Cgroup    string            `json:"cgroup,omitempty"`
		Usage     *usageDocument    `json:"usage,omitempty"`
		Services  []serviceDocument `json:"services"`
	}
	serviceDocument struct {
		Service   string         `json:"service"`
		Role      string         `json:"role"`
		Container string         `json:"container"` // the engine's id
		Image     string         `json:"image"`
		Status    string         `json:"status"`
		Health    string         `json:"health,omitempty"`
		ExitCode  *int           `json:"exit_code,omitempty"`
		Created   time.Time      `json:"created"`
		Usage     *usageDocument `json:"usage,omitempty"`
	}
	usageDocument struct {
		CPUSeconds       *float64 `json:"cpu_seconds,omitempty"`
		CPULimit         float64  `json:"cpu_limit,omitempty"` // CPUs
		ThrottledSeconds *float64 `json:"throttled_seconds,omitempty"`
		MemoryBytes      *uint64  `json:"memory_bytes,omitempty"` // with the cache
		CacheBytes       *uint64  `json:"cache_bytes,omitempty"`
		AnonBytes        *uint64  `json:"anon_bytes,omitempty"`
		MemoryLimit      *uint64  `json:"memory_limit_bytes,omitempty"`
		Pids             *uint64  `json:"pids,omitempty"`
		PidsLimit        *uint64  `json:"pids_limit,omitempty"`
		ReadBytes        *uint64  `json:"block_read_bytes,omitempty"`
		WriteBytes       *uint64  `json:"block_write_bytes,omitempty"`
		ReceivedBytes    *uint64  `json:"network_received_bytes,omitempty"`
		SentBytes        *uint64  `json:"network_sent_bytes,omitempty"`
	}
)

func psDocument(pods []inventory.Pod) []podDocument {
	out := make([]podDocument, 0, len(pods)) // an empty list, and not null
	for _, p := range pods {
		id := p.Identity
		doc := podDocument{Task: id.Task, Pod: p.ID, Framework: id.Framework, Executor: id.Executor, Container: id.Container,
			Agent: id.Agent, WorkDir: id.Scope, Cgroup: p.Cgroup, Usage: usageOf(p.Usage)}
		if doc.Usage != nil && p.Network != nil {
			doc.Usage.ReceivedBytes, doc.Usage.SentBytes = &p.Network.ReceivedBytes, &p.Network.SentBytes
		}
		for _, s := range p.Services {
			one := serviceDocument{Service: s.Name, Role: s.Role, Container: s.Container, Image: s.Image, Status: string(s.Status),
				Health: string(s.Health), Created: s.Created.UTC(), Usage: usageOf(s.Usage)}
			if s.Status == engine.StatusExited || s.Status == engine.StatusDead {
				one.ExitCode = &s.ExitCode
			}
			doc.Services = append(doc.Services, one)
		}
		out = append(out, doc)
	}
	return out
}

func usageOf(u *cgroup.Usage) *usageDocument {
	if u == nil {
		return nil
	}
	limit := func(n uint64) *uint64 {
		if n == cgroup.NoLimit {
			return nil
		}
		return &n
	}
	var out usageDocument
	if c := u.CPU; c != nil {
		used, throttled := c.Time.Seconds(), c.ThrottledTime.Seconds()
		out.CPUSeconds, out.ThrottledSeconds, out.CPULimit = &used, &throttled, c.Limit
	}
	if m := u.Memory; m != nil {
		out.MemoryBytes, out.CacheBytes, out.AnonBytes, out.MemoryLimit = &m.Usage, &m.Cache, &m.Anon, limit(m.Limit)
	}
	if p := u.Pids; p != nil {
		out.Pids, out.PidsLimit = &p.Now, limit(p.Limit)
	}
	if io := u.IO; io != nil {
		out.ReadBytes, out.WriteBytes = &io.ReadBytes, &io.WriteBytes
	}
	return &out
}
