package pod

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// view is the pod as last seen, by container name. It turns observations into events: what is new, and nothing twice.
type view map[string]engine.ContainerState

func (v view) update(o engine.Observation) []Event {
	var events []Event
	here := map[string]bool{}
	for _, c := range o.Containers {
		here[c.Name] = true
		old, known := v[c.Name]
		v[c.Name] = c
		events = append(events, changes(old, known, c)...)
	}
	if !o.Full {
		return events
	}
	for _, name := range slices.Sorted(maps.Keys(v)) { // what was there once and is not there now
		if !here[name] {
			events = append(events, gone(v[name])...)
			delete(v, name)
		}
	}
	return events
}

func changes(old engine.ContainerState, known bool, c engine.ContainerState) []Event {
	var events []Event
	moved := !known || old.Status != c.Status
	switch {
	case c.Status == engine.StatusRemoving:
		return gone(c)
	case moved && (c.Status == engine.StatusExited || c.Status == engine.StatusDead):
		if c.Role == labels.RoleInfra {
			return []Event{InfraExited{c.ExitCode}}
		}
		return []Event{Exited{Name: c.Name, ExitCode: c.ExitCode, OOM: c.OOM || old.OOM}}
	case c.Role == labels.RoleInfra:
		return nil
	case moved && c.Status == engine.StatusRunning:
		events = append(events, Ran{c.Name})
	}
	if c.Health != old.Health && c.Health != engine.HealthUnknown {
		events = append(events, HealthChanged{c.Name, c.Health})
	}
	return events
}

func gone(c engine.ContainerState) []Event {
	if c.Role == labels.RoleInfra {
		return []Event{InfraExited{}}
	}
	return []Event{Exited{Name: c.Name, Gone: true}}
}

// eventName is an event's type, for the log.
func eventName(e Event) string { return strings.TrimPrefix(fmt.Sprintf("%T", e), "pod.") }
