package engine_test

import (
	"context"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
)

// faultProxy stands between the gateway and the real engine. Requests whose "METHOD path" contains one of lies are done and
// then answered with 500.
type faultProxy struct {
	*httptest.Server
	mu   sync.Mutex
	lies []string
}

func (p *faultProxy) lieAbout(requests ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lies = requests
}

func newFaultProxy(t *testing.T) *faultProxy {
	t.Helper()
	host, err := client.ParseHostURL(testHost(t))
	require.NoError(t, err)
	p := &faultProxy{}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: "engine"}) },
		FlushInterval: -1,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, host.Scheme, host.Host)
			},
		},
		ModifyResponse: func(r *http.Response) error {
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, lie := range p.lies {
				if strings.Contains(r.Request.Method+" "+r.Request.URL.Path, lie) {
					_ = r.Body.Close()
					r.StatusCode, r.Status, r.ContentLength = 500, "500 Internal Server Error", -1
					r.Header = http.Header{"Content-Type": {"application/json"}}
					r.Body = io.NopCloser(strings.NewReader(`{"message":"the engine lies"}`))
				}
			}
			return nil
		},
	}
	p.Server = httptest.NewServer(proxy)
	t.Cleanup(p.Close)
	return p
}

// through connects by a server of the test's own, which may be slower than a timeout that is there for something else.
func through(t *testing.T, server *httptest.Server, o engine.ConnectOptions) *engine.Docker {
	t.Helper()
	o.Host = "tcp://" + server.Listener.Addr().String()
	docker, err := engine.Connect(t.Context(), o)
	for begun := time.Now(); errdefs.IsUnavailable(err) && time.Since(begun) < soon; {
		docker, err = engine.Connect(t.Context(), o)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, docker.Close()) })
	return docker
}

func TestAnEngineThatFailsAfterHavingDoneTheThing(t *testing.T) {
	removeImages(t, testImage)
	p := newFaultProxy(t)
	w := newWorld(t, through(t, p.Server, engine.ConnectOptions{}), func(string, enginetest.Script) {})

	p.lieAbout("/containers/create", "/start", "/networks/create", "/volumes/create")
	id := w.start(w.spec("web", "sleep", "100"))
	require.Equal(t, engine.StatusRunning, w.listed(id).Status)
	w.network("net")
	data := engine.VolumeSpec{Options: volume.CreateOptions{Name: w.pod + "_data", Labels: w.labels("")}}
	require.NoError(t, w.CreateVolume(t.Context(), data))

	p.lieAbout("/start")
	failing := w.create(w.spec("failing", "no-such-program"))
	err := w.Start(t.Context(), failing)
	require.True(t, errdefs.IsInternal(err), "what was not done is an error still: %v", err)

	p.lieAbout("/containers/"+w.pod, "/networks", "/volumes")
	_, err = w.CreateNetwork(t.Context(), engine.NetworkSpec{Name: w.pod + "_2", Options: network.CreateOptions{Labels: w.labels("")}})
	require.True(t, errdefs.IsInternal(err), "%v", err)
	data.Options.Name += "2"
	require.True(t, errdefs.IsInternal(w.CreateVolume(t.Context(), data)))
	p.lieAbout()
}

func TestAnEventStreamThatBreaks(t *testing.T) {
	p := newFaultProxy(t)
	docker := through(t, p.Server, engine.ConnectOptions{})
	events, failed := docker.Events(t.Context(), "io.dce.pod=nobody")
	require.NoError(t, failed())
	p.CloseClientConnections()
	_, open := <-events
	require.False(t, open)
	require.True(t, errdefs.IsUnavailable(failed()), "%v", failed())

	p.Close()
	events, failed = docker.Events(t.Context(), "io.dce.pod=nobody")
	_, open = <-events
	require.False(t, open)
	require.True(t, errdefs.IsUnavailable(failed()), "%v", failed())
	_, err := docker.Info(t.Context())
	require.True(t, errdefs.IsUnavailable(err), "%v", err)
	require.ErrorContains(t, err, "nobody listens there; start dockerd")
}

// silent answers pings and nothing else.
func silent(t *testing.T) *httptest.Server {
	t.Helper()
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_ping" {
			w.Header().Set("Api-Version", "1.51")
			return
		}
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(over); s.Close() })
	return s
}

func TestASilentEngine(t *testing.T) {
	docker := through(t, silent(t), engine.ConnectOptions{Timeout: 100 * time.Millisecond, PullIdle: 150 * time.Millisecond, ConfigDir: t.TempDir()})
	_, failed := docker.Events(t.Context())
	_, infoErr := docker.Info(t.Context())
	require.Eventually(t, func() bool { return failed() != nil }, soon, time.Millisecond)
	for want, err := range map[string]error{
		"the Docker engine did not answer within 100ms (Events): ":                                 failed(),
		"the Docker engine did not answer within 100ms (Info): ":                                   infoErr,
		"the Docker engine did not answer within 100ms (Start container web): ":                    docker.Start(t.Context(), "web"),
		"the Docker engine did not answer within 100ms (Logs container web): ":                     docker.Logs(t.Context(), "web", time.Time{}, nil),
		"image r.example/a:1: the pull stalled, nothing came for 150ms: check the network between": docker.Pull(t.Context(), "r.example/a:1", ""),
	} {
		require.True(t, errdefs.IsUnavailable(err), "%v", err)
		require.ErrorContains(t, err, want)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := docker.List(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, errdefs.IsUnavailable(err), "the caller's own deadline is no fault of the engine: %v", err)
}

func TestConnectSaysWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer mute.Close()
	ancient := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.12") }))
	defer ancient.Close()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"currentContext":"gone"}`), 0o600))

	for host, want := range map[string]string{
		"unix://" + dir + "/none.sock": "no Docker engine answers at unix://" + dir + "/none.sock (from the label dce.engine.host): there is no such socket; " +
			"start dockerd (systemctl start docker), or correct the label dce.engine.host",
		"unix://" + stale:                           "no Docker engine answers at unix://" + stale + " (from the label dce.engine.host): nobody listens there; start dockerd (systemctl start docker), or correct the label dce.engine.host",
		"tcp://" + mute.Addr().String():             "the Docker engine did not answer within 200ms (Ping): it hangs or is overloaded, look into dockerd's log",
		"tcp://" + ancient.Listener.Addr().String(): "the Docker engine at tcp://" + ancient.Listener.Addr().String() + " speaks API 1.12, dce needs 1.24 or newer: upgrade Docker",
		"ssh://me@there":                            "ssh://me@there (from the label dce.engine.host): a ssh address of a Docker engine is not supported, use unix:///path or tcp://host:port",
		"":                                          `the docker context "gone" named by ` + dir + "/config.json does not exist in " + dir + ": see docker context ls, or set DOCKER_HOST",
	} {
		t.Setenv("DOCKER_HOST", "")
		t.Setenv("DOCKER_CONTEXT", "")
		o := engine.ConnectOptions{Host: host, HostFrom: "the label dce.engine.host", ConfigDir: dir}
		if strings.Contains(host, mute.Addr().String()) {
			o.Timeout = 200 * time.Millisecond
		}
		_, err := engine.Connect(t.Context(), o)
		require.EqualError(t, err, want)
		require.True(t, errdefs.IsUnavailable(err) || errdefs.IsInvalidArgument(err))
	}
}

func TestConnectWithTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.51") }))
	defer server.Close()
	dir := t.TempDir()
	t.Setenv("DOCKER_HOST", "tcp://"+server.Listener.Addr().String())
	t.Setenv("DOCKER_TLS_VERIFY", "1")
	t.Setenv("DOCKER_CERT_PATH", dir)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600))
	docker, err := engine.Connect(t.Context(), engine.ConnectOptions{})
	require.NoError(t, err)
	require.Equal(t, "tcp://"+server.Listener.Addr().String(), docker.Host())
	host, source, err := engine.Locate(engine.ConnectOptions{})
	require.NoError(t, err)
	require.Equal(t, docker.Host(), host)
	require.Equal(t, "DOCKER_HOST", source)
	require.NoError(t, docker.Close())

	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("none"), 0o600))
	_, err = engine.Connect(t.Context(), engine.ConnectOptions{})
	require.ErrorContains(t, err, "ca.pem holds no certificate")
	require.True(t, errdefs.IsInvalidArgument(err))

	t.Setenv("DOCKER_TLS_VERIFY", "")
	_, err = engine.Connect(t.Context(), engine.ConnectOptions{})
	require.True(t, errdefs.IsUnavailable(err) || errdefs.IsInvalidArgument(err), "an engine with TLS asked without: %v", err)
}

func TestNothingIsLeftRunning(t *testing.T) {
	w := dockerWorld(t)
	id := w.start(w.spec("web", "sleep", "100"))
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	docker, err := engine.Connect(t.Context(), engine.ConnectOptions{Host: testHost(t)})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	events, _ := docker.Events(ctx, w.label())
	logs := make(chan error)
	go func() { logs <- docker.Logs(ctx, id, time.Time{}, func(engine.LogEntry) error { return nil }) }()
	_, err = docker.List(ctx)
	require.NoError(t, err)
	cancel()
	for range events {
		continue
	}
	require.ErrorIs(t, <-logs, context.Canceled)
	require.NoError(t, docker.Close())
}
