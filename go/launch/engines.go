package launch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/engine"
)

const (
	// connectTimeout bounds one attempt: an engine that hangs is tried anew.
	connectTimeout = 30 * time.Second
	// firstConnectPause is before the second attempt; it doubles up to lastConnectPause.
	firstConnectPause = 100 * time.Millisecond
	lastConnectPause  = 2 * time.Second
)

// address is where an engine is, as it is configured: an empty host is the usual one.
type address struct{ host, from string }

// configured is what the configuration says, and who says it there.
func configured(cfg *config.Config) address {
	const key = "engine.host"
	if cfg.Engine.Host == "" {
		return address{}
	}
	source := cfg.Source(key)
	from := source.Name
	if source.Layer == config.LayerFile {
		from = key + " in " + from
	} else if source.Layer == config.LayerLabel {
		from = "the label " + from
	}
	return address{cfg.Engine.Host, from}
}

// engines are the connections to Docker engines, one for each configured address, which all tasks share.
type engines struct {
	log    logrus.FieldLogger
	ctx    context.Context // ends the attempts
	cancel context.CancelFunc

	mu   sync.Mutex
	open map[address]*connecting
}

// connecting is an engine that is being connected to, or is connected.
type connecting struct {
	done   chan struct{}
	engine *engine.Docker
	info   engine.Info
	err    error
}

func newEngines(log logrus.FieldLogger) *engines {
	e := &engines{log: log, open: map[address]*connecting{}}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e
}

// connect begins an attempt unless there is one or a connection.
func (e *engines) connect(at address) *connecting {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, ok := e.open[at]; ok {
		return c
	}
	c := &connecting{done: make(chan struct{})}
	e.open[at] = c
	go func() {
		defer close(c.done)
		ctx, cancel := context.WithTimeout(e.ctx, connectTimeout)
		defer cancel()
		if c.engine, c.err = engine.Connect(ctx, engine.ConnectOptions{Host: at.host, HostFrom: at.from}); c.err != nil {
			return
		}
		if c.info, c.err = c.engine.Info(ctx); c.err != nil {
			_ = c.engine.Close()
		}
	}()
	return c
}

func (e *engines) forget(at address, c *connecting) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.open[at] == c {
		delete(e.open, at)
	}
}

// wait returns an engine as soon as it answers. dockerd may be starting, or restarting: one that does not answer is tried
// again until patience has passed.
func (e *engines) wait(ctx context.Context, at address, patience time.Duration) (*engine.Docker, engine.Info, error) {
	late := make(chan struct{})
	defer time.AfterFunc(patience, func() { close(late) }).Stop()
	var last error
	for pause := firstConnectPause; ; pause = min(2*pause, lastConnectPause) {
		c := e.connect(at)
		select {
		case <-c.done:
		case <-late:
			select {
			case <-c.done: // what came of it counts, however late that is seen
			default:
				return nil, engine.Info{}, gaveUp(patience, last)
			}
		case <-ctx.Done():
			return nil, engine.Info{}, fmt.Errorf("gave up connecting to the Docker engine: %w", ctx.Err())
		}
		if c.err == nil {
			return c.engine, c.info, nil
		}
		e.forget(at, c)
		if !passing(c.err) {
			return nil, engine.Info{}, c.err
		}
		if last == nil {
			e.log.WithError(c.err).WithField("for", patience).Warn("The Docker engine does not answer yet; it is tried again.")
		}
		last = c.err
		select {
		case <-time.After(pause):
		case <-late:
			return nil, engine.Info{}, gaveUp(patience, last)
		case <-ctx.Done():
			return nil, engine.Info{}, fmt.Errorf("gave up connecting to the Docker engine: %w", ctx.Err())
		}
	}
}

// passing says whether an engine that could not be reached may be reached later without anybody's doing.
func passing(err error) bool {
	return (errdefs.IsUnavailable(err) || errors.Is(err, context.DeadlineExceeded)) && !errors.Is(err, fs.ErrPermission)
}

func gaveUp(patience time.Duration, last error) error {
	if last == nil {
		return fmt.Errorf("the Docker engine accepts connections and has not answered for %v (engine.lost_timeout): it hangs or is"+
			" overloaded, look into dockerd's log", patience)
	}
	return fmt.Errorf("%w (tried for %v, as engine.lost_timeout says)", last, patience)
}

// close ends the attempts and drops the connections.
func (e *engines) close() {
	e.cancel()
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.open {
		<-c.done
		if c.err == nil {
			_ = c.engine.Close()
		}
	}
}

// patience is what engine.lost_timeout means where 0 is for ever.
func patience(lost time.Duration) time.Duration {
	if lost <= 0 {
		return math.MaxInt64
	}
	return lost
}
