package compose

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// assignRoles finds the init containers and the essential ones. A label that says true makes the other services sidecars;
// without one, all are essential that are no init containers and are not labelled false.
func (l *Layout) assignRoles() error {
	for _, name := range l.byName() {
		for dependency, how := range l.services[name].DependsOn {
			if donor, ok := l.services[dependency]; ok && engine.Condition(how.Condition) == engine.Completed {
				donor.init = true
			}
		}
	}
	chosen := map[string]bool{}
	picked := false
	for _, name := range l.byName() {
		value, labelled := l.services[name].Labels[labels.Essential]
		if !labelled {
			chosen[name] = true
			continue
		}
		essential, err := strconv.ParseBool(value)
		if err != nil {
			return badService(name, "labels."+labels.Essential, "write true or false", "%q is neither true nor false", value)
		}
		chosen[name] = essential
		picked = picked || essential
	}
	some := false
	for _, name := range l.byName() {
		service := l.services[name]
		_, labelled := service.Labels[labels.Essential]
		service.essential = chosen[name] && (labelled || !picked) && !service.init
		some = some || service.essential && len(service.names) > 0
		if policy, err := restart(service); err == nil && policy.On == engine.RestartAlways && service.essential && l.Target.Kind == KindJob {
			l.warn("service %s: the pod is a job, so it is done when the service exits with 0, whatever its restart policy says", name)
		}
		if service.init && labelled && chosen[name] {
			l.warn("service %s: others wait for it to complete, so it does not count as essential", name)
		}
	}
	if !some {
		return &Error{Key: "labels." + labels.Essential, Problem: "no service that runs is essential, so nothing would end the pod",
			Fix: "label a service true that is no init container"}
	}
	return l.checkWaits()
}

// checkWaits refuses conditions that can never be met.
func (l *Layout) checkWaits() error {
	for _, name := range l.byName() {
		for _, dependency := range slices.Sorted(maps.Keys(l.services[name].DependsOn)) {
			donor, ok := l.services[dependency]
			condition := engine.Condition(l.services[name].DependsOn[dependency].Condition)
			if ok && condition == engine.Healthy && healthSource(donor.HealthCheck) == engine.HealthNone {
				return badService(name, "depends_on."+dependency, "wait for service_started, or give it a healthcheck",
					"it waits for service %s to be healthy, whose healthcheck is disabled", dependency)
			}
		}
	}
	return nil
}

// needs returns what a service waits for. A service without a container is waited for by nobody, as in compose.
func (l *Layout) needs(service *placed) []engine.Dependency {
	var needs []engine.Dependency
	for name, how := range service.DependsOn {
		if donor, ok := l.services[name]; ok && len(donor.names) > 0 {
			condition := cmp.Or(engine.Condition(how.Condition), engine.Started)
			needs = append(needs, engine.Dependency{Service: name, Condition: condition, Required: how.Required})
		}
	}
	slices.SortFunc(needs, func(a, b engine.Dependency) int { return cmp.Compare(a.Service, b.Service) })
	return needs
}
