package health

import (
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
)

// invalidError says that a task asks for a check that can't be made.
type invalidError string

func (e invalidError) Error() string { return string(e) }

// Reason is Mesos' name of the reason.
func (invalidError) Reason() string { return "REASON_TASK_INVALID" }

func invalid(format string, args ...any) error { return invalidError(fmt.Sprintf(format, args...)) }

// OfTask returns the checks of a task: none, its health check, its check, or both. What Mesos' masters refuse is an error
// (src/common/validation.cpp: validateHealthCheck, validateCheckInfo).
func OfTask(task *mesos.TaskInfo) ([]Check, error) {
	var checks []Check
	if h := task.HealthCheck; h != nil {
		c, err := healthCheck(h)
		if err != nil {
			return nil, err
		}
		checks = append(checks, c)
	}
	if i := task.Check; i != nil {
		c, err := check(i)
		if err != nil {
			return nil, err
		}
		checks = append(checks, c)
	}
	return checks, nil
}

func healthCheck(h *mesos.HealthCheck) (Check, error) {
	const field = "health_check"
	c := Check{Type: Type(h.Type.String()), Health: &Tolerance{Failures: int(h.GetConsecutiveFailures())}}
	var err error
	switch {
	case h.Type == mesos.HealthCheck_COMMAND && h.Command != nil:
		err = c.command(field, h.Command)
	case h.Type == mesos.HealthCheck_HTTP && h.HTTP != nil:
		c.IPv6 = h.HTTP.GetProtocol() == mesos.IPv6
		for _, s := range h.HTTP.Statuses {
			c.Statuses = append(c.Statuses, int(s))
		}
		err = c.http(field, h.HTTP.GetScheme(), h.HTTP.Port, h.HTTP.GetPath())
	case h.Type == mesos.HealthCheck_TCP && h.TCP != nil:
		c.IPv6 = h.TCP.GetProtocol() == mesos.IPv6
		err = c.port(field, h.TCP.Port)
	default:
		err = noType(field, h.Type.String())
	}
	if err == nil {
		err = seconds(field, "grace_period_seconds", h.GetGracePeriodSeconds(), &c.Health.Grace)
	}
	if err == nil {
		err = c.times(field, h.GetDelaySeconds(), h.GetIntervalSeconds(), h.GetTimeoutSeconds())
	}
	return c, err
}

func check(i *mesos.CheckInfo) (Check, error) {
	const field = "check"
	c := Check{Type: Type(i.Type.String())}
	var err error
	switch {
	case i.Type == mesos.CheckInfo_COMMAND && i.Command != nil:
		err = c.command(field, &i.Command.Command)
	case i.Type == mesos.CheckInfo_HTTP && i.HTTP != nil:
		err = c.http(field, "", i.HTTP.Port, i.HTTP.GetPath())
	case i.Type == mesos.CheckInfo_TCP && i.TCP != nil:
		err = c.port(field, i.TCP.Port)
	default:
		err = noType(field, i.Type.String())
	}
	if err == nil {
		err = c.times(field, i.GetDelaySeconds(), i.GetIntervalSeconds(), i.GetTimeoutSeconds())
	}
	return c, err
}

func noType(field, kind string) error {
	return invalid("the task's %s is of type %s without what that needs; set type to COMMAND, HTTP or TCP, and the field of that name", field, kind)
}

// command follows src/checks/checker_process.cpp, dockerCommandCheck: without a shell the value is the program and all of the
// arguments follow it. As there, user, uris and the like mean nothing.
func (c *Check) command(field string, info *mesos.CommandInfo) error {
	switch {
	case info.GetValue() == "":
		return invalid("the task's %s has an empty command; set command.value", field)
	case info.GetShell():
		c.Command = []string{"/bin/sh", "-c", info.GetValue()}
	default:
		c.Command = append([]string{info.GetValue()}, info.Arguments...)
	}
	for _, v := range info.GetEnvironment().GetVariables() {
		if v.Secret != nil {
			return invalid("the task's %s has the variable %s of type SECRET, which dce can't resolve; use VALUE", field, v.Name)
		}
		c.Env = append(c.Env, v.Name+"="+v.GetValue())
	}
	return nil
}

func (c *Check) http(field, scheme string, port uint32, path string) error {
	c.Scheme, c.Path = "http", path
	if scheme != "" {
		c.Scheme = scheme
	}
	if c.Scheme != "http" && c.Scheme != "https" {
		return invalid("the task's %s has the scheme %q; use http or https", field, scheme)
	}
	if path != "" && !strings.HasPrefix(path, "/") {
		return invalid("the task's %s has the path %q; it must start with a slash", field, path)
	}
	if err := c.port(field, port); err != nil {
		return err
	}
	if _, err := url.Parse(c.url()); err != nil {
		return invalid("the task's %s has the path %q, which is none of a URL (%v); escape it", field, path, err)
	}
	return nil
}

func (c *Check) port(field string, port uint32) error {
	if port == 0 || port > math.MaxUint16 {
		return invalid("the task's %s has the port %d; ports are 1 to 65535", field, port)
	}
	c.Port = uint16(port)
	return nil
}

func (c *Check) times(field string, delay, interval, timeout float64) error {
	for _, t := range []struct {
		key   string
		value float64
		into  *time.Duration
	}{
		{"delay_seconds", delay, &c.Delay}, {"interval_seconds", interval, &c.Interval}, {"timeout_seconds", timeout, &c.Timeout},
	} {
		if err := seconds(field, t.key, t.value, t.into); err != nil {
			return err
		}
	}
	return nil
}

func seconds(field, key string, value float64, into *time.Duration) error {
	const most = 100 * 365 * 24 * time.Hour
	if math.IsNaN(value) || value < 0 {
		return invalid("the task's %s has %s %v; it must not be negative", field, key, value)
	}
	*into = most
	if value < most.Seconds() {
		*into = time.Duration(value * float64(time.Second))
	}
	return nil
}
