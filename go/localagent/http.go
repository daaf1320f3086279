package localagent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

const (
	upid     = "slave(1)" // id of the agent's libprocess process
	protobuf = "application/x-protobuf"
	jsonType = "application/json"
	maxCall  = 64 << 20 // bytes of one call
)

// server is what one life of the agent listens with.
type server struct {
	http   http.Server
	drop   chan struct{} // closed when connections are to break, as those of a dead process
	served chan struct{} // gets a value for each listener that is closed
}

// listen starts a server at address; the lock is held.
func (a *Agent) listen(address string) error {
	tcp, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("the local agent can't listen on %s: %w", address, err)
	}
	listeners := []net.Listener{tcp}
	if path := a.options.DomainSocket; path != "" {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			tcp.Close()
			return fmt.Errorf("the old socket of the local agent can't be removed: %w", err)
		}
		unix, err := net.Listen("unix", path)
		if err != nil {
			tcp.Close()
			return fmt.Errorf("the local agent can't listen on %s: %w", path, err)
		}
		listeners = append(listeners, unix)
	}
	a.endpoint = tcp.Addr().String()
	a.host, _, _ = net.SplitHostPort(a.endpoint)
	s := &server{drop: make(chan struct{}), served: make(chan struct{}, len(listeners))}
	mux := http.NewServeMux()
	for _, path := range []string{"/" + upid + "/api/v1/executor", "/api/v1/executor"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { a.executorAPI(w, r, s) })
	}
	s.http.Handler = mux
	s.http.ReadHeaderTimeout = time.Minute
	for _, l := range listeners {
		go func() {
			// It ends when the server is closed.
			_ = s.http.Serve(l)
			s.served <- struct{}{}
		}()
	}
	a.server = s
	return nil
}

// close breaks every connection and frees the address.
func (s *server) close() {
	close(s.drop)
	// What they report are listeners that are closed already. Only Shutdown waits for the calls that are being handled.
	_ = s.http.Close()
	_ = s.http.Shutdown(context.Background())
	for range cap(s.served) {
		<-s.served
	}
}

// refusal is an answer that is no success.
type refusal struct {
	code int
	text string
}

func (r *refusal) Error() string { return r.text }

func refuse(code int, format string, args ...any) error {
	return &refusal{code, fmt.Sprintf(format, args...)}
}

// executorAPI follows src/slave/http.cpp, executor.
func (a *Agent) executorAPI(w http.ResponseWriter, r *http.Request, s *server) {
	stream, err := a.handle(r)
	var no *refusal
	switch {
	case errors.As(err, &no):
		if no.code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="mesos-agent-executor"`)
		}
		http.Error(w, no.text, no.code)
	case err != nil: // a dead agent answers nothing
		panic(http.ErrAbortHandler)
	case stream != nil:
		if !stream.serve(r.Context(), w, s.drop) {
			panic(http.ErrAbortHandler) // breaks the connection, where a return would end the stream in good order
		}
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}

func (a *Agent) handle(r *http.Request) (*stream, error) {
	if err := a.available(reconnect); err != nil {
		return nil, err
	}
	if r.Method != http.MethodPost {
		return nil, refuse(http.StatusMethodNotAllowed, "Expecting one of { 'POST' }, but received '%s'", r.Method)
	}
	if t := a.options.Token; t != "" && r.Header.Get("Authorization") != "Bearer "+t {
		return nil, refuse(http.StatusUnauthorized, "The executor's bearer token is missing or wrong")
	}
	call, err := decode(r)
	if err != nil {
		return nil, err
	}
	if wrong := validate(call); wrong != "" {
		return nil, refuse(http.StatusBadRequest, "Failed to validate Executor::Call: %s", wrong)
	}
	accept := r.Header.Get("Accept")
	switch {
	case call.Type == executor.Call_SUBSCRIBE:
		if !accepts(accept, jsonType) && !accepts(accept, protobuf) {
			return nil, refuse(http.StatusNotAcceptable, "Expecting 'Accept' to allow '%s' or '%s'", protobuf, jsonType)
		}
	case call.Type == executor.Call_HEARTBEAT:
		return nil, nil // before any look at the ids, which may be dummies
	default:
		if err := a.available(serving); err != nil {
			return nil, err
		}
	}
	return a.call(call, newStream(accepts(accept, jsonType)))
}

// available refuses what the agent's state does not allow (yet).
func (a *Agent) available(least state) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.state == down || a.over:
		return errClosed
	case a.state < least:
		return refuse(http.StatusServiceUnavailable, "Agent has not finished recovery")
	}
	return nil
}

// call acts on a valid call.
func (a *Agent) call(call *executor.Call, s *stream) (*stream, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.state == down || a.over {
		return nil, errClosed
	}
	if call.FrameworkID.Value != a.options.Framework.ID.Value {
		return nil, refuse(http.StatusBadRequest, "Framework cannot be found")
	}
	e, ok := a.executors[call.ExecutorID.Value]
	if !ok {
		return nil, refuse(http.StatusBadRequest, "Executor cannot be found")
	}
	if e.state == registering && call.Type != executor.Call_SUBSCRIBE {
		return nil, refuse(http.StatusForbidden, "Executor is not subscribed")
	}
	switch call.Type {
	case executor.Call_SUBSCRIBE:
		a.subscribe(e, s, *call.Subscribe)
		return s, nil
	case executor.Call_UPDATE:
		a.update(e, call.Update.Status, mesos.SOURCE_EXECUTOR)
		return nil, nil
	case executor.Call_MESSAGE:
		a.options.Log.WithField("executor", call.ExecutorID.Value).Infof("Message to the framework: %q", call.Message.Data)
		return nil, nil
	}
	return nil, refuse(http.StatusNotImplemented, "")
}

func decode(r *http.Request) (*executor.Call, error) {
	kind := r.Header.Get("Content-Type")
	if kind == "" {
		return nil, refuse(http.StatusBadRequest, "Expecting 'Content-Type' to be present")
	}
	if kind != protobuf && kind != jsonType {
		return nil, refuse(http.StatusUnsupportedMediaType, "Expecting 'Content-Type' of %s or %s", jsonType, protobuf)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxCall))
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "Failed to read the body: %v", err)
	}
	call := &executor.Call{}
	if kind == jsonType {
		if !json.Valid(body) {
			return nil, refuse(http.StatusBadRequest, "Failed to parse body into JSON")
		}
		if err := json.Unmarshal(body, call); err != nil {
			return nil, refuse(http.StatusBadRequest, "Failed to convert JSON into Call protobuf: %v", err)
		}
	} else if err := call.Unmarshal(body); err != nil {
		return nil, refuse(http.StatusBadRequest, "Failed to parse body into Call protobuf")
	}
	return call, nil
}

// accepts says whether an Accept header allows a media type; an empty one allows all.
// Follows 3rdparty/libprocess/src/http.cpp, Request::_acceptsMediaType.
func accepts(header, media string) bool {
	if header == "" {
		return true
	}
	group, _, _ := strings.Cut(media, "/")
	for one := range strings.SplitSeq(header, ",") {
		one, _, _ = strings.Cut(one, ";")
		if one = strings.TrimSpace(one); one == media || one == "*/*" || one == group+"/*" {
			return true
		}
	}
	return false
}
