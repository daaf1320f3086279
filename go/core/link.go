package core

import (
	"context"
	"sync"
	"time"

	"github.com/containerd/errdefs"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/reaper"
)

// Connect connects to an engine. What it returns may also be an io.Closer.
type Connect func(ctx context.Context) (engine.Gateway, error)

// callPatience bounds each call to the engine.
const callPatience = 30 * time.Second

// link is the connection to the engine, which is made when it is needed first and lasts.
type link struct {
	connect Connect
	turn    chan struct{} // held by who connects
	mu      sync.Mutex
	gateway engine.Gateway
	closed  bool
	metrics *metrics
}

func newLink(connect Connect, host string, m *metrics) *link {
	if connect == nil {
		connect = func(ctx context.Context) (engine.Gateway, error) {
			return engine.Connect(ctx, engine.ConnectOptions{Host: host, Timeout: callPatience})
		}
	}
	return &link{connect: connect, turn: make(chan struct{}, 1), metrics: m}
}

// get returns the engine, connected.
func (l *link) get(ctx context.Context) (reaper.Engine, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if g := l.made(); g != nil {
		return g, nil
	}
	bare, err := l.connect(ctx)
	l.note(err)
	if err != nil {
		return nil, err
	}
	g := &closing{Gateway: engine.Intercept(bare, func(ctx context.Context, _ engine.Call, next func(context.Context) error) error {
		err := next(ctx)
		l.note(err)
		return err
	}), bare: bare}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		g.close()
		return nil, failure(Closed, "the core was closed before it had connected to the engine")
	}
	l.gateway = g
	return g, nil
}

func (l *link) made() engine.Gateway {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gateway
}

// note keeps whether the engine answers.
func (l *link) note(err error) {
	l.metrics.engineUp.Store(!down(err))
}

// down says that an engine did not answer.
func down(err error) bool {
	return err != nil && (errdefs.IsUnavailable(err) || statusOf(err) == Unavailable)
}

// close closes the connection, also one that is being made.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if g, ok := l.gateway.(*closing); ok {
		g.close()
	}
}

// closing is a gateway that knows what is to be closed.
type closing struct {
	engine.Gateway
	bare engine.Gateway
}

func (c *closing) close() {
	if closer, ok := c.bare.(interface{ Close() error }); ok {
		_ = closer.Close()
	}
}
