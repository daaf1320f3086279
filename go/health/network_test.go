package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine/enginetest"
	"github.com/dce-go/dce/go/pause"
)

// connector does what pause does in the infra container, over real sockets.
func connector(command []string, stdin io.Reader, stdout, _ io.Writer) int {
	host := map[string]string{"4": "127.0.0.1", "6": "::1"}[command[2]]
	conn, err := net.Dial("tcp", net.JoinHostPort(host, command[3]))
	var number syscall.Errno
	if errors.As(err, &number) {
		return int(number)
	}
	defer conn.Close()
	_, _ = stdout.Write([]byte{pause.Connected})
	go func() {
		_, _ = io.Copy(conn, stdin)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(stdout, conn)
	return 0
}

func portOf(t *testing.T, address net.Addr) uint16 {
	t.Helper()
	return uint16(address.(*net.TCPAddr).Port)
}

// ways are the networks that a check can be made in.
func ways(t *testing.T) map[string]dial {
	return map[string]dial{"direct": direct, "through": through(withContainer(t, "infra", connector), "infra")}
}

func TestTCP(t *testing.T) {
	for name, dial := range ways(t) {
		for _, host := range []string{"127.0.0.1", "::1"} {
			t.Run(name+" "+host, func(t *testing.T) {
				l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
				require.NoError(t, err)
				defer l.Close()
				c := &Check{Type: TCP, Port: portOf(t, l.Addr()), IPv6: host == "::1"}
				got, err := tcpProbe(c, dial)(t.Context())
				require.NoError(t, err)
				require.Equal(t, Result{Value: 1}, got)
				conn, err := l.Accept()
				require.NoError(t, err)
				_, err = conn.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF, "the connection is let go")
				_ = conn.Close()

				require.NoError(t, l.Close())
				got, err = tcpProbe(c, dial)(t.Context())
				require.NoError(t, err)
				require.Zero(t, got.Value)
				require.Contains(t, got.Detail, "connection refused")
			})
		}
	}
}

// site serves pages. hangs gets a value with each request that is never answered.
func site(t *testing.T, secure bool) (server *httptest.Server, last *atomic.Pointer[http.Request], hangs chan struct{}) {
	t.Helper()
	last, hangs = &atomic.Pointer[http.Request]{}, make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/{code}", func(w http.ResponseWriter, r *http.Request) {
		last.Store(r)
		code, err := strconv.Atoi(r.PathValue("code"))
		if err != nil {
			code = 200
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, strings.Repeat("a page of some length\n", 10_000))
	})
	mux.HandleFunc("/to", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("url"), http.StatusFound)
	})
	mux.HandleFunc("/hangs", func(_ http.ResponseWriter, r *http.Request) { hangs <- struct{}{}; <-r.Context().Done() })
	mux.HandleFunc("/breaks", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
	})
	server = httptest.NewUnstartedServer(mux)
	if secure {
		server.TLS = &tls.Config{ServerName: "somebody.else"}
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server, last, hangs
}

// deadline is a context with a deadline, which comes when the test says so.
type deadline struct {
	context.Context
	done chan struct{}
}

func inTime(t *testing.T) *deadline { return &deadline{t.Context(), make(chan struct{})} }

func (d *deadline) end()                        { close(d.done) }
func (d *deadline) Done() <-chan struct{}       { return d.done }
func (d *deadline) Deadline() (time.Time, bool) { return time.Now().Add(100 * time.Millisecond), true }

func (d *deadline) Err() error {
	select {
	case <-d.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestHTTP(t *testing.T) {
	for name, dial := range ways(t) {
		for _, scheme := range []string{"http", "https"} {
			t.Run(name+" "+scheme, func(t *testing.T) {
				server, last, hangs := site(t, scheme == "https")
				port := portOf(t, server.Listener.Addr())
				get := func(path string) (Result, error) {
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					return httpProbe(&Check{Type: HTTP, Scheme: scheme, Port: port, Path: path}, dial)(ctx)
				}
				for path, want := range map[string]int{
					"": 404, "/200": 200, "/204?a=b": 204, "/404": 404, "/503": 503,
					"/to?url=/404": 404, // redirects are followed
					fmt.Sprintf("/to?url=%s://localhost:%d/503", scheme, port): 503,
					fmt.Sprintf("/to?url=%s://127.0.0.1:%d/201", scheme, port): 201,
					"/to?url=http://example.com/":                              302, // but not out of the pod
					"/to?url=http://127.0.0.2/":                                302,
				} {
					got, err := get(path)
					require.NoError(t, err, path)
					require.Equal(t, want, got.Value, path)
				}
				_, err := get("/204?a=b")
				require.NoError(t, err)
				require.Equal(t, "a=b", last.Load().URL.RawQuery)
				require.Equal(t, fmt.Sprintf("127.0.0.1:%d", port), last.Load().Host)

				_, err = get("/breaks")
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				ctx := inTime(t)
				failed := make(chan error, 1)
				go func() {
					_, err := httpProbe(&Check{Type: HTTP, Scheme: scheme, Port: port, Path: "/hangs"}, dial)(ctx)
					failed <- err
				}()
				<-hangs // not before its time
				ctx.end()
				err = <-failed
				require.Error(t, err)
				require.False(t, errdefs.IsUnavailable(err), "it is the pod that hangs: %v", err)

				server.Close()
				_, err = get("/200")
				require.ErrorContains(t, err, "connection refused")
				require.False(t, errdefs.IsUnavailable(err))
			})
		}
	}
}

func TestHTTPRedirectsEnd(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("/", http.StatusMovedPermanently))
	t.Cleanup(server.Close)
	_, err := httpProbe(&Check{Type: HTTP, Scheme: "http", Port: portOf(t, server.Listener.Addr())}, direct)(t.Context())
	require.ErrorContains(t, err, "redirects more than 50 times")
}

func TestThroughSaysWhatIsWrong(t *testing.T) {
	for want, do := range map[string]enginetest.Command{
		"the connector can't be run in the infra container: OCI runtime exec failed": func(_ []string, _ io.Reader, stdout, _ io.Writer) int {
			_, _ = io.WriteString(stdout, "OCI runtime exec failed\r\n")
			return 126
		},
		"the connector in the infra container ended with code 137": func([]string, io.Reader, io.Writer, io.Writer) int { return 137 },
		"dial tcp [::1]:80: no route to host":                      func([]string, io.Reader, io.Writer, io.Writer) int { return int(syscall.EHOSTUNREACH) },
	} {
		_, err := through(withContainer(t, "infra", do), "infra")(t.Context(), true, 80)
		require.EqualError(t, err, want)
	}
}

func TestThroughBoundsTheConnector(t *testing.T) {
	asked := make(chan []string, 2)
	d := through(withContainer(t, "infra", func(command []string, stdin io.Reader, _, _ io.Writer) int {
		asked <- command
		_, _ = io.Copy(io.Discard, stdin)
		return 0
	}), "infra")
	ctx, failed := inTime(t), make(chan error, 1)
	go func() { _, err := d(ctx, false, 80); failed <- err }()
	require.Equal(t, []string{"/pause", "connect", "4", "80", "1"}, <-asked)
	ctx.end()
	require.ErrorIs(t, <-failed, context.DeadlineExceeded)

	killed, kill := context.WithCancel(t.Context())
	go func() { _, err := d(killed, true, 80); failed <- err }()
	require.Equal(t, []string{"/pause", "connect", "6", "80", "0"}, <-asked)
	kill()
	require.ErrorIs(t, <-failed, context.Canceled)
}

func TestInside(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1", "localhost", "LOCALHOST"} {
		require.True(t, inside(host), host)
	}
	for _, host := range []string{"", "127.0.0.2", "10.0.0.1", "example.com", "::", "localhost.example.com"} {
		require.False(t, inside(host), host)
	}
}
