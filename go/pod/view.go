package pod

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// view is the pod as last seen, by container name. It turns observations into events: what is new, and nothing twice.
type view map[string]sighting

type sighting struct {
	engine.ContainerState
	since time.Time // when this run began; zero where it was never seen
}

func (v view) update(o engine.Observation) []Event {
	var events []Event
	here := map[string]bool{}
	for _, c := range o.Containers {
		here[c.Name] = true
		old, known := v[c.Name]
		now, what := changes(old, known, c)
		v[c.Name] = now
		events = append(events, what...)
	}
	if !o.Full {
		return events
	}
	for _, name := range slices.Sorted(maps.Keys(v)) { // what was there once and is not there now
		if !here[name] {
			events = append(events, gone(v[name].ContainerState)...)
			delete(v, name)
		}
	}
	return events
}

// changes compares what is seen now with what was seen last. A container that is being started again is what it was: what
// counts is what becomes of its new run, of which the end alone may be seen.
func changes(old sighting, known bool, c engine.ContainerState) (sighting, []Event) {
	if c.Status == engine.StatusRestarting && known {
		return old, nil
	}
	anew := !known || old.Runs != c.Runs
	if anew {
		old.since, old.Health, old.OOM = time.Time{}, engine.HealthUnknown, false
	}
	now := sighting{c, old.since}
	over := c.Status == engine.StatusExited || c.Status == engine.StatusDead
	moved := anew || old.Status != c.Status
	if c.Status == engine.StatusRunning && moved && old.Status != engine.StatusPaused {
		now.since = c.At
	}
	if c.Role == labels.RoleInfra {
		switch {
		case c.Status == engine.StatusRemoving:
			return now, gone(c)
		case over && moved:
			return now, []Event{InfraExited{c.ExitCode}}
		}
		return now, nil
	}
	var events []Event
	if c.OOM && !old.OOM {
		events = append(events, RanOut{c.Name})
	}
	switch {
	case c.Status == engine.StatusRemoving:
		return now, append(events, gone(c)...)
	case over && moved:
		lasted := time.Duration(0)
		if !now.since.IsZero() {
			lasted = max(0, c.At.Sub(now.since))
		}
		if known && anew { // its begin was not seen
			events = append([]Event{Ran{c.Name}}, events...)
		}
		return now, append(events, Exited{Name: c.Name, ExitCode: c.ExitCode, Ran: lasted})
	case moved && c.Status == engine.StatusRunning:
		events = append(events, Ran{c.Name})
	}
	if c.Health != old.Health && c.Health != engine.HealthUnknown {
		events = append(events, HealthChanged{c.Name, c.Health})
	}
	return now, events
}

func gone(c engine.ContainerState) []Event {
	if c.Role == labels.RoleInfra {
		return []Event{InfraExited{}}
	}
	return []Event{Exited{Name: c.Name, Gone: true}}
}

// eventName is an event's type, for the log.
func eventName(e Event) string { return strings.TrimPrefix(fmt.Sprintf("%T", e), "pod.") }
