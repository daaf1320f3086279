package pod

import (
	"context"
	"sync"
	"time"

	"github.com/dce-go/dce/go/engine"
)

// restarts are the members that are about to be started again. The zero value is ready.
type restarts struct {
	ctx  context.Context
	end  context.CancelFunc
	wg   sync.WaitGroup
	runs map[string]int // that are followed, by container name
}

// begin runs one restart beside the loop. It may not be called after cancel.
func (r *restarts) begin(do func(context.Context)) {
	if r.ctx == nil {
		r.ctx, r.end = context.WithCancel(context.Background())
	}
	ctx := r.ctx
	r.wg.Go(func() { do(ctx) })
}

// cancel takes back what has not begun, wait waits for what has.
func (r *restarts) cancel() {
	if r.end != nil {
		r.end()
	}
}

func (r *restarts) wait() { r.wg.Wait() }

func (r *Runner) doRestart(a DoRestart) {
	ready, m := *r.ready, r.state.Members[a.Name]
	log := r.cfg.Log.WithField("service", m.Service)
	log.WithFields(map[string]any{"exit_code": m.ExitCode, "restarts": m.Restarts, "in": a.After}).
		Warn("The service has ended and is started again.")
	r.restarts.begin(func(ctx context.Context) {
		pause := time.NewTimer(a.After)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		if err := ready.Engine.Restart(ctx, ready.Spec, a.Name); err != nil && ctx.Err() == nil {
			log.WithError(err).Error("The service can't be started again.")
			r.post(RestartFailed{a.Name, err})
		}
	})
}

// follow collects a service's output. A run of which the end alone was seen has an output, too.
func (r *Runner) follow(c engine.ContainerState) {
	if c.Service == "" || c.Status != engine.StatusRunning && c.Status != engine.StatusExited {
		return
	}
	if c.Status == engine.StatusExited && c.Runs > r.restarts.runs[c.Name] {
		running := c
		running.Status = engine.StatusRunning
		r.ready.Logs.Follow(running)
	}
	if c.Runs > 0 {
		if r.restarts.runs == nil {
			r.restarts.runs = map[string]int{}
		}
		r.restarts.runs[c.Name] = c.Runs
	}
	r.ready.Logs.Follow(c)
}
