package tree

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"

	"github.com/dce-go/dce/go/cgroup"
)

// systemdPatience bounds what is asked of systemd in one go. Docker itself waits for half a minute.
const systemdPatience = 20 * time.Second

// SystemdError says what systemd did not do for a slice.
type SystemdError struct {
	Unit   string
	Op     string // "make", "change" or "remove"
	Denied bool   // this process lacks the right
	Err    error
	fix    string
}

func (e *SystemdError) Error() string {
	return fmt.Sprintf("systemd did not %s the slice %s, where a Docker with the systemd cgroup driver puts the pod: %v; %s", e.Op, e.Unit, e.Err, e.fix)
}

func (e *SystemdError) Unwrap() error { return e.Err }

// Reason is what Mesos is told.
func (e *SystemdError) Reason() string { return "REASON_CONTAINER_LAUNCH_FAILED" }

// unitOf is the name of the slice at a path.
func unitOf(p string) string { return path.Base(p) }

// slices makes or changes a slice and sets limits. What systemd has no property for is written into the control files, which it
// leaves alone.
func (t Tree) slices(ctx context.Context, fresh bool, l Limits, parts []Part) error {
	if len(parts) == 0 {
		return nil
	}
	var asked []dbus.Property
	has := map[Part]bool{}
	for _, p := range l.Properties(t.unified(), parts...) {
		asked = append(asked, dbus.Property{Name: p.Name, Value: godbus.MakeVariant(p.Value)})
		has[p.Part] = true
	}
	err := onBus(ctx, func(ctx context.Context, bus *dbus.Conn) error {
		unit := unitOf(t.Path)
		if !fresh {
			return change(ctx, bus, unit, asked)
		}
		err := start(ctx, bus, unit, t.unified(), asked)
		if !errors.Is(err, errExists) {
			return err
		}
		if err := change(ctx, bus, unit, asked); err != nil {
			return err
		}
		ended := make(chan string, 1) // it may have been stopped, or have failed
		if _, err := bus.StartUnitContext(ctx, unit, "replace", ended); err != nil {
			return err
		}
		return await(ctx, ended)
	})
	op := "change"
	if fresh {
		op = "make"
	}
	if err != nil {
		err = explain(unitOf(t.Path), op, err)
		if denied(err) {
			return unbound(t.Path, l.parts(parts), err)
		}
		return err
	}
	var rest []Part
	for _, p := range l.parts(parts) {
		if !has[p] {
			rest = append(rest, p)
		}
	}
	if has[MemoryLow] {
		if err := t.reserve(ctx); denied(err) {
			return unbound(t.Path, []Part{MemoryLow}, err)
		} else if err != nil {
			return err
		}
	}
	return t.write(ctx, l, rest)
}

var errExists = errors.New("there is a unit of that name")

// start starts a transient slice and waits until it is there.
func start(ctx context.Context, bus *dbus.Conn, unit string, unified bool, limits []dbus.Property) error {
	asked := append([]dbus.Property{
		dbus.PropDescription("pod of a Mesos task"),
		{Name: "DefaultDependencies", Value: godbus.MakeVariant(false)},
		{Name: "MemoryAccounting", Value: godbus.MakeVariant(true)},
		{Name: "CPUAccounting", Value: godbus.MakeVariant(true)},
		{Name: "TasksAccounting", Value: godbus.MakeVariant(true)},
	}, limits...)
	if unified { // v1 counts it anyhow
		asked = append(asked, dbus.Property{Name: "IOAccounting", Value: godbus.MakeVariant(true)})
	}
	ended := make(chan string, 1)
	_, err := bus.StartTransientUnitContext(ctx, unit, "replace", asked, ended)
	if named(err) == "org.freedesktop.systemd1.UnitExists" {
		return errExists
	}
	if err != nil {
		return err
	}
	return await(ctx, ended)
}

// change sets limits until the slice is stopped; they are not kept over a reboot, which ends the pod.
func change(ctx context.Context, bus *dbus.Conn, unit string, limits []dbus.Property) error {
	return bus.SetUnitPropertiesContext(ctx, unit, true, limits...)
}

// release has systemd forget a slice without processes. A host without systemd has nothing to forget.
func release(ctx context.Context, unit string) error {
	err := onBus(ctx, func(ctx context.Context, bus *dbus.Conn) error {
		ended := make(chan string, 1)
		if _, err := bus.StopUnitContext(ctx, unit, "replace", ended); err != nil {
			return err
		}
		err := await(ctx, ended)
		_ = bus.ResetFailedUnitContext(ctx, unit) // mostly there is nothing to reset
		return err
	})
	var absent *noBusError
	if err == nil || errors.As(err, &absent) || named(err) == "org.freedesktop.systemd1.NoSuchUnit" {
		return nil
	}
	return explain(unit, "remove", err)
}

// await waits for a job of systemd.
func await(ctx context.Context, ended <-chan string) error {
	select {
	case result := <-ended:
		if result != "done" {
			return fmt.Errorf("its job ended as %q", result)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// onBus connects for one errand, so that nothing of the bus stays with an idle executor.
func onBus(ctx context.Context, do func(context.Context, *dbus.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, systemdPatience)
	defer cancel()
	bus, err := dbus.NewSystemConnectionContext(ctx)
	if err != nil {
		var private error
		if bus, private = dbus.NewSystemdConnectionContext(ctx); private != nil { // systemd's own, for root, where no bus runs
			return &noBusError{err}
		}
	}
	defer bus.Close()
	return do(ctx, bus)
}

// Systemd is the version of the systemd that slices are asked of, where it answers.
func Systemd(ctx context.Context) (version string, err error) {
	err = onBus(ctx, func(_ context.Context, bus *dbus.Conn) error {
		version, err = bus.GetManagerProperty("Version")
		return err
	})
	return strings.Trim(version, `"`), err
}

// noBusError says that systemd can't be talked to at all.
type noBusError struct{ err error }

func (e *noBusError) Error() string { return e.err.Error() }
func (e *noBusError) Unwrap() error { return e.err }

// named is the name of an error that came over the bus.
func named(err error) string {
	var e godbus.Error
	if errors.As(err, &e) {
		return e.Name
	}
	return ""
}

func explain(unit, op string, err error) error {
	e := &SystemdError{Unit: unit, Op: op, Err: err}
	var absent *noBusError
	switch {
	case errors.As(err, &absent):
		e.fix = "where the executor runs in a container, mount /run/dbus/system_bus_socket of the host into it; where no systemd runs, " + cgroup.UseCgroupfs
	case named(err) == "org.freedesktop.DBus.Error.AccessDenied", named(err) == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired":
		e.Denied = true
		e.fix = "run the executor as root, or load the agent module"
	case errors.Is(err, context.DeadlineExceeded), named(err) == "org.freedesktop.DBus.Error.NoReply", named(err) == "org.freedesktop.DBus.Error.Timeout":
		e.fix = "see with `systemctl list-jobs` what systemd waits for"
	default:
		e.fix = fmt.Sprintf("see `systemctl status '%s'` and the journal of the host", unit)
	}
	return e
}
