// Package enginetest is a Docker engine in memory, for the faults that a real one can't be made to show: it implements
// engine.Gateway, does what scripts say, and fails, hangs or forgets on demand. Its clock is package time's, so that tests in
// a testing/synctest bubble own it. It never runs anything, and what it does as a real engine would is held to that by
// engine's contract_test.go.
package enginetest

import (
	"fmt"
	"sync"
	"time"

	"github.com/dce-go/dce/go/engine"
)

// Fake is an engine in memory. Its methods may be called from any goroutine.
type Fake struct {
	engine.Gateway // through the faults and the record of calls
	faults         faults
	state          *state
}

// New returns an empty engine.
func New() *Fake {
	f := &Fake{state: &state{
		containers: map[string]*fakeContainer{}, networks: map[string]engine.Object{}, volumes: map[string]engine.Object{},
		images: map[string]engine.Image{}, registry: map[string]engine.Image{}, scripts: map[string]Script{},
		streams: map[*stream]struct{}{},
	}}
	f.Gateway = engine.Intercept(f.state, f.intercept)
	return f
}

// Script is what the containers of a service do after each start, in place of a process.
type Script struct {
	Exits   bool          // ends by itself, After its start, with Code
	After   time.Duration // of the start
	Code    int
	Health  []HealthChange    // of containers that have a healthcheck, in order; before the first they are starting
	Deaf    bool              // no signal but SIGKILL ends it
	Lingers time.Duration     // between a signal and the end that it brings
	Output  []engine.LogEntry // written at the start; Time is set then
	Exec    Command           // what is run in its containers, for all commands alike; nil ends at once with 0
	OnStart func(name string) // called at each start, without locks held
}

// HealthChange is a change of health, After the start.
type HealthChange struct {
	After time.Duration
	To    engine.Health
}

// Script sets what the containers of service do from their next start on. Without one they run until they are signalled.
func (f *Fake) Script(service string, s Script) {
	f.state.mu.Lock()
	defer f.state.mu.Unlock()
	f.state.scripts[service] = s
}

// AddImage puts an image on the engine; Publish into the registry, whence Pull fetches it.
func (f *Fake) AddImage(ref string, image engine.Image) {
	f.state.mu.Lock()
	defer f.state.mu.Unlock()
	f.state.images[ref] = image
}

// Publish puts an image into the registry, whence Pull fetches it.
func (f *Fake) Publish(ref string, image engine.Image) {
	f.state.mu.Lock()
	defer f.state.mu.Unlock()
	f.state.registry[ref] = image
}

// Exit ends the running container of that name.
func (f *Fake) Exit(name string, code int) {
	f.running(name, func(c *fakeContainer) { f.state.die(c, code) })
}

// OOM has the kernel kill the running container of that name.
func (f *Fake) OOM(name string) {
	f.running(name, func(c *fakeContainer) {
		f.state.emit(c, engine.Event{Action: "oom"})
		f.state.die(c, 137)
	})
}

// Health changes the health of the running container of that name.
func (f *Fake) Health(name string, to engine.Health) {
	f.running(name, func(c *fakeContainer) { f.state.setHealth(c, to) })
}

// running panics where a test speaks of a container that does not run: the test is wrong.
func (f *Fake) running(name string, do func(*fakeContainer)) {
	f.state.mu.Lock()
	defer f.state.mu.Unlock()
	c := f.state.find(name)
	if c == nil || c.Status != engine.StatusRunning {
		panic(fmt.Sprintf("enginetest: no container %s runs", name))
	}
	do(c)
}

// DropEvents breaks all event streams with err; subscribing anew works.
func (f *Fake) DropEvents(err error) {
	f.state.mu.Lock()
	defer f.state.mu.Unlock()
	for s := range f.state.streams {
		f.state.closeStream(s, err)
	}
}

// Mute loses all events from now on, as an engine that hangs holds them back. Its streams stay open.
func (f *Fake) Mute() {
	f.state.mu.Lock()
	defer f.state.mu.Unlock()
	f.state.mute = true
}

// Files returns what was copied into the container of that name, by path.
func (f *Fake) Files(name string) map[string]engine.File {
	f.state.mu.Lock()
	defer f.state.mu.Unlock()
	files := map[string]engine.File{}
	if c := f.state.find(name); c != nil {
		for _, file := range c.files {
			files[file.Path] = file
		}
	}
	return files
}

// state is the engine itself. Its methods are those of engine.Gateway.
type state struct {
	mu         sync.Mutex
	last       int // id given
	containers map[string]*fakeContainer
	networks   map[string]engine.Object
	volumes    map[string]engine.Object
	images     map[string]engine.Image
	registry   map[string]engine.Image
	scripts    map[string]Script
	streams    map[*stream]struct{}
	mute       bool // events are lost
}

func (s *state) newID() string {
	s.last++
	return fmt.Sprintf("%064x", s.last)
}
