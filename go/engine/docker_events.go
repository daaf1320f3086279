package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
)

// eventBuffer is how many events wait for a reader. The engine drops what a slow reader does not take.
const eventBuffer = 64

// watched are the actions that say something about a container's life. All others, above all the three exec events of
// every healthcheck, are left to the engine. Full words match exactly, in every version of it.
var watched = []string{
	"create", "start", "restart", "stop", "kill", "die", "oom", "pause", "unpause", "destroy",
	"health_status: starting", "health_status: healthy", "health_status: unhealthy",
}

// extra are attributes of container events that are no labels.
var extra = []string{"name", "image", "exitCode", "execDuration", "signal"}

// Events leaves out exec, attach, copy, resize, rename, top and update.
func (d *dockerAPI) Events(ctx context.Context, labels ...string) (<-chan Event, func() error) {
	args := labelFilter(labels)
	args.Add("type", string(events.ContainerEventType))
	for _, action := range watched {
		args.Add("event", action)
	}
	options := events.ListOptions{Filters: args}
	if d.sameClock {
		// The engine answers a moment before it subscribes (moby, api/server/router/system, getEvents): have it replay that moment.
		now := time.Now()
		options.Since = fmt.Sprintf("%d.%09d", now.Unix(), now.Nanosecond())
	}
	stream, cancel, opened := d.opening(ctx)
	messages, errs := d.cli.Events(stream, options)
	inTime := opened()

	var failed error
	out, done := make(chan Event, eventBuffer), make(chan struct{})
	go func() {
		defer cancel()
		defer close(out)
		defer close(done)
		for {
			select {
			case m := <-messages:
				select {
				case out <- fromMessage(m):
				case <-stream.Done(): // errs says why
				}
			case err := <-errs:
				failed = d.brokenStream(ctx, inTime, err)
				return
			}
		}
	}()
	return out, func() error {
		select {
		case <-done:
			return failed
		default:
			return nil
		}
	}
}

func (d *dockerAPI) brokenStream(ctx context.Context, inTime bool, err error) error {
	call := Call{Method: MethodEvents}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !inTime:
		return noAnswer(call, d.timeout, err)
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return d.explain(call, err)
}

func fromMessage(m events.Message) Event {
	action, detail, _ := strings.Cut(string(m.Action), ": ")
	e := Event{Action: action, ID: m.Actor.ID, Labels: m.Actor.Attributes, Time: time.Unix(0, m.TimeNano)}
	e.Name = m.Actor.Attributes["name"]
	switch action {
	case "health_status":
		e.Health = Health(detail)
	case "die":
		e.ExitCode, _ = strconv.Atoi(m.Actor.Attributes["exitCode"]) // the engine always sends it
	}
	for _, key := range extra {
		delete(e.Labels, key)
	}
	return e
}
