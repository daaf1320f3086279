package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sirupsen/logrus"
)

// run is one execution of a plan. One goroutine, loop, owns it; calls to the engine run beside it and come back as results.
type run struct {
	pod      *Pod
	spec     *PodSpec
	plan     *Plan
	sub      *subscription
	progress func(Stage)
	log      logrus.FieldLogger

	status  map[*Op]opStatus
	began   map[*Op]time.Time
	stages  map[Stage]bool
	calls   int // under way
	pulls   int // of them
	results chan result
	images  map[string]Image
	ids     map[string]string         // of the plan's containers, by name
	states  map[string]ContainerState // by id
}

type opStatus int

const (
	idle opStatus = iota
	underWay
	done
	failed // but nobody insists on it
)

type result struct {
	op    *Op
	id    string // of the container that was created
	image *Image // that was inspected
	err   error
}

func newRun(p *Pod, spec *PodSpec, plan *Plan, seen Observed, sub *subscription, progress func(Stage)) *run {
	r := &run{
		pod: p, spec: spec, plan: plan, sub: sub, progress: progress, log: p.Log.WithField("pod", spec.ID),
		status: map[*Op]opStatus{}, began: map[*Op]time.Time{}, stages: map[Stage]bool{}, results: make(chan result),
		images: seen.Images, ids: plan.adopted, states: map[string]ContainerState{},
	}
	for _, c := range seen.Containers {
		r.states[c.ID] = c
	}
	return r
}

func (r *run) loop(ctx context.Context) error {
	calling, cancel := context.WithCancel(ctx)
	defer cancel()
	var ended error
	for {
		if ended == nil {
			ended = r.advance(calling)
		}
		if ended != nil {
			cancel()
		}
		if r.calls == 0 && (ended != nil || r.finished()) {
			return ended
		}
		wake, stop := r.sub.wake, ctx.Done()
		if ended != nil { // only what is under way is still waited for
			wake, stop = nil, nil
		}
		select {
		case res := <-r.results:
			if err := r.take(res); ended == nil {
				ended = err
			}
		case <-wake:
			ended = r.observe()
		case <-stop:
			ended = context.Cause(ctx)
		}
	}
}

// finished says that everything is done, and that the engine's events have told of every start: who watches the pod then
// knows no less than who brought it up.
func (r *run) finished() bool {
	return !slices.ContainsFunc(r.plan.Ops, func(o *Op) bool {
		if o.Kind == OpStart && r.status[o] == done {
			s, known := r.states[r.ids[o.Container.Name]]
			return !known || s.Status == StatusCreated
		}
		return r.status[o] < done
	})
}

// advance begins every operation whose needs are done, and ends every wait whose condition has come.
func (r *run) advance(ctx context.Context) error {
	for _, o := range r.plan.Ops { // in topological order: what a wait sets free comes behind it
		if r.status[o] == idle && r.ready(o) {
			if o.Kind != OpWait && o.Kind != OpPull && r.calls-r.pulls >= parallel {
				continue
			}
			r.status[o], r.began[o] = underWay, time.Now()
			if o.Kind != OpWait {
				r.begin(ctx, o)
			}
		}
		if r.status[o] == underWay && o.Kind == OpWait {
			if err := r.wait(o); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) ready(o *Op) bool {
	return !slices.ContainsFunc(o.Needs, func(n Need) bool { return r.status[n.Op] < done })
}

// begin calls the engine. What makes something is not cut off with ctx but a moment later.
func (r *run) begin(ctx context.Context, o *Op) {
	stage := map[OpKind]Stage{OpPull: StagePull, OpLoad: StagePull, OpInspect: StagePull, OpStart: StageStart}[o.Kind]
	if stage == "" {
		stage = StageCreate
	}
	if !r.stages[stage] {
		r.stages[stage] = true
		if r.progress != nil {
			r.progress(stage)
		}
	}
	r.calls++
	if o.Kind == OpPull {
		r.pulls++
	}
	id := ""
	if o.Container != nil {
		id = r.ids[o.Container.Name]
	}
	if o.Kind == OpStart {
		r.pod.starting(r.spec.ID, id, o.Container)
	}
	go func() {
		res := r.persist(ctx, o, id)
		var known *OpError
		if res.err != nil && !errors.As(res.err, &known) {
			asking, cancel := context.WithTimeout(ctx, linger)
			defer cancel()
			res.err = explain(asking, o, res.err, r.pod.Gateway.Info)
		}
		r.results <- res
	}()
}

// persist calls the engine again while it is out of reach. Each call of an operation adopts what an earlier one made.
func (r *run) persist(ctx context.Context, o *Op, id string) (res result) {
	again := Retry(r.pod.Patience, r.log)
	_ = again(ctx, Call{Method: Method(o.Kind), Target: o.target()}, func(ctx context.Context) error { // res has the error
		switch o.Kind {
		case OpPull, OpLoad, OpInspect:
		default:
			var cancel context.CancelFunc
			ctx, cancel = detached(ctx)
			defer cancel()
		}
		res = r.pod.do(ctx, o, id)
		return res.err
	})
	return res
}

// do is the one call that an operation stands for. id is that of its container, once that is created.
func (p *Pod) do(ctx context.Context, o *Op, id string) result {
	gw, res := p.Gateway, result{op: o}
	switch o.Kind {
	case OpPull:
		res.err = gw.Pull(ctx, o.Image, o.Platform)
	case OpLoad:
		if p.Pause == nil {
			res.err = errors.New("this program carries no such image")
			break
		}
		rootfs, config := p.Pause()
		res.err = gw.Load(ctx, o.Image, rootfs, config)
	case OpInspect:
		image, err := gw.Image(ctx, o.Image)
		res.image, res.err = &image, err
	case OpCreateNetwork:
		_, res.err = gw.CreateNetwork(ctx, *o.Network)
	case OpCreateVolume:
		res.err = gw.CreateVolume(ctx, *o.Volume)
	case OpRemove:
		res.err = gw.Remove(ctx, KindContainer, o.Remains)
	case OpCreate:
		res.id, res.err = gw.Create(ctx, o.Container)
	case OpCopy:
		res.err = gw.Copy(ctx, id, o.Container.Files)
	case OpStart:
		res.err = gw.Start(ctx, id)
	case OpWait, opPlan: // ask nothing of the engine
	}
	return res
}

// take notes what a call came to.
func (r *run) take(res result) error {
	r.calls--
	if res.op.Kind == OpPull {
		r.pulls--
	}
	if res.err != nil {
		return res.err
	}
	r.finish(res.op)
	if res.id != "" {
		r.ids[res.op.Container.Name] = res.id
	}
	if res.image != nil {
		r.images[res.op.Image] = *res.image
		r.pod.keepImage(res.op.Image, *res.image)
	}
	r.log.WithFields(logrus.Fields{"op": res.op.Kind, "on": res.op.target(), "cause": res.op.Cause}).Debug("done")
	return r.judge()
}

// finish notes that an operation is done.
func (r *run) finish(o *Op) {
	r.status[o] = done
	if r.pod.Finished == nil {
		return
	}
	f := Finished{Kind: o.Kind, Image: o.Image, Condition: o.Condition, Began: r.began[o], Ended: time.Now()}
	if o.Container != nil && o.Image == "" {
		f.Container = o.Container.Name
	}
	r.pod.Finished(f)
}

// observe takes what the engine's events tell.
func (r *run) observe() error {
	for o, ok := r.sub.take(); ok; o, ok = r.sub.take() {
		if o.Lost != nil {
			continue // the calls tell whether the engine is there; the next whole picture is judged
		}
		before := r.states
		if o.Full {
			r.states = map[string]ContainerState{}
		}
		for _, c := range o.Containers {
			r.states[c.ID] = c
		}
		if err := r.vanished(before); err != nil {
			return err
		}
	}
	return r.judge()
}
