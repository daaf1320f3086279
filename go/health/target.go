package health

import (
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/engine"
)

// New makes checkers for the checks of a task. service is the one that they are about, as the configuration names it; empty
// leaves it to New. It is an error where a check can't be made in such a pod.
func New(checks []Check, spec engine.PodSpec, service string, e Engine, log logrus.FieldLogger) ([]*Checker, error) {
	var out []*Checker
	for i := range checks {
		c := &Checker{check: checks[i], log: log}
		if c.check.Type == Command {
			container, err := executing(spec, service)
			if err != nil {
				return nil, err
			}
			run := &command{engine: e, container: container, spec: engine.ExecSpec{Command: c.check.Command, Env: c.check.Env}}
			c.probe = run.probe
		} else {
			dial, err := reaching(spec, service, e, c.check.name())
			if err != nil {
				return nil, err
			}
			if c.probe = tcpProbe(&c.check, dial); c.check.Type == HTTP {
				c.probe = httpProbe(&c.check, dial)
			}
		}
		out = append(out, c)
	}
	return out, nil
}

// executing finds the container that commands are run in: that of the named service, else that of the only essential service,
// else that of the only one among those that no other service depends on.
func executing(spec engine.PodSpec, service string) (string, error) {
	if service != "" {
		c, err := named(spec, service)
		return c.Name, err
	}
	services := map[string]string{} // first containers
	for _, c := range slices.Backward(spec.Services) {
		if c.Essential && !c.Init {
			services[c.Service] = c.Name
		}
	}
	if len(services) == 0 {
		return "", invalid("a COMMAND check is run in an essential service, and the pod has none; name one by the label dce.health.service of the task")
	}
	tops := topmost(spec, services)
	if len(tops) != 1 {
		return "", invalid("a COMMAND check is run in one service, and %s could be meant; name it by the label dce.health.service of the task",
			strings.Join(tops, ", "))
	}
	return services[tops[0]], nil
}

// topmost returns those of the services that no other service depends on, sorted; all of them where there is only one.
func topmost(spec engine.PodSpec, services map[string]string) []string {
	needed := map[string]bool{}
	for _, c := range spec.Services {
		for _, n := range c.Needs {
			needed[n.Service] = true
		}
	}
	var out []string
	for name := range services {
		if len(services) == 1 || !needed[name] {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func named(spec engine.PodSpec, service string) (engine.ContainerSpec, error) {
	var names []string
	for _, c := range spec.Services {
		if c.Service == service {
			return c, nil
		}
		names = append(names, c.Service)
	}
	return engine.ContainerSpec{}, invalid("dce.health.service names the service %q, which the pod does not have; it has %s",
		service, strings.Join(slices.Compact(names), ", "))
}

// reaching finds the network that HTTP and TCP checks are made in: that of the named service, else the pod's own, else the
// host's where services are in it.
func reaching(spec engine.PodSpec, service string, e Engine, check string) (dial, error) {
	asked := spec.Services
	if service != "" {
		c, err := named(spec, service)
		if err != nil {
			return nil, err
		}
		asked = []engine.ContainerSpec{c}
	}
	host := false
	for _, c := range asked {
		switch {
		case spec.Infra != nil && c.Host != nil && string(c.Host.NetworkMode) == "container:"+spec.Infra.Name:
			return through(e, spec.Infra.Name), nil
		case c.Host != nil && c.Host.NetworkMode.IsHost():
			host = true
		}
	}
	if host {
		return direct, nil
	}
	return nil, invalid("the task's %s can't be made: no service that it could be about shares the pod's network or the host's; "+
		"use a check of type COMMAND, or network.mode pod", check)
}
