package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

// failure is an error of an engine in one sentence, with its class of errdefs.
type failure struct {
	class    error // nil: that of cause
	sentence string
	cause    error
	registry bool // not the engine is in trouble, but a registry, or the way to it
}

func (f *failure) Error() string { return f.sentence }

func (f *failure) Unwrap() []error {
	var errs []error
	for _, err := range []error{f.class, f.cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func invalid(format string, args ...any) error {
	return &failure{class: errdefs.ErrInvalidArgument, sentence: fmt.Sprintf(format, args...)}
}

// sinkError carries an error of the caller's own function through explain.
type sinkError struct{ error }

// explain gives every error of the Docker client a class and names what it is about. The class comes from the status of
// the answer (docker/client/errors.go, httpErrorFromStatusCode); an answer that never came, or broke off, is IsUnavailable.
func (d *dockerAPI) explain(call Call, err error) error {
	var (
		done    *failure
		sink    sinkError
		dial    *dialError
		network net.Error
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &sink):
		return sink.error
	case errors.As(err, &done), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &dial):
		return &failure{class: errdefs.ErrUnavailable, sentence: dial.Error(), cause: err}
	case client.IsErrConnectionFailed(err), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network):
		return &failure{class: errdefs.ErrUnavailable, cause: err, sentence: fmt.Sprintf(
			"the Docker engine at %s broke off its answer (%s): %v; if it does not come back, look into dockerd's log",
			d.host, strings.TrimSpace(string(call.Method)+" "+call.String()), err)}
	}
	said := oneLine(err.Error())
	f := &failure{sentence: call.String() + ": " + strings.TrimPrefix(said, "Error response from daemon: "), cause: err}
	if call.Target == "" {
		f.sentence = fmt.Sprintf("the Docker engine at %s failed (%s): %s", d.host, call.Method, said)
	}
	if !classified(err) {
		f.class = errdefs.ErrInternal
	}
	return f
}

// oneLine joins the lines of programs that engines quote, such as runc and apparmor_parser.
func oneLine(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// classified says whether the client found a class for err. errdefs.Resolve does not see those of the client's httpError.
func classified(err error) bool {
	for _, is := range []func(error) bool{
		errdefs.IsNotFound, errdefs.IsConflict, errdefs.IsInvalidArgument, errdefs.IsPermissionDenied,
		errdefs.IsUnauthorized, errdefs.IsInternal, errdefs.IsUnavailable, errdefs.IsNotImplemented,
		errdefs.IsFailedPrecondition, errdefs.IsResourceExhausted, errdefs.IsNotModified,
	} {
		if is(err) {
			return true
		}
	}
	return false
}
