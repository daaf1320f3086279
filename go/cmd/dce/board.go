package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/oom"
)

// board is what is known of the task and its services. It is pure: whoever has it shows it.
type board struct {
	start    time.Time
	task     string
	state    string
	stateAt  time.Time
	message  string
	services map[string]row // by container name
}

type row struct {
	service string
	state   string
	at      time.Time
}

func newBoard(task string, now time.Time) *board {
	return &board{start: now, task: task, state: "starting", stateAt: now, services: map[string]row{}}
}

// update takes a status of the task and returns a line about it.
func (b *board) update(status mesos.TaskStatus, at time.Time) string {
	state := strings.ToLower(strings.TrimPrefix(status.GetState().String(), "TASK_"))
	b.message = told(status)
	if status.Healthy != nil && !*status.Healthy {
		state += ", unhealthy"
	}
	b.state, b.stateAt = state, at
	line := fmt.Sprintf("%s: %s (%s)", b.task, state, b.since(at))
	if b.message != "" && (status.GetState() != mesos.TASK_RUNNING || labelOf(status, labels.Unbound) != "") {
		line += " " + b.message
	}
	return line
}

// told is the first line of the message of a status, and which service the kernel killed where an agent, which does not know
// that, has the last word.
func told(status mesos.TaskStatus) string {
	message, kill := firstLine(status.GetMessage()), labelOf(status, oom.LabelMessage)
	if kill == "" {
		return message
	}
	return strings.TrimSuffix(strings.TrimSpace(message), ".") + ". " + firstLine(kill)
}

func labelOf(status mesos.TaskStatus, key string) string {
	for _, label := range status.GetLabels().GetLabels() {
		if label.GetKey() == key {
			return label.GetValue()
		}
	}
	return ""
}

// event takes an event of a container and returns a line about it, empty when nothing changed.
func (b *board) event(e engine.Event) string {
	if e.Labels[labels.Role] != labels.RoleService {
		return ""
	}
	state := ""
	switch e.Action {
	case "create":
		state = "created"
	case "start":
		state = "running"
	case "health_status":
		state = string(e.Health)
	case "pause":
		state = "paused"
	case "unpause":
		state = "running"
	case "oom":
		state = "out of memory"
	case "die":
		state = fmt.Sprintf("exited (%d)", e.ExitCode)
	case "destroy":
		state = "removed"
	}
	return b.set(e.Name, e.Labels[labels.Service], state, e.Time)
}

// seen takes a container of a list: what the events before the list have told.
func (b *board) seen(c engine.Container, at time.Time) string {
	if c.Labels[labels.Role] != labels.RoleService {
		return ""
	}
	state := string(c.Status)
	switch {
	case c.Status == engine.StatusRunning && (c.Health == engine.HealthHealthy || c.Health == engine.HealthUnhealthy):
		state = string(c.Health)
	case c.Status == engine.StatusExited || c.Status == engine.StatusDead:
		state = fmt.Sprintf("exited (%d)", c.ExitCode)
	}
	return b.set(c.Name, c.Labels[labels.Service], state, at)
}

func (b *board) set(name, service, state string, at time.Time) string {
	old := b.services[name]
	if state == "" || state == old.state || old.state == "out of memory" && state == "running" {
		return ""
	}
	b.services[name] = row{service, state, at}
	return fmt.Sprintf("  %s: %s (%s)", service, state, b.since(at))
}

// lines is the whole board: the task, then a line for each container, by service.
func (b *board) lines(now time.Time) []string {
	width := 0
	var names []string
	for name, r := range b.services {
		names = append(names, name)
		width = max(width, len(r.service))
	}
	slices.SortFunc(names, func(x, y string) int {
		return strings.Compare(b.services[x].service+"\x00"+x, b.services[y].service+"\x00"+y)
	})
	out := []string{fmt.Sprintf("%s  %s  %s", b.task, b.state, b.since(now))}
	for _, name := range names {
		r := b.services[name]
		out = append(out, fmt.Sprintf("  %-*s  %-14s %s", width, r.service, r.state, b.since(r.at)))
	}
	return out
}

// since is the time from the start of the run, in tenths of a second.
func (b *board) since(t time.Time) string {
	d := max(t.Sub(b.start), 0)
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// reach says where the published ports of a pod are, one line each, sorted by host port.
func reach(containers []engine.Container) []string {
	var ports []engine.Port
	for _, c := range containers {
		for _, p := range c.Ports {
			if p.Host == 0 {
				continue
			}
			same := func(o engine.Port) bool {
				return o.Host == p.Host && o.Container == p.Container && o.Protocol == p.Protocol
			}
			if !slices.ContainsFunc(ports, same) { // one entry for IPv4, one for IPv6
				ports = append(ports, p)
			}
		}
	}
	slices.SortFunc(ports, func(x, y engine.Port) int { return int(x.Host) - int(y.Host) })
	var out []string
	for _, p := range ports {
		host := p.HostIP
		if host == "" || host == "0.0.0.0" || host == "::" {
			host = "localhost"
		}
		if p.Protocol == "tcp" {
			out = append(out, fmt.Sprintf("http://%s:%d  (port %d of the pod)", bracket(host), p.Host, p.Container))
			continue
		}
		out = append(out, fmt.Sprintf("%s:%d/%s  (port %d of the pod)", bracket(host), p.Host, p.Protocol, p.Container))
	}
	return out
}

func bracket(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
