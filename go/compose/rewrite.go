package compose

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/compose-spec/compose-go/v2/types"
)

// infraService is the name of the infra container beside the services.
const infraService = "infra"

// Layout is a project with everything decided that makes it safe beside any other: names, namespaces, host ports, roles.
type Layout struct {
	Target   Target
	Project  *Project
	Pod      string          // pod id
	Infra    string          // name of the infra container, empty where the pod needs none
	Ports    []PublishedPort // in the order in which they were assigned
	Warnings []string        // sentences for the log, those of Project first

	services map[string]*placed
}

// PublishedPort is a port of a container that can be reached through the host.
type PublishedPort struct {
	Service   string
	Name      string // of the long form, may be empty
	HostIP    string // empty: every address of the host
	Host      uint16 // 0: the engine takes a free one when the container starts
	Container uint16
	Protocol  string // "tcp", "udp" or "sctp"

	hostRange string // what the engine is asked for: a port, a range, or empty
}

// placed is a service with its place in the pod.
type placed struct {
	types.ServiceConfig
	names []string          // of its containers, by number from 1
	net   string            // HostConfig.NetworkMode; empty: endpoints of its own on the file's networks
	space string            // whose network namespace it lives in: a service's name, or one of the constants below
	ipc   string            // HostConfig.IpcMode
	pid   string            // HostConfig.PidMode
	ports [][]PublishedPort // by container; in a shared namespace they are published where it belongs

	init      bool // another waits for it to complete
	essential bool
}

// Network namespaces that belong to no service. No service has a colon in its name; "container:<name>" is one too.
const (
	infraSpace = "pod:"
	hostSpace  = "host:"
)

// Rewrite decides, without looking at anything but its arguments, how a project runs as the pod of target.
func Rewrite(project *Project, target Target) (*Layout, error) {
	if err := target.check(); err != nil {
		return nil, err
	}
	l := &Layout{
		Target: target, Project: project, Pod: target.Identity.PodID(),
		Warnings: slices.Clone(project.Warnings),
		services: make(map[string]*placed, len(project.Services)),
	}
	for _, step := range []func() error{l.place, l.join, l.checkJoined, l.checkListeners, l.assignPorts, l.assignRoles} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// place names the containers. A container_name is only another name that resolves: a host may run the pod twice.
func (l *Layout) place() error {
	total := 0
	for _, name := range l.byName() {
		service := &placed{ServiceConfig: l.Project.Services[name]}
		if service.Image == "" {
			return badService(name, "build", "build it before, push it, and name it with image", "images are not built on a Mesos agent")
		}
		for n := range service.GetScale() {
			service.names = append(service.names, l.Pod+"-"+name+"-"+strconv.Itoa(n+1))
		}
		total += len(service.names)
		l.services[name] = service
	}
	if total == 0 {
		return &Error{Problem: "there is no service to run", Fix: "add one, or activate its profile"}
	}
	return nil
}

// byName returns the names of the services, sorted.
func (l *Layout) byName() []string { return slices.Sorted(maps.Keys(l.Project.Services)) }

// members are the services in the pod's network namespace, by name.
func (l *Layout) members() []*placed {
	var members []*placed
	for _, name := range l.byName() {
		if service := l.services[name]; service.space == infraSpace && len(service.names) > 0 {
			members = append(members, service)
		}
	}
	return members
}

// warn adds a sentence for the log, once.
func (l *Layout) warn(format string, args ...any) {
	if sentence := fmt.Sprintf(format, args...); !slices.Contains(l.Warnings, sentence) {
		l.Warnings = append(l.Warnings, sentence)
	}
}
