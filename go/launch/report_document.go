package launch

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/pod"
	"github.com/dce-go/dce/go/qos"
)

// document is pod.json, and in its compact form the data of an update.
type document struct {
	Pod      string      `json:"pod"`
	Task     string      `json:"task,omitempty"`
	Kind     pod.Kind    `json:"kind"`
	Because  string      `json:"kind_because,omitempty"`
	Phase    pod.Phase   `json:"phase"`
	Healthy  *bool       `json:"healthy,omitempty"`
	QoS      qos.Class   `json:"qos,omitempty"`
	Unbound  string      `json:"unbound,omitempty"` // which limits of the task do not bind the pod, and why
	Services []member    `json:"services,omitempty"`
	More     int         `json:"more_services,omitempty"` // that are left out
	Status   *lastStatus `json:"status,omitempty"`        // the last that Mesos was told
	Updated  time.Time   `json:"updated,omitzero"`
}

// member is a container of the pod.
type member struct {
	Service   string        `json:"service"`
	Container string        `json:"container,omitempty"`
	State     string        `json:"state"`
	Health    engine.Health `json:"health,omitempty"`
	ExitCode  *int          `json:"exit_code,omitempty"` // of its last run
	Restarts  int           `json:"restarts,omitempty"`
	Essential bool          `json:"essential,omitempty"`
	Init      bool          `json:"init,omitempty"`
	Image     string        `json:"image,omitempty"`
	Digest    string        `json:"digest,omitempty"`   // repository@sha256:…, for images that have one
	ImageID   string        `json:"image_id,omitempty"` // sha256:…, for others
}

type lastStatus struct {
	State   pod.TaskState `json:"state"`
	Reason  pod.Reason    `json:"reason,omitempty"`
	Message string        `json:"message"`
	Service string        `json:"service,omitempty"`
	At      time.Time     `json:"at"`
}

// Bounds of what is sent. Master and agent keep the labels of each task in memory; data they pass on.
const (
	maxLabelled = 16   // services with labels
	maxLabel    = 255  // bytes of a label's value
	maxData     = 8192 // bytes of data
)

// describe fills in what the pod is now.
func (d *document) describe(s pod.State, spec engine.PodSpec, images map[string]engine.Image) {
	d.Phase, d.Healthy, d.Services = s.Phase, s.Healthy, nil
	for i := range spec.Services {
		c := &spec.Services[i]
		in := s.Members[c.Name]
		m := member{
			Service: c.Service, Container: c.Name, State: in.Is(), Restarts: in.Restarts, Essential: c.Essential, Init: c.Init, Image: c.Image,
		}
		if in.Exited {
			m.ExitCode = new(in.ExitCode)
		} else {
			m.Health = in.Health
		}
		if image, known := images[c.Image]; known {
			m.Digest, m.ImageID = digest(c.Image, image), image.ID
			if m.Digest != "" {
				m.ImageID = ""
			}
		}
		d.Services = append(d.Services, m)
	}
}

// digest is the one of an image's digests that is of the repository that it was asked for under, else the first.
func digest(ref string, image engine.Image) string {
	repository, _, _ := strings.Cut(ref, "@")
	if at := strings.LastIndexByte(repository, ':'); at > strings.LastIndexByte(repository, '/') {
		repository = repository[:at]
	}
	for _, d := range image.Digests {
		if strings.HasPrefix(d, repository+"@") {
			return d
		}
	}
	if len(image.Digests) > 0 {
		return image.Digests[0]
	}
	return ""
}

// data is the compact form; services that do not fit are counted.
func (d document) data() []byte {
	d.Task, d.Because, d.Status = "", "", nil // the update has them
	services := slices.Clone(d.Services)
	for i := range services {
		services[i].Container = "" // the pod's id and the service say it
	}
	for {
		d.Services, d.More = services, len(d.Services)-len(services)+d.More
		out, err := json.Marshal(d)
		if err != nil { // nothing of d can fail to be encoded
			return nil
		}
		if len(out) <= maxData || len(services) == 0 {
			return out
		}
		services = services[:len(services)/2]
	}
}

// labels are, for each service, what it does and what image it is of.
func (d document) labels() map[string]string {
	out := map[string]string{labels.Pod: d.Pod, statusKind: string(d.Kind)}
	if d.Unbound != "" {
		out[labels.Unbound] = cut(d.Unbound)
	}
	states := map[string]map[string]int{}
	for _, m := range d.Services {
		if states[m.Service] == nil {
			if len(states) == maxLabelled {
				continue
			}
			states[m.Service] = map[string]int{}
		}
		states[m.Service][m.short()]++
		if image := cmp.Or(m.Digest, m.ImageID); image != "" {
			out[labels.Service+"."+m.Service+".image"] = cut(image)
		}
	}
	for service, counts := range states {
		var parts []string
		for _, state := range slices.Sorted(maps.Keys(counts)) {
			if len(counts) > 1 || counts[state] > 1 {
				state = fmt.Sprintf("%d %s", counts[state], state)
			}
			parts = append(parts, state)
		}
		out[labels.Service+"."+service+".state"] = cut(strings.Join(parts, ", "))
	}
	all := map[string]bool{}
	for _, m := range d.Services {
		all[m.Service] = true
	}
	if more := len(all) - len(states); more > 0 {
		out[statusMore] = strconv.Itoa(more)
	}
	return out
}

// Labels of updates; those of services are io.dce.service.<service>.state and .image.
const (
	statusKind = "io.dce.kind"
	statusMore = "io.dce.services.more" // how many services have no labels
)

// short is a state with what matters of it: "running healthy", "exited 3".
func (m member) short() string {
	switch {
	case m.ExitCode != nil && m.State == "exited":
		return fmt.Sprintf("exited %d", *m.ExitCode)
	case m.Health != engine.HealthUnknown:
		return m.State + " " + string(m.Health)
	}
	return m.State
}

func cut(s string) string { return s[:min(len(s), maxLabel)] }
