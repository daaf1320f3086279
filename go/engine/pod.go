package engine

import (
	"context"
	"io"
	"maps"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/labels"
)

// Pod brings pods up and down on one engine, and watches them. Its methods may be called at the same time.
type Pod struct {
	Gateway Gateway
	// Pause returns the rootfs (a tar) and the configuration of the infra container's image. It is loaded where it is
	// missing, so that no pull can fail. Nil for pods without an infra container.
	Pause func() (io.Reader, container.Config)
	Log   logrus.FieldLogger
	// Patience is how long Up waits for an engine that is out of reach, at each call; 0 is not at all.
	Patience time.Duration
	// Cgroups ends what runs in the cgroup of a container, as the last resort of a Stop whose engine does not answer, and says
	// whether there is such a cgroup; nil for engines on other hosts. cgroup.Host has it.
	Cgroups interface {
		Kill(ctx context.Context, path string) (found bool, err error)
	}
	// Finished is told of each operation of Up that is done, from the goroutine of Up; nil for nobody. It must not block.
	Finished func(Finished)

	mu      sync.Mutex
	feeds   map[string]*feed                     // by pod id
	images  map[string]Image                     // as seen by Up, by name
	started map[string]map[string]*ContainerSpec // what Up has begun to start, by pod id and container id
}

// parallel is how many calls to the engine are under way at the same time for one purpose.
const parallel = 8

// linger is how long a call that makes something is waited for after it was cancelled: what it makes would else be
// there after a stop that did not know of it.
const linger = 2 * time.Second

// podFilter is the label that everything of a pod bears.
func podFilter(podID string) string { return labels.Pod + "=" + podID }

// subscribe joins the pod's feed, and opens it for the first one.
func (p *Pod) subscribe(podID string) *subscription {
	p.mu.Lock()
	defer p.mu.Unlock()
	f := p.feeds[podID]
	if f == nil {
		if p.feeds == nil {
			p.feeds = map[string]*feed{}
		}
		f = newFeed(p.Gateway, podID)
		p.feeds[podID] = f
	}
	s := f.subscribe()
	s.close = func() { p.leave(podID, s) }
	return s
}

// leave ends the feed with its last subscription.
func (p *Pod) leave(podID string, s *subscription) {
	p.mu.Lock()
	f := s.feed
	f.mu.Lock()
	delete(f.subs, s)
	last := len(f.subs) == 0
	f.mu.Unlock()
	if last {
		delete(p.feeds, podID)
	}
	p.mu.Unlock()
	if last {
		f.cancel()
		<-f.done
	}
}

// Images are the images that Up has seen, by the names that the spec gives them.
func (p *Pod) Images() map[string]Image {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.images)
}

func (p *Pod) image(ref string) (Image, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, ok := p.images[ref]
	return i, ok
}

func (p *Pod) keepImage(ref string, i Image) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.images == nil {
		p.images = map[string]Image{}
	}
	p.images[ref] = i
}

// begins notes that Up is at work for a pod: from now on all that can run of it is what Up found or started.
func (p *Pod) begins(podID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.started == nil {
		p.started = map[string]map[string]*ContainerSpec{}
	}
	if p.started[podID] == nil {
		p.started[podID] = map[string]*ContainerSpec{}
	}
}

// starting notes a container before its start: while the engine is out of reach this is all that tells what may run.
func (p *Pod) starting(podID, id string, c *ContainerSpec) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started[podID][id] = c
}

// startedOf is nil for a pod that Up was never asked for.
func (p *Pod) startedOf(podID string) map[string]*ContainerSpec {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.started[podID])
}

// detached is a context that outlives ctx by linger.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(linger):
			cancel()
		case <-out.Done():
		}
	})
	return out, func() { stop(); cancel() }
}
