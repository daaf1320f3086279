package enginetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

type fakeContainer struct {
	engine.Container
	service   string
	checked   bool // has a healthcheck
	published []engine.Port
	files     []engine.File
	output    []engine.LogEntry
	details   engine.Details
	ended     chan struct{} // of this run, closed at its end
	timers    []*time.Timer // of this run
	deaf      bool
	lingers   time.Duration
}

// find takes an id or a name.
func (s *state) find(id string) *fakeContainer {
	if c := s.containers[id]; c != nil {
		return c
	}
	for _, c := range s.containers {
		if c.Name == id {
			return c
		}
	}
	return nil
}

func (s *state) nameOf(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.containers[id]; c != nil {
		return c.Name
	}
	return s.networks[id].Name
}

func noSuch(what, id string) error {
	return fmt.Errorf("%s %s: %w", what, id, errdefs.ErrNotFound)
}

func (s *state) List(_ context.Context, want ...string) ([]engine.Container, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []engine.Container{}
	for _, c := range s.containers {
		if bears(c.Labels, want) {
			entry := c.Container
			entry.Labels = maps.Clone(c.Labels)
			list = append(list, entry)
		}
	}
	slices.SortFunc(list, func(a, b engine.Container) int { return cmp.Compare(b.ID, a.ID) }) // newest first
	return list, nil
}

func bears(have map[string]string, want []string) bool {
	for _, l := range want {
		key, value, exact := strings.Cut(l, "=")
		if got, ok := have[key]; !ok || exact && got != value {
			return false
		}
	}
	return true
}

func (s *state) Create(_ context.Context, spec *engine.ContainerSpec) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.find(spec.Name); c != nil {
		pod := spec.Config.Labels[labels.Pod]
		if pod != "" && c.Labels[labels.Pod] == pod && c.Labels[labels.Service] == spec.Config.Labels[labels.Service] {
			return c.ID, nil
		}
		return "", fmt.Errorf("the container name %s is in use: %w", spec.Name, errdefs.ErrConflict)
	}
	image, ok := s.images[spec.Config.Image]
	if !ok {
		return "", noSuch("image", spec.Config.Image)
	}
	c := &fakeContainer{service: spec.Service, checked: checked(spec.Config.Healthcheck, image)}
	c.Container = engine.Container{
		ID: s.newID(), Name: spec.Name, Image: spec.Config.Image, ImageID: image.ID, Labels: maps.Clone(spec.Config.Labels),
		Created: time.Now(), Status: engine.StatusCreated,
	}
	c.details = engine.Details{Created: c.Created, Restart: "no"}
	if spec.Host != nil {
		c.details.CgroupParent = spec.Host.CgroupParent
		c.details.Restart = cmp.Or(string(spec.Host.RestartPolicy.Name), "no")
		for port, bindings := range spec.Host.PortBindings {
			for _, b := range bindings {
				host, _ := strconv.ParseUint(b.HostPort, 10, 16)
				c.published = append(c.published, engine.Port{
					HostIP: cmp.Or(b.HostIP, "0.0.0.0"), Host: uint16(host), Container: uint16(port.Int()), Protocol: port.Proto(),
				})
			}
		}
	}
	s.containers[c.ID] = c
	s.emit(c, engine.Event{Action: "create"})
	return c.ID, nil
}

func checked(h *container.HealthConfig, image engine.Image) bool {
	if h == nil || len(h.Test) == 0 {
		return image.Health
	}
	return h.Test[0] != "NONE"
}

func (s *state) Copy(_ context.Context, id string, files []engine.File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(id)
	if c == nil {
		return noSuch("container", id)
	}
	c.files = append(c.files, files...)
	return nil
}

func (s *state) Start(_ context.Context, id string) error {
	s.mu.Lock()
	c := s.find(id)
	if c == nil || c.Status == engine.StatusRunning {
		s.mu.Unlock()
		if c == nil {
			return noSuch("container", id)
		}
		return nil
	}
	script := s.scripts[c.service]
	c.Status, c.ExitCode, c.Ports = engine.StatusRunning, 0, c.published
	c.ended, c.deaf, c.lingers = make(chan struct{}), script.Deaf, script.Lingers
	if c.checked {
		c.Health = engine.HealthStarting
	}
	for _, entry := range script.Output {
		entry.Time = time.Now()
		c.output = append(c.output, entry)
	}
	s.emit(c, engine.Event{Action: "start"})
	if c.checked {
		for _, h := range script.Health {
			s.later(c, h.After, func() { s.setHealth(c, h.To) })
		}
	}
	if script.Exits {
		s.later(c, script.After, func() { s.die(c, script.Code) })
	}
	s.mu.Unlock()
	if script.OnStart != nil {
		script.OnStart(c.Name)
	}
	return nil
}

// later does something to this run of a container.
func (s *state) later(c *fakeContainer, after time.Duration, do func()) {
	run := c.ended
	c.timers = append(c.timers, time.AfterFunc(after, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if c.ended == run && c.Status == engine.StatusRunning {
			do()
		}
	}))
}

func (s *state) setHealth(c *fakeContainer, to engine.Health) {
	c.Health = to
	s.emit(c, engine.Event{Action: "health_status", Health: to})
}

func (s *state) die(c *fakeContainer, code int) {
	for _, t := range c.timers {
		t.Stop()
	}
	c.Status, c.Health, c.ExitCode, c.Ports, c.timers = engine.StatusExited, engine.HealthUnknown, code, nil, nil
	close(c.ended)
	s.emit(c, engine.Event{Action: "die", ExitCode: code})
}

func (s *state) Signal(_ context.Context, id, signal string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(id)
	if c == nil {
		return noSuch("container", id)
	}
	number, err := strconv.Atoi(signal)
	if err != nil {
		number = int(unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(signal), "SIG")))
	}
	if number <= 0 {
		return fmt.Errorf("signal %q: %w", signal, errdefs.ErrInvalidArgument)
	}
	if c.Status != engine.StatusRunning {
		return fmt.Errorf("container %s does not run: %w", c.Name, errdefs.ErrConflict)
	}
	s.emit(c, engine.Event{Action: "kill"})
	switch {
	case number == int(unix.SIGKILL):
		s.die(c, 128+number)
	case c.deaf:
	case c.lingers > 0:
		s.later(c, c.lingers, func() { s.die(c, 128+number) })
	default:
		s.die(c, 128+number)
	}
	return nil
}

func (s *state) Inspect(_ context.Context, id string) (engine.Details, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(id)
	if c == nil {
		return engine.Details{}, noSuch("container", id)
	}
	return c.details, nil
}

func (s *state) RemindHealthcheck(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c := s.find(id); {
	case c == nil:
		return noSuch("container", id)
	case c.Status != engine.StatusRunning:
		return errdefs.ErrConflict.WithMessage(fmt.Sprintf("container %s is not running", id))
	default:
		s.emit(c, engine.Event{Action: "pause"})
		s.emit(c, engine.Event{Action: "unpause"})
		return nil
	}
}

func (s *state) DisableRestart(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(id)
	if c == nil {
		return noSuch("container", id)
	}
	c.details.Restart = "no"
	return nil
}

// Stop waits like an engine: until the container has ended, or for the grace.
func (s *state) Stop(ctx context.Context, id string, grace time.Duration) error {
	s.mu.Lock()
	c := s.find(id)
	if c == nil {
		s.mu.Unlock()
		return noSuch("container", id)
	}
	ended, runs := c.ended, c.Status == engine.StatusRunning
	s.mu.Unlock()
	if !runs {
		return nil
	}
	if err := s.Signal(ctx, id, "SIGTERM"); err != nil && !errdefs.IsConflict(err) {
		return err
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(grace):
	}
	if err := s.Signal(ctx, id, "SIGKILL"); err != nil && !errdefs.IsConflict(err) {
		return err
	}
	return nil
}

func (s *state) Logs(ctx context.Context, id string, since time.Time, sink func(engine.LogEntry) error) error {
	s.mu.Lock()
	c := s.find(id)
	if c == nil {
		s.mu.Unlock()
		return noSuch("container", id)
	}
	output, ended, runs := slices.Clone(c.output), c.ended, c.Status == engine.StatusRunning
	s.mu.Unlock()
	for _, entry := range output {
		if entry.Time.Before(since) {
			continue
		}
		if err := sink(entry); err != nil {
			return err
		}
	}
	if !runs {
		return nil
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *state) removeContainer(id string) {
	c := s.find(id)
	if c == nil {
		return
	}
	if c.Status == engine.StatusRunning {
		s.emit(c, engine.Event{Action: "kill"})
		s.die(c, 137)
	}
	delete(s.containers, c.ID)
	s.emit(c, engine.Event{Action: "destroy"})
}
