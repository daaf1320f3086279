package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/containerd/errdefs"
	"github.com/sirupsen/logrus"
)

// firstPause and longestPause bound the pause between two tries, which doubles each time.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// Retry calls again while the engine is unavailable, with growing pauses, until patience has passed since the first try or
// ctx ends; then the last error stands. Creations adopt what an earlier try left behind and removals take what is gone
// for done, so that a repeated call is harmless. Not repeated are Logs and Events (whoever follows them has to list again
// first), Load (its reader is used up), Exec (the command may be running), a Pull that a registry refuses or breaks off, and a
// Signal that may have been delivered.
func Retry(patience time.Duration, log logrus.FieldLogger) Interceptor {
	return func(ctx context.Context, call Call, next func(context.Context) error) error {
		end := time.Now().Add(patience)
		for pause := firstPause; ; pause = min(2*pause, longestPause) {
			err := next(ctx)
			wait := pause/2 + rand.N(pause/2)
			if err == nil || ctx.Err() != nil || !repeatable(call, err) || time.Now().Add(wait).After(end) {
				return err
			}
			log.WithError(err).WithFields(logrus.Fields{"call": call.Method, "target": call.Target, "pause": wait}).
				Warn("the Docker engine is unavailable, trying again")
			select {
			case <-ctx.Done():
				return err
			case <-time.After(wait):
			}
		}
	}
}

func repeatable(call Call, err error) bool {
	switch call.Method {
	case MethodLogs, MethodEvents, MethodLoad, MethodExec:
		return false
	case MethodSignal:
		var unreached *dialError
		return errors.As(err, &unreached)
	default:
		var f *failure
		return errdefs.IsUnavailable(err) && (!errors.As(err, &f) || !f.registry)
	}
}
