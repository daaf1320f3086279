package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
)

// Timeout bounds each call but the long ones (Call.Long) by d. A call that overruns it fails with IsUnavailable: the engine
// hangs, and whether it did what it was asked is unknown. A context that ends earlier is the caller's business and its
// error is passed on as it is.
func Timeout(d time.Duration) Interceptor {
	return func(ctx context.Context, call Call, next func(context.Context) error) error {
		if call.Long() {
			return next(ctx)
		}
		bounded, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		err := next(bounded)
		if err != nil && bounded.Err() != nil && ctx.Err() == nil {
			return noAnswer(call, d, err)
		}
		return err
	}
}

// noAnswer is the error of an engine that is silent for d.
func noAnswer(call Call, d time.Duration, cause error) error {
	return &failure{class: errdefs.ErrUnavailable, cause: cause, sentence: fmt.Sprintf(
		"the Docker engine did not answer within %s (%s): it hangs or is overloaded, look into dockerd's log",
		d, strings.TrimSpace(string(call.Method)+" "+call.String()))}
}
