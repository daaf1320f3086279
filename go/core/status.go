package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/containerd/errdefs"

	"github.com/dce-go/dce/go/core/guard"
)

// Status is how an operation ended, with the values of dcecore.h.
type Status int32

// The values of dcecore.h.
const (
	OK          Status = 0
	Invalid     Status = 1
	Refused     Status = 2
	Timeout     Status = 3
	Unavailable Status = 4
	Busy        Status = 5
	Closed      Status = 6
	Failed      Status = 7
	Panic       Status = 100
)

// Error is an end that is no success, with its sentence.
type Error struct {
	Status   Status
	Sentence string
	cause    error
}

func (e *Error) Error() string { return e.Sentence }
func (e *Error) Unwrap() error { return e.cause }

func failure(status Status, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Status: status, Sentence: err.Error(), cause: errors.Unwrap(err)}
}

// statusOf gives every error a status.
func statusOf(err error) Status {
	var e *Error
	var fault *guard.PanicError
	switch {
	case err == nil:
		return OK
	case errors.As(err, &fault):
		return Panic
	case errors.As(err, &e):
		return e.Status
	case errdefs.IsUnavailable(err), errors.Is(err, context.DeadlineExceeded):
		return Unavailable
	case errors.Is(err, context.Canceled):
		return Closed
	}
	return Failed
}
