package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/mesos/mesos-go/api/v1/lib/executor/calls"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli"
	"github.com/mesos/mesos-go/api/v1/lib/httpcli/httpexec"
)

const (
	dialTimeout   = 5 * time.Second
	answerTimeout = 10 * time.Second // from a call to the head of its answer
	idleTimeout   = 30 * time.Second // of the connection for calls; the one for events never idles
	bodyLimit     = 512              // how much of an error's body is worth a log line
)

// Keep-alive finds an agent whose host or network namespace is gone within keepIdle + keepCount*keepInterval. A process that
// hangs still answers it: for that one there are heartbeats.
const (
	keepIdle     = 15 * time.Second
	keepInterval = 5 * time.Second
	keepCount    = 3
)

// dialFunc is net.Dialer's DialContext.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// client makes calls to one agent. It is safe for concurrent use.
type client struct {
	sender    calls.Sender
	transport *http.Transport
}

// newClient reads the files that cfg.TLS names and connects to nothing yet. dial is nil but for tests.
func newClient(cfg Config, dial dialFunc) (*client, error) {
	if dial == nil {
		dial = dialer(cfg.Socket)
	}
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("the address of the agent makes no URL: %w", err)
	}
	// No proxy: the agent is on this host. HTTP/2 and compression are not spoken by it.
	transport := &http.Transport{
		DialContext:           dial,
		DisableCompression:    true,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: answerTimeout,
		MaxIdleConnsPerHost:   1,
		IdleConnTimeout:       idleTimeout,
	}
	if u.Scheme == "https" {
		if transport.TLSClientConfig, err = cfg.TLS.config(u.Hostname()); err != nil {
			return nil, err
		}
	}
	web := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	options := []httpcli.Opt{
		httpcli.Endpoint(cfg.URL),
		httpcli.Do(web.Do),
		httpcli.ErrorMapper(statusError),
	}
	if !cfg.Token.Empty() {
		options = append(options, httpcli.DefaultHeader("Authorization", "Bearer "+cfg.Token.Reveal()))
	}
	sender := calls.SenderWith(httpexec.NewSender(httpcli.New(options...).Send),
		calls.Framework(cfg.Environment.FrameworkID), calls.Executor(cfg.Environment.ExecutorID))
	return &client{sender, transport}, nil
}

// subscribe sends call and hands every event to event until the stream ends, which is always an error: io.EOF where the agent
// closed it.
func (c *client) subscribe(ctx context.Context, call *executor.Call, event func(*executor.Event)) error {
	response, err := c.sender.Send(ctx, calls.NonStreaming(call))
	if response != nil {
		defer response.Close()
	}
	if err != nil {
		return cause(err)
	}
	if response == nil {
		return errors.New("the agent accepted the subscription without a stream of events")
	}
	for {
		e := new(executor.Event)
		if err := response.Decode(e); err != nil {
			return cause(err)
		}
		event(e)
	}
}

// send makes any other call.
func (c *client) send(ctx context.Context, call *executor.Call) error {
	response, err := c.sender.Send(ctx, calls.NonStreaming(call))
	if response != nil {
		_ = response.Close() // nothing is read from it
	}
	return cause(err)
}

func (c *client) close() { c.transport.CloseIdleConnections() }

// cause drops the "Post URL:" of net/http: there is only one agent.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// statusError makes an error of every answer that is no success.
func statusError(r *http.Response) error {
	if r.StatusCode < 300 {
		return nil
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(r.Body, bodyLimit)) // what came is enough
	return &StatusError{r.StatusCode, string(body)}
}

// dialer connects to socket where one is given.
func dialer(socket string) dialFunc {
	d := &net.Dialer{Timeout: dialTimeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: keepIdle, Interval: keepInterval, Count: keepCount,
	}}
	if socket == "" {
		return d.DialContext
	}
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", shortPath(socket))
	}
}

// maxSocketPath is the kernel's bound, without the final zero (unix(7), sun_path).
const maxSocketPath = 107

// shortPath makes a path that the kernel finds too long relative to the working directory, which in an executor is the sandbox
// (src/executor/executor.cpp, MesosProcess, does the same).
func shortPath(path string) string {
	if len(path) <= maxSocketPath {
		return path
	}
	if wd, err := os.Getwd(); err == nil {
		if short, err := filepath.Rel(wd, path); err == nil && len(short) < len(path) {
			return short
		}
	}
	return path
}
