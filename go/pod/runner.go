package pod

import (
	"context"
	"reflect"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/engine"
)

// Logs is what the runner needs of the pod's log collector.
type Logs interface {
	// Follow begins to collect the output of a service container; a container that is followed already is left alone.
	Follow(c engine.ContainerState)
	// Tail returns the last lines of a service's output.
	Tail(service string) []string
	// Drain waits until the output of every ended container is written, or ctx ends.
	Drain(ctx context.Context)
	// Close ends all collecting.
	Close()
}

// Config is all that a runner is given.
type Config struct {
	Rules         Rules
	ID            string // pod id
	Prepare       func(ctx context.Context) (Ready, error)
	Report        func(Status)  // called in order, from one goroutine; must not block
	LaunchTimeout time.Duration // from launch to up; 0 is none
	LostTimeout   time.Duration // how long the engine may be out of reach; 0 is for ever
	MaxCompletion time.Duration // from launch to the end; 0 is for ever
	// OutOfMemory looks for evidence that the kernel killed a service, which SIGKILL has ended, for want of memory since then: a
	// clause for the status, empty where there is none. It is asked once the pod is stopped. Nil: there never is any.
	OutOfMemory func(service string, since time.Time) string
	// Changed is told of the state after each event that changed it, before anything is done about it, from one goroutine; it must
	// not block. Nil for nobody.
	Changed func(State)
	Log     logrus.FieldLogger
}

// Ready is what preparation yields: what is to be brought up, and with what.
type Ready struct {
	Spec   engine.PodSpec
	Engine Engine
	Logs   Logs
	// Checks makes the checks of the task, of which Rules speak, until ctx ends, and posts what they come to. Nil for none.
	Checks func(ctx context.Context, post func(Event))
}

// Bounds for what follows the terminal update. What is left then is the reaper's.
const (
	catchUpTimeout = 200 * time.Millisecond // for what the watch has to tell when the pod is up
	recentKill     = time.Minute            // before the end of the pod: a kill that a service has outlived for longer is not why it ended
	tailTimeout    = 100 * time.Millisecond // for the last output of a service that failed
	tailLines      = 3                      // how much of it goes into the status
	drainTimeout   = 2 * time.Second
	removeTimeout  = 30 * time.Second
)

// Runner acts on what next decides. One goroutine owns the state; everything that takes time runs beside it and comes back
// as an event.
type Runner struct {
	cfg    Config
	events chan Event
	done   chan struct{}

	// Owned by loop.
	state    State
	ready    *Ready // set once something may have been created
	prepared chan Ready
	view     view
	watch    <-chan engine.Observation
	deadline *engine.Deadline
	lost     error
	lostAt   time.Time
	launch   *time.Timer
	lostTime *time.Timer
	complete *time.Timer
	cancelUp context.CancelFunc // ends preparation and bring-up
	upEnded  chan struct{}      // closed when bring-up has returned
	cancel   context.CancelFunc // ends watching
	checks   context.CancelFunc // ends the checks of the task
	restarts restarts
}

// Start launches a pod. It lives until it was stopped and removed, then Done is closed.
func Start(cfg Config) *Runner {
	r := &Runner{
		cfg: cfg, events: make(chan Event), done: make(chan struct{}), prepared: make(chan Ready, 1),
		state: New(cfg.Rules), view: view{}, launch: stoppedTimer(), lostTime: stoppedTimer(), complete: stoppedTimer(), upEnded: make(chan struct{}),
	}
	close(r.upEnded)
	go r.loop()
	r.post(Launch{})
	return r
}

// Kill asks for the end of the pod; grace nil leaves it to the pod. It never blocks for long and may be called at any time.
func (r *Runner) Kill(grace *time.Duration) { r.post(Kill{grace}) }

// Shutdown asks for the end of the pod within grace because the executor ends.
func (r *Runner) Shutdown(grace time.Duration) { r.post(Shutdown{grace}) }

// Done is closed when everything of the pod is stopped, reported and removed.
func (r *Runner) Done() <-chan struct{} { return r.done }

func (r *Runner) post(e Event) {
	select {
	case r.events <- e:
	case <-r.done:
	}
}

func (r *Runner) loop() {
	defer close(r.done)
	defer r.launch.Stop()
	defer r.lostTime.Stop()
	defer r.complete.Stop()
	for {
		select {
		case e := <-r.events:
			if _, ok := e.(Up); ok {
				r.catchUp()
			}
			if r.handle(e) {
				return
			}
		case o, ok := <-r.watch:
			if !ok {
				r.watch = nil
				continue
			}
			r.observe(o)
		case <-r.launch.C:
			r.handle(LaunchTimeout{r.cfg.LaunchTimeout})
		case <-r.complete.C:
			r.handle(CompletionTimeout{r.cfg.MaxCompletion})
		case <-r.lostTime.C:
			r.handle(EngineLost{time.Since(r.lostAt), r.lost})
		}
	}
}

// catchUp takes what the watch has to tell of the members before the pod is said to be up: both come from one stream, but
// through different hands.
func (r *Runner) catchUp() {
	late := time.NewTimer(catchUpTimeout)
	defer late.Stop()
	for !r.state.allSeen() {
		select {
		case o, ok := <-r.watch:
			if !ok {
				r.watch = nil
				return
			}
			r.observe(o)
		case <-late.C:
			return
		}
	}
}

// observe turns what was seen into events. The engine being out of reach is an event only once it lasts.
func (r *Runner) observe(o engine.Observation) {
	if o.Lost != nil {
		r.lost = o.Lost
		if r.lostAt.IsZero() {
			r.lostAt = time.Now()
			r.cfg.Log.WithError(o.Lost).Warn("The Docker engine is out of reach; the pod is judged again when it answers.")
			if r.cfg.LostTimeout > 0 {
				r.lostTime.Reset(r.cfg.LostTimeout)
			}
		}
		return
	}
	if !r.lostAt.IsZero() {
		r.cfg.Log.WithField("after", time.Since(r.lostAt).Round(time.Millisecond)).Info("The Docker engine answers again.")
		r.lostAt = time.Time{}
		r.lostTime.Stop()
	}
	for _, c := range o.Containers {
		r.follow(c)
	}
	for _, e := range r.view.update(o) {
		r.handle(e)
	}
}

func (r *Runner) handle(e Event) (ended bool) {
	before := r.state.Phase
	old := r.state
	var actions []Action
	r.state, actions = next(r.state, e)
	if r.cfg.Changed != nil && !reflect.DeepEqual(old, r.state) {
		r.cfg.Changed(r.state)
	}
	log := r.cfg.Log.WithField("phase", r.state.Phase)
	if r.state.Phase != before {
		log.WithField("event", eventName(e)).Info("The pod moved on.")
	} else {
		log.WithField("event", eventName(e)).Debug("event")
	}
	if !r.state.Phase.launching() {
		r.launch.Stop()
	}
	for _, a := range actions {
		if _, ended = a.(DoEnd); ended {
			r.cancelAll()
			return true
		}
		r.act(a)
	}
	return false
}

func (r *Runner) act(a Action) {
	switch a := a.(type) {
	case DoPrepare:
		r.doPrepare()
	case DoUp:
		r.doUp()
	case DoCheck:
		r.doCheck()
	case DoRestart:
		r.doRestart(a)
	case DoStop:
		r.doStop(a.Grace)
	case DoShorten:
		r.deadline.Shorten(time.Now().Add(a.Grace))
	case DoReport:
		a.Status.Check = r.state.Check
		r.cfg.Report(a.Status)
	case DoRemove:
		r.doRemove()
	}
}

func (r *Runner) doPrepare() {
	if r.cfg.LaunchTimeout > 0 {
		r.launch.Reset(r.cfg.LaunchTimeout)
	}
	if r.cfg.MaxCompletion > 0 {
		r.complete.Reset(r.cfg.MaxCompletion)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancelUp = cancel
	go func() {
		ready, err := r.cfg.Prepare(ctx)
		if err != nil {
			r.post(LaunchFailed{err})
			return
		}
		r.prepared <- ready
		r.post(Prepared{ready.Spec})
	}()
}

func (r *Runner) doUp() {
	ready := <-r.prepared
	r.ready = &ready
	watchCtx, cancelWatch := context.WithCancel(context.Background())
	r.cancel = cancelWatch
	r.watch = ready.Engine.Watch(watchCtx, r.cfg.ID)

	upCtx, cancelUp := context.WithCancel(context.Background())
	r.cancelUp()
	r.cancelUp = cancelUp
	ended := make(chan struct{})
	r.upEnded = ended
	go func() {
		err := ready.Engine.Up(upCtx, ready.Spec, func(s engine.Stage) { r.post(StageBegan{s}) })
		close(ended)
		if err != nil {
			r.post(LaunchFailed{err})
			return
		}
		r.post(Up{})
	}()
}

func (r *Runner) doCheck() {
	ctx, cancel := context.WithCancel(context.Background())
	r.checks = cancel
	go r.ready.Checks(ctx, r.post)
}

func (r *Runner) doStop(grace *time.Duration) {
	r.complete.Stop()
	for _, cancel := range []context.CancelFunc{r.cancelUp, r.checks} {
		if cancel != nil {
			cancel()
		}
	}
	if r.ready == nil { // nothing can have been created
		r.deadline = engine.NewDeadline(time.Now())
		go r.post(Stopped{})
		return
	}
	ready := *r.ready
	total := engine.FullGrace(ready.Spec)
	if grace != nil {
		total = *grace
	}
	r.deadline = engine.NewDeadline(time.Now().Add(total))
	deadline, upEnded, culprit, killed := r.deadline, r.upEnded, r.state.Outcome.Service, r.state.Killed
	since := time.Now().Add(-recentKill)
	r.restarts.cancel()
	go func() {
		<-upEnded // it returns at once when cancelled; a start that is still under way must not land after the stop
		r.restarts.wait()
		e := Stopped{Report: ready.Engine.Stop(context.Background(), ready.Spec, deadline)}
		if culprit != "" {
			ctx, cancel := context.WithTimeout(context.Background(), tailTimeout)
			ready.Logs.Drain(ctx)
			cancel()
			tail := ready.Logs.Tail(culprit)
			e.Tail = tail[max(0, len(tail)-tailLines):]
		}
		if killed && r.cfg.OutOfMemory != nil {
			if culprit == "" && ready.Spec.Infra != nil {
				culprit = ready.Spec.Infra.Service
			}
			e.OutOfMemory = r.cfg.OutOfMemory(culprit, since)
		}
		r.post(e)
	}()
}

func (r *Runner) doRemove() {
	if r.ready == nil {
		go r.post(Removed{})
		return
	}
	ready := *r.ready
	go func() {
		drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
		ready.Logs.Drain(drain)
		cancel()
		ready.Logs.Close()
		ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
		defer cancel()
		err := ready.Engine.Remove(ctx, ready.Spec)
		if err != nil {
			r.cfg.Log.WithError(err).Error("Not everything of the pod could be removed; the agent module or `dce reap` will do it.")
		}
		r.post(Removed{err})
	}()
}

func (r *Runner) cancelAll() {
	for _, cancel := range []context.CancelFunc{r.cancelUp, r.checks, r.cancel} {
		if cancel != nil {
			cancel()
		}
	}
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
