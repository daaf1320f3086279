// Package faulty is a proxy before a real Docker engine or registry that plays faults at will: answers that come late or never,
// errors for what was done, connections that break. Everything else is the server's own answer.
package faulty

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Proxy listens on an address of its own. Rules match "METHOD /path?query" with a regular expression, without the version
// that the path begins with.
type Proxy struct {
	host   string
	dir    string // of the socket
	server http.Server
	idle   *http.Transport

	mu    sync.Mutex
	seen  []string
	rules []*rule
	conns map[net.Conn]struct{}
}

// When says at which moment a fault strikes.
type When int

// The moments.
const (
	Before When = iota // the engine has not been asked
	After              // the engine has done what it was asked, and the answer is on its way
)

type rule struct {
	pattern *regexp.Regexp
	when    When
	lie     bool
	skip    int // so many more requests are let through
	reached chan struct{}
	release chan struct{}
}

// Start starts a proxy to a server at host: on a unix socket to one at "unix:///path", on a free port of loopback to one at
// "ip:port". Close it.
func Start(host string) (*Proxy, error) {
	p := &Proxy{conns: map[net.Conn]struct{}{}}
	network, address := "tcp", "127.0.0.1:0"
	to, isUnix := strings.CutPrefix(host, "unix://")
	if isUnix {
		var err error
		if p.dir, err = os.MkdirTemp("", "dce"); err != nil { // short: a socket's path has at most 107 bytes
			return nil, err
		}
		network, address = "unix", filepath.Join(p.dir, "docker.sock")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	p.host = l.Addr().String()
	if isUnix {
		p.host = "unix://" + address
	}
	p.idle = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}, DisableKeepAlives: true} // a connection of the engine's last life would fail a request that it never saw
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "server"})
			r.Out.Host = r.In.Host // a registry makes addresses of it
		},
		FlushInterval:  -1,
		Transport:      p.idle,
		ModifyResponse: p.answer,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // as an engine that died
	}
	p.server = http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if p.ask(r) != nil {
				panic(http.ErrAbortHandler)
			}
			forward.ServeHTTP(w, r)
		}),
		ConnState: func(c net.Conn, s http.ConnState) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if s == http.StateNew {
				p.conns[c] = struct{}{}
			} else if s == http.StateClosed || s == http.StateHijacked {
				delete(p.conns, c)
			}
		},
	}
	go func() { _ = p.server.Serve(l) }() // until Close
	return p, nil
}

// Host is the proxy's address, in the form of the server's.
func (p *Proxy) Host() string { return p.host }

// Close ends everything.
func (p *Proxy) Close() error {
	p.Heal()
	err := p.server.Close()
	p.idle.CloseIdleConnections()
	if p.dir != "" {
		err = errors.Join(err, os.RemoveAll(p.dir))
	}
	return err
}

// Hold keeps requests that match back, from the nth on (1 is the first), until release is called or their client gives up.
// reached is closed when the first one is held.
func (p *Proxy) Hold(pattern string, nth int, when When) (reached <-chan struct{}, release func()) {
	r := p.add(&rule{pattern: regexp.MustCompile(pattern), when: when, skip: nth - 1})
	return r.reached, func() { p.drop(r) }
}

// Lie has requests that match be done and answered with 500.
func (p *Proxy) Lie(pattern string) (told <-chan struct{}) {
	return p.add(&rule{pattern: regexp.MustCompile(pattern), when: After, lie: true}).reached
}

func (p *Proxy) add(r *rule) *rule {
	r.reached, r.release = make(chan struct{}), make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, r)
	return r
}

func (p *Proxy) drop(r *rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.rules, r); i >= 0 {
		p.rules = slices.Delete(p.rules, i, i+1)
		close(r.release)
	}
}

// Heal ends all faults.
func (p *Proxy) Heal() {
	p.mu.Lock()
	rules := slices.Clone(p.rules)
	p.mu.Unlock()
	for _, r := range rules {
		p.drop(r)
	}
}

// Cut breaks every connection, streams and requests that are held among them. New ones are taken.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Requests lists what was asked so far.
func (p *Proxy) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.seen)
}

var version = regexp.MustCompile(`^/v[0-9.]+/`)

func request(r *http.Request) string {
	u := url.URL{Path: version.ReplaceAllString(r.URL.Path, "/"), RawQuery: r.URL.RawQuery}
	return r.Method + " " + u.RequestURI()
}

// ask lets a request through, sooner or later.
func (p *Proxy) ask(r *http.Request) error {
	what := request(r)
	p.mu.Lock()
	p.seen = append(p.seen, what)
	p.mu.Unlock()
	_, err := p.wait(r, what, Before)
	return err
}

// answer lets an answer through, or makes another of it.
func (p *Proxy) answer(r *http.Response) error {
	lie, err := p.wait(r.Request, request(r.Request), After)
	if err != nil || !lie {
		return err
	}
	_ = r.Body.Close()
	body := []byte(`{"message":"the engine lies"}`)
	r.StatusCode, r.Status, r.ContentLength = http.StatusInternalServerError, "500 Internal Server Error", int64(len(body))
	r.Header = http.Header{"Content-Type": {"application/json"}}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

func (p *Proxy) wait(r *http.Request, what string, when When) (lie bool, err error) {
	striking := p.striking(what, when)
	if len(striking) > 0 && when == Before {
		// Only of a request that was read whole the server sees that its client is gone.
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return false, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	for _, rule := range striking {
		if rule.lie {
			lie = true
			continue
		}
		select {
		case <-rule.release:
		case <-r.Context().Done():
			return false, r.Context().Err()
		}
	}
	return lie, nil
}

// striking are the rules whose time has come.
func (p *Proxy) striking(what string, when When) []*rule {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []*rule
	for _, r := range p.rules {
		if r.when != when || !r.pattern.MatchString(what) {
			continue
		}
		if r.skip > 0 {
			r.skip--
			continue
		}
		select {
		case <-r.reached:
		default:
			close(r.reached)
		}
		out = append(out, r)
	}
	return out
}
