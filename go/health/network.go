package health

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/pause"
)

// dial connects to a port of 127.0.0.1 or ::1 in some network. Where nobody takes the connection the error is a *net.OpError.
type dial func(ctx context.Context, ipv6 bool, port uint16) (net.Conn, error)

// direct dials in the network that the executor is in, which is the host's.
func direct(ctx context.Context, ipv6 bool, port uint16) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", (&Check{IPv6: ipv6, Port: port}).address())
}

// through dials in the network of a container that runs pause: a connector in it relays the connection, which takes no right
// but that of the Docker socket.
func through(e Engine, container string) dial {
	return func(ctx context.Context, ipv6 bool, port uint16) (net.Conn, error) {
		var limit time.Duration
		if end, ok := ctx.Deadline(); ok {
			limit = max(time.Until(end), time.Second)
		}
		run, err := execute(ctx, e, container, engine.ExecSpec{Command: pause.Connect(ipv6, port, limit), Stdin: true})
		if err != nil {
			return nil, err
		}
		if err := connected(ctx, run, (&Check{IPv6: ipv6, Port: port}).address()); err != nil {
			_ = run.Close()
			return nil, err
		}
		return run, nil
	}
}

// connected waits for the connector's word.
func connected(ctx context.Context, run engine.Execution, address string) error {
	word := make([]byte, 1)
	_, err := io.ReadFull(run, word)
	switch {
	case err == nil && word[0] == pause.Connected:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil: // what the engine says in place of a program that it can't start
		rest, _ := io.ReadAll(io.LimitReader(run, 1<<10))
		return fmt.Errorf("the connector can't be run in the infra container: %s", strings.TrimSpace(string(word)+string(rest)))
	case !errors.Is(err, io.EOF):
		return broken(err)
	}
	code, err := run.Wait(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return broken(err)
	case code > 0 && code < 126:
		target, _ := net.ResolveTCPAddr("tcp", address) // no name is looked up
		return &net.OpError{Op: "dial", Net: "tcp", Addr: target, Err: syscall.Errno(code)}
	}
	return fmt.Errorf("the connector in the infra container ended with code %d", code)
}

func tcpProbe(c *Check, dial dial) probe {
	return func(ctx context.Context) (Result, error) {
		conn, err := dial(ctx, c.IPv6, c.Port)
		if refused, ok := errors.AsType[*net.OpError](err); ok && !refused.Timeout() {
			return Result{Value: 0, Detail: refused.Err.Error()}, nil
		}
		if err != nil {
			return Result{}, err
		}
		_ = conn.Close()
		return Result{Value: 1}, nil
	}
}

const (
	redirects = 50      // as many as curl follows
	page      = 1 << 20 // so much of an answer is read
)

// httpProbe does what curl -L -k does (src/checks/checker_process.cpp, httpCheckCommand): certificates are not verified and
// redirects are followed, but only inside the pod. One that leads elsewhere is the answer itself.
func httpProbe(c *Check, dial dial) probe {
	return func(ctx context.Context) (Result, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(), nil)
		if err != nil {
			return Result{}, err
		}
		request.Header.Set("User-Agent", "dce")
		client := &http.Client{CheckRedirect: redirect, Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as Mesos: a task's own certificate is for another name
			// The transport's own context of a connection outlives the request and has no deadline: ctx is meant.
			DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
				return dialAddress(ctx, dial, address, c.IPv6)
			},
		}}
		answer, err := client.Do(request)
		if err != nil {
			return Result{}, err
		}
		defer answer.Body.Close()
		if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, page)); err != nil {
			return Result{}, fmt.Errorf("%s answers with status %d, but not to the end: %w", c.url(), answer.StatusCode, err)
		}
		return Result{Value: answer.StatusCode}, nil
	}
}

func redirect(request *http.Request, via []*http.Request) error {
	if !inside(request.URL.Hostname()) {
		return http.ErrUseLastResponse
	}
	if len(via) >= redirects {
		return fmt.Errorf("it redirects more than %d times", redirects)
	}
	return nil
}

// dialAddress dials an address of a host that is inside; localhost is what the check is made at.
func dialAddress(ctx context.Context, dial dial, address string, ipv6 bool) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		ipv6 = ip.Is6()
	}
	return dial(ctx, ipv6, uint16(number))
}

// inside says whether a host is what a check can be sent to.
func inside(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && (ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ip == netip.IPv6Loopback())
}
