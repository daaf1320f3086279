package launch

import (
	"fmt"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/pod"
)

// timeline is timeline.json: when each part of a pod's bring-up was done, in ms since its LAUNCH.
type timeline struct {
	Pod      string    `json:"pod"`
	Launched time.Time `json:"launched"`
	Phases   []passed  `json:"phases"`   // when each began
	Services []steps   `json:"services"` // a row a container, infra first
}

type passed struct {
	Phase pod.Phase `json:"phase"`
	At    int64     `json:"ms"`
}

// steps are the steps of one container. Those that were not needed, and those that have not come yet, are missing.
type steps struct {
	Service   string `json:"service"`
	Container string `json:"container"`
	Pull      *int64 `json:"pull,omitempty"`
	Create    *int64 `json:"create,omitempty"`
	Start     *int64 `json:"start,omitempty"`
	Healthy   *int64 `json:"healthy,omitempty"`
	Completed *int64 `json:"completed,omitempty"` // for init containers

	image string
}

func (t *timeline) since(at time.Time) int64 { return max(0, at.Sub(t.Launched).Milliseconds()) }

func (t *timeline) phase(p pod.Phase, at time.Time) {
	t.Phases = append(t.Phases, passed{p, t.since(at)})
}

func (t *timeline) prepared(spec engine.PodSpec) {
	add := func(c *engine.ContainerSpec) {
		t.Services = append(t.Services, steps{Service: c.Service, Container: c.Name, image: c.Image})
	}
	if spec.Infra != nil {
		add(spec.Infra)
	}
	for i := range spec.Services {
		add(&spec.Services[i])
	}
}

func (t *timeline) finished(f engine.Finished) {
	at := t.since(f.Ended)
	for i := range t.Services {
		s := &t.Services[i]
		switch {
		case f.Kind == engine.OpPull || f.Kind == engine.OpLoad:
			if s.image == f.Image {
				s.Pull = &at
			}
		case s.Container != f.Container:
		case f.Kind == engine.OpCreate:
			s.Create = &at
		case f.Kind == engine.OpStart:
			s.Start = &at
		case f.Kind == engine.OpWait && f.Condition == engine.Healthy:
			s.Healthy = &at
		case f.Kind == engine.OpWait && f.Condition == engine.Completed:
			s.Completed = &at
		}
	}
}

func (t timeline) clone() timeline {
	t.Phases, t.Services = slices.Clone(t.Phases), slices.Clone(t.Services)
	return t
}

// log writes a table, a row a line.
func (t timeline) log(log logrus.FieldLogger) {
	for _, row := range t.table() {
		log.Info(row)
	}
}

func (t timeline) table() []string {
	width := len("service")
	for _, s := range t.Services {
		width = max(width, len(s.Service))
	}
	rows := []string{fmt.Sprintf("timeline, ms since launch: %-*s %8s %8s %8s %8s", width, "service", "pull", "create", "start", "ready")}
	for _, s := range t.Services {
		ready := s.Healthy
		if ready == nil {
			ready = s.Completed
		}
		rows = append(rows, fmt.Sprintf("timeline, ms since launch: %-*s %8s %8s %8s %8s", width, s.Service,
			ms(s.Pull), ms(s.Create), ms(s.Start), ms(ready)))
	}
	for _, p := range t.Phases {
		rows = append(rows, fmt.Sprintf("timeline, ms since launch: phase %s at %d", p.Phase, p.At))
	}
	return rows
}

func ms(at *int64) string {
	if at == nil {
		return "-"
	}
	return fmt.Sprint(*at)
}
