package engine

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
)

// Method names a method of Gateway.
type Method string

// The methods of Gateway.
const (
	MethodInfo           Method = "Info"
	MethodImage          Method = "Image"
	MethodPull           Method = "Pull"
	MethodLoad           Method = "Load"
	MethodList           Method = "List"
	MethodCreate         Method = "Create"
	MethodCopy           Method = "Copy"
	MethodStart          Method = "Start"
	MethodSignal         Method = "Signal"
	MethodInspect        Method = "Inspect"
	MethodDisableRestart Method = "DisableRestart"
	MethodRemind         Method = "RemindHealthcheck"
	MethodStop           Method = "Stop"
	MethodLogs           Method = "Logs"
	MethodExec           Method = "Exec"
	MethodEvents         Method = "Events"
	MethodCreateNetwork  Method = "CreateNetwork"
	MethodCreateVolume   Method = "CreateVolume"
	MethodObjects        Method = "Objects"
	MethodRemove         Method = "Remove"
)

const kindImage Kind = "image"

// Call is one call of a Gateway as an Interceptor sees it.
type Call struct {
	Method Method
	Kind   Kind   // of what it is about, "image" among them; empty for the engine itself
	Target string // its name or id; empty for lists
}

// String is "container web-1", with ids cut to the 12 digits that docker ps shows.
func (c Call) String() string {
	return strings.TrimSpace(string(c.Kind) + " " + shortID(c.Target))
}

func shortID(s string) string {
	if isID(s) {
		return s[:12]
	}
	return s
}

// Long says that the call lasts as long as what it follows, so that no time limit can be put on the whole of it.
func (c Call) Long() bool {
	return c.Method == MethodPull || c.Method == MethodLogs || c.Method == MethodEvents
}

// Interceptor does something around calls. next makes the call, with the context that the call shall see; it may be
// called several times or not at all. For Events next only subscribes, and its context lives as long as the stream.
type Interceptor func(ctx context.Context, call Call, next func(context.Context) error) error

// Intercept returns g with all its calls going through each of interceptors, the first being the outermost.
func Intercept(g Gateway, interceptors ...Interceptor) Gateway {
	for i := len(interceptors) - 1; i >= 0; i-- {
		g = &intercepted{next: g, around: interceptors[i]}
	}
	return g
}

type intercepted struct {
	next   Gateway
	around Interceptor
}

func (i *intercepted) Info(ctx context.Context) (info Info, err error) {
	err = i.around(ctx, Call{Method: MethodInfo}, func(ctx context.Context) (err error) {
		info, err = i.next.Info(ctx)
		return err
	})
	return info, err
}

func (i *intercepted) Image(ctx context.Context, ref string) (image Image, err error) {
	err = i.around(ctx, Call{MethodImage, kindImage, ref}, func(ctx context.Context) (err error) {
		image, err = i.next.Image(ctx, ref)
		return err
	})
	return image, err
}

func (i *intercepted) Pull(ctx context.Context, ref, platform string) error {
	return i.around(ctx, Call{MethodPull, kindImage, ref}, func(ctx context.Context) error {
		return i.next.Pull(ctx, ref, platform)
	})
}

func (i *intercepted) Load(ctx context.Context, ref string, rootfs io.Reader, config container.Config) error {
	return i.around(ctx, Call{MethodLoad, kindImage, ref}, func(ctx context.Context) error {
		return i.next.Load(ctx, ref, rootfs, config)
	})
}

func (i *intercepted) List(ctx context.Context, labels ...string) (list []Container, err error) {
	err = i.around(ctx, Call{Method: MethodList}, func(ctx context.Context) (err error) {
		list, err = i.next.List(ctx, labels...)
		return err
	})
	return list, err
}

func (i *intercepted) Create(ctx context.Context, spec *ContainerSpec) (id string, err error) {
	err = i.around(ctx, Call{MethodCreate, KindContainer, spec.Name}, func(ctx context.Context) (err error) {
		id, err = i.next.Create(ctx, spec)
		return err
	})
	return id, err
}

func (i *intercepted) Copy(ctx context.Context, id string, files []File) error {
	return i.around(ctx, Call{MethodCopy, KindContainer, id}, func(ctx context.Context) error {
		return i.next.Copy(ctx, id, files)
	})
}

func (i *intercepted) Start(ctx context.Context, id string) error {
	return i.around(ctx, Call{MethodStart, KindContainer, id}, func(ctx context.Context) error {
		return i.next.Start(ctx, id)
	})
}

func (i *intercepted) Signal(ctx context.Context, id, signal string) error {
	return i.around(ctx, Call{MethodSignal, KindContainer, id}, func(ctx context.Context) error {
		return i.next.Signal(ctx, id, signal)
	})
}

func (i *intercepted) Inspect(ctx context.Context, id string) (details Details, err error) {
	err = i.around(ctx, Call{MethodInspect, KindContainer, id}, func(ctx context.Context) (err error) {
		details, err = i.next.Inspect(ctx, id)
		return err
	})
	return details, err
}

func (i *intercepted) DisableRestart(ctx context.Context, id string) error {
	return i.around(ctx, Call{MethodDisableRestart, KindContainer, id}, func(ctx context.Context) error {
		return i.next.DisableRestart(ctx, id)
	})
}

func (i *intercepted) RemindHealthcheck(ctx context.Context, id string) error {
	return i.around(ctx, Call{MethodRemind, KindContainer, id}, func(ctx context.Context) error {
		return i.next.RemindHealthcheck(ctx, id)
	})
}

func (i *intercepted) Stop(ctx context.Context, id string, grace time.Duration) error {
	return i.around(ctx, Call{MethodStop, KindContainer, id}, func(ctx context.Context) error {
		return i.next.Stop(ctx, id, grace)
	})
}

func (i *intercepted) Logs(ctx context.Context, id string, since time.Time, sink func(LogEntry) error) error {
	return i.around(ctx, Call{MethodLogs, KindContainer, id}, func(ctx context.Context) error {
		return i.next.Logs(ctx, id, since, sink)
	})
}

func (i *intercepted) Exec(ctx context.Context, id string, spec ExecSpec) (run Execution, err error) {
	err = i.around(ctx, Call{MethodExec, KindContainer, id}, func(ctx context.Context) (err error) {
		run, err = i.next.Exec(ctx, id, spec)
		return err
	})
	return run, err
}

func (i *intercepted) Events(ctx context.Context, labels ...string) (events <-chan Event, failed func() error) {
	err := i.around(ctx, Call{Method: MethodEvents}, func(ctx context.Context) error {
		events, failed = i.next.Events(ctx, labels...)
		return nil
	})
	if err != nil {
		none := make(chan Event)
		close(none)
		return none, func() error { return err }
	}
	return events, failed
}

func (i *intercepted) CreateNetwork(ctx context.Context, spec NetworkSpec) (id string, err error) {
	err = i.around(ctx, Call{MethodCreateNetwork, KindNetwork, spec.Name}, func(ctx context.Context) (err error) {
		id, err = i.next.CreateNetwork(ctx, spec)
		return err
	})
	return id, err
}

func (i *intercepted) CreateVolume(ctx context.Context, spec VolumeSpec) error {
	return i.around(ctx, Call{MethodCreateVolume, KindVolume, spec.Options.Name}, func(ctx context.Context) error {
		return i.next.CreateVolume(ctx, spec)
	})
}

func (i *intercepted) Objects(ctx context.Context, kind Kind, labels ...string) (objects []Object, err error) {
	err = i.around(ctx, Call{Method: MethodObjects}, func(ctx context.Context) (err error) {
		objects, err = i.next.Objects(ctx, kind, labels...)
		return err
	})
	return objects, err
}

func (i *intercepted) Remove(ctx context.Context, kind Kind, id string) error {
	return i.around(ctx, Call{MethodRemove, kind, id}, func(ctx context.Context) error {
		return i.next.Remove(ctx, kind, id)
	})
}
