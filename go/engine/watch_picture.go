package engine

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/dce-go/dce/go/labels"
)

// teardown is how long a list may still say that a container runs after its die event: dockerd sends the event before it
// takes the network down and notes the new state after it (moby, daemon/monitor.go, handleContainerExit).
const teardown = 10 * time.Second

// picture is what is known of a pod's containers, by id.
type picture map[string]seen

type seen struct {
	ContainerState
	died     time.Time // when its die event was received; zero while it runs, or where only a list tells
	starting bool      // Pod.Restart is about to start it: a list may not show that yet
	stale    bool      // such a list was read
	before   Status    // what it was before that
}

// list makes p what the engine listed at that time. What a list can't know is kept: an oom event, and an end that the
// engine has reported and not noted yet.
func (p picture) list(all []Container, now time.Time) {
	fresh := make(picture, len(all))
	for _, c := range all {
		s := seen{ContainerState: ContainerState{
			ID: c.ID, Name: c.Name, Service: c.Labels[labels.Service], Role: c.Labels[labels.Role],
			Status: c.Status, Health: c.Health, ExitCode: c.ExitCode, At: now,
		}}
		if old, known := p[c.ID]; known {
			s.OOM, s.died, s.Runs = old.OOM, old.died, old.Runs
			s.starting, s.stale, s.before = old.starting, old.stale, old.before
			switch {
			case s.Status == StatusRunning && !old.died.IsZero() && now.Sub(old.died) < teardown:
				s = old
			case old.starting && s.Status != StatusRunning:
				s = old
				s.stale = true
			}
		}
		fresh[c.ID] = s
	}
	clear(p)
	maps.Copy(p, fresh)
}

// change is what an event did to a picture.
type change int

const (
	nothing change = iota
	changed        // one container is different
	removed        // one container is gone
)

// apply is the effect of an event. Actions that say nothing about what a container is now have none.
func (p picture) apply(e Event, now time.Time) change {
	s, known := p[e.ID]
	if !known {
		s.ContainerState = ContainerState{
			ID: e.ID, Name: e.Name, Service: e.Labels[labels.Service], Role: e.Labels[labels.Role], Status: StatusCreated,
		}
	}
	before := s.ContainerState
	switch e.Action {
	case "create":
		if known {
			return nothing
		}
	case "start":
		s.Status, s.Health, s.ExitCode, s.OOM, s.died = StatusRunning, HealthUnknown, 0, false, time.Time{}
		if before.Status == StatusRunning { // listed already, with a health that the event does not tell
			s.Health, s.OOM = before.Health, before.OOM
		}
	case "unpause":
		s.Status = StatusRunning
	case "pause":
		s.Status = StatusPaused
	case "die":
		s.Status, s.Health, s.ExitCode, s.died = StatusExited, HealthUnknown, e.ExitCode, now
	case "oom":
		s.OOM = true
	case "health_status":
		if s.Status != StatusRunning {
			return nothing
		}
		s.Health = e.Health
	case "destroy":
		delete(p, e.ID)
		if known {
			return removed
		}
		return nothing
	default:
		return nothing
	}
	if known && s.ContainerState == before {
		p[e.ID] = s
		return nothing
	}
	s.At = e.Time
	p[e.ID] = s
	return changed
}

// states is the whole picture, sorted by name.
func (p picture) states() []ContainerState {
	out := make([]ContainerState, 0, len(p))
	for _, s := range p {
		out = append(out, s.ContainerState)
	}
	sortStates(out)
	return out
}

func sortStates(s []ContainerState) {
	slices.SortFunc(s, func(a, b ContainerState) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
}
