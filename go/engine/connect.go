package engine

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/cli/cli/config"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

const (
	defaultTimeout = 2 * time.Minute // create, start and remove may move much data on a slow disk
	minAPIVersion  = "1.24"
)

// ConnectOptions say which engine, and how long to wait for it. The zero value is what the docker CLI would use.
type ConnectOptions struct {
	Host      string        // "unix:///path", "tcp://host:port"; empty: DOCKER_HOST, the docker context, the default socket
	HostFrom  string        // who named Host, for people: "the label dce.engine.host"; empty: "the given host"
	ConfigDir string        // config.json with registry credentials, and contexts; empty: DOCKER_CONFIG, ~/.docker
	Timeout   time.Duration // of each call that is not long (Call.Long) and of subscribing to long ones; 0 is 2 minutes
	PullIdle  time.Duration // how long a pull may be silent; 0 is Timeout
}

func (o ConnectOptions) surroundings() surroundings {
	return surroundings{host: o.Host, from: cmp.Or(o.HostFrom, "the given host"), configDir: cmp.Or(o.ConfigDir, config.Dir()), env: os.Getenv, readFile: os.ReadFile}
}

// Locate says where Connect looks for an engine, and who names that place, for people: "DOCKER_HOST", "Docker's default",
// `docker context "x"`. It asks nobody.
func Locate(o ConnectOptions) (host, source string, err error) {
	where, err := resolve(o.surroundings())
	return where.host, where.source, err
}

// Docker is the Gateway to a real engine, through its API from 1.24 on.
type Docker struct {
	Gateway
	api *dockerAPI
}

// Host is the engine's address as it was resolved.
func (d *Docker) Host() string { return d.api.host }

// Close drops idle connections. Streams end with their contexts.
func (d *Docker) Close() error { return d.api.cli.Close() }

// Connect finds the engine, checks that it answers, and settles on the newest API version that both sides speak.
// Its errors are IsInvalidArgument where the engine is named wrongly and IsUnavailable where it does not answer.
func Connect(ctx context.Context, o ConnectOptions) (*Docker, error) {
	s := o.surroundings()
	where, err := resolve(s)
	if err != nil {
		return nil, err
	}
	cli, err := newClient(where, os.Getenv("DOCKER_API_VERSION"))
	if err != nil {
		return nil, invalid("the Docker engine at %s (from %s) can't be used: %v", where.host, where.source, err)
	}
	timeout := cmp.Or(o.Timeout, defaultTimeout)
	api := &dockerAPI{
		cli: cli, host: where.host, configDir: s.configDir, timeout: timeout, pullIdle: cmp.Or(o.PullIdle, timeout),
		sameClock: strings.HasPrefix(where.host, "unix:"),
	}
	explain := func(ctx context.Context, call Call, next func(context.Context) error) error {
		return api.explain(call, next(ctx))
	}
	if err := api.negotiate(ctx); err != nil {
		_ = cli.Close()
		return nil, err
	}
	return &Docker{Gateway: Intercept(api, explain, Timeout(timeout)), api: api}, nil
}

func (d *dockerAPI) negotiate(ctx context.Context) error {
	call := Call{Method: "Ping"}
	ping := func(ctx context.Context) error {
		answer, err := d.cli.Ping(ctx)
		if err == nil {
			d.cli.NegotiateAPIVersionPing(answer)
		}
		return err
	}
	if err := d.explain(call, Timeout(d.timeout)(ctx, call, ping)); err != nil {
		return err
	}
	if v := d.cli.ClientVersion(); versions.LessThan(v, minAPIVersion) {
		return invalid("the Docker engine at %s speaks API %s, dce needs %s or newer: upgrade Docker", d.host, v, minAPIVersion)
	}
	return nil
}

func newClient(where endpoint, version string) (*client.Client, error) {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 8, // a pod's containers are created and started side by side
		IdleConnTimeout:     30 * time.Second,
	}
	options := []client.Opt{
		client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}),
		client.WithHost(where.host),
		client.WithUserAgent("dce"),
		client.WithAPIVersionNegotiation(),
		client.WithVersion(version),
		// Nobody reads traces of these requests: spare each its span. But the client uses the request of a ping that was given
		// up again while the transport still reads it; what is traced is cloned.
		client.WithTraceOptions(otelhttp.WithFilter(func(r *http.Request) bool { return r.Method == http.MethodHead })),
	}
	if where.tls != nil {
		settings, err := where.tls.config()
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = settings
	}
	cli, err := client.NewClientWithOpts(options...)
	if err != nil {
		return nil, err
	}
	transport.DialContext = where.dialer() // WithHost has set one that knows no context and loses the cause
	return cli, nil
}

func (m *tlsMaterial) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: m.skipVerify} //nolint:gosec // what the user's docker context asks for
	if m.ca != nil {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(m.ca) {
			return nil, errors.New("its ca.pem holds no certificate")
		}
	}
	if m.cert != nil {
		pair, err := tls.X509KeyPair(m.cert, m.key)
		if err != nil {
			return nil, fmt.Errorf("its cert.pem and key.pem don't fit: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// dialer keeps the cause of a failed connection; the client's own text would drop it.
func (e endpoint) dialer() func(context.Context, string, string) (net.Conn, error) {
	var d net.Dialer
	path, isUnix := strings.CutPrefix(e.host, "unix://")
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if isUnix {
			network, addr = "unix", path
		}
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil && ctx.Err() == nil {
			return nil, &dialError{endpoint: e, cause: err}
		}
		return conn, err
	}
}

// dialError says that no connection to the engine could be made: nothing was sent.
type dialError struct {
	endpoint
	cause error
}

func (e *dialError) Unwrap() []error { return []error{errdefs.ErrUnavailable, e.cause} }

func (e *dialError) Error() string {
	return fmt.Sprintf("no Docker engine answers at %s (from %s): %s", e.host, e.source, e.remedy())
}

// remedy must not hold the texts "dial unix" or "connection refused": docker/client, request.go, replaces such errors.
func (e *dialError) remedy() string {
	other := "or name another engine with DOCKER_HOST"
	if e.given {
		other = "or correct " + e.source
	}
	switch {
	case errors.Is(e.cause, fs.ErrNotExist):
		return "there is no such socket; start dockerd (systemctl start docker), " + other
	case errors.Is(e.cause, syscall.ECONNREFUSED):
		return "nobody listens there; start dockerd (systemctl start docker), " + other
	case errors.Is(e.cause, fs.ErrPermission):
		return fmt.Sprintf("uid %d may not use it; add the user to the socket's group (usermod -aG docker USER), or run as root", os.Geteuid())
	}
	cause := e.cause
	var op *net.OpError
	if errors.As(cause, &op) {
		cause = op.Err
	}
	return fmt.Sprintf("%v; check the address and the network, %s", cause, other)
}
