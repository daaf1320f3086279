package engine

import (
	"slices"

	"github.com/dce-go/dce/go/labels"
)

// over says whether a container has ended for good: no restart policy brings it back. Whoever watches the pod ends Up where
// the policy has run out.
func over(c *ContainerSpec, s ContainerState) bool {
	return (s.Status == StatusExited || s.Status == StatusDead) && (c.infra() || !c.restarts(s.ExitCode))
}

// restarts says whether a restart policy brings the container back. An init container has done its work with 0.
func (c *ContainerSpec) restarts(exitCode int) bool {
	return c.Restart.After(exitCode) && !(c.Init && exitCode == 0)
}

// verdict says whether a condition of a container has come, or why it never will. It is pure.
func verdict(c *ContainerSpec, condition Condition, s ContainerState) (come bool, never *OpError) {
	over := over(c, s)
	switch condition {
	case Completed:
		if over && s.ExitCode != 0 {
			return false, exitError(c, s)
		}
		return over, nil
	case Healthy:
		switch {
		case over:
			return false, exitError(c, s)
		case s.Health == HealthUnhealthy:
			return false, unhealthyError(c)
		}
		return s.Health == HealthHealthy, nil
	default:
		return s.Status == StatusRunning, nil
	}
}

// fatal says why a pod can't come up any more, given what became of one container. It is pure. What only ends early and
// is neither essential nor an init container is left to those who depend on it.
func fatal(c *ContainerSpec, s ContainerState) *OpError {
	over := over(c, s)
	switch {
	case over && s.Role == labels.RoleInfra:
		return infraError(s)
	case over && s.ExitCode != 0 && (c.Essential || c.Init):
		return exitError(c, s)
	case s.Status == StatusRunning && s.Health == HealthUnhealthy:
		return unhealthyError(c)
	}
	return nil
}

// wait ends a wait if its condition has come. One that never will is an error if some service insists on it.
func (r *run) wait(o *Op) error {
	c := o.Container
	if o.Condition == Healthy && hasHealth(c, r.images) == no {
		if by := r.insists(o); by != "" {
			return noHealthcheck(by, c)
		}
		r.finish(o)
		return nil
	}
	come, never := verdict(c, o.Condition, r.states[r.ids[c.Name]])
	switch {
	case come:
		r.finish(o)
	case never != nil && r.insists(o) != "":
		return dependencyError(o, never)
	case never != nil:
		r.log.WithField("service", c.Service).Warnf("%v; no service insists on it.", never)
		r.status[o] = failed
	}
	return nil
}

// insists returns a service that does not start without o, or "".
func (r *run) insists(o *Op) string {
	for _, other := range r.plan.Ops {
		if slices.ContainsFunc(other.Needs, func(n Need) bool { return n.Op == o && !n.Optional }) {
			return other.Container.Service
		}
	}
	return ""
}

// judge ends the waits that can be ended and looks for what makes the rest pointless.
func (r *run) judge() error {
	for _, o := range r.plan.Ops {
		if o.Kind == OpWait && r.status[o] == underWay {
			if err := r.wait(o); err != nil {
				return err
			}
		}
	}
	for _, c := range r.containers() {
		if s, known := r.states[r.ids[c.Name]]; known {
			if err := fatal(c, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// vanished says which container was there before and is not any more.
func (r *run) vanished(before map[string]ContainerState) error {
	for _, c := range r.containers() {
		id := r.ids[c.Name]
		_, was := before[id]
		if _, is := r.states[id]; was && !is {
			return goneError(c)
		}
	}
	return nil
}

func (r *run) containers() []*ContainerSpec {
	var out []*ContainerSpec
	if r.spec.Infra != nil {
		out = append(out, r.spec.Infra)
	}
	for i := range r.spec.Services {
		out = append(out, &r.spec.Services[i])
	}
	return out
}
