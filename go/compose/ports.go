package compose

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/go-connections/nat"
)

// assignPorts gives every published port its host port: one that the task was offered, by name or else in the order of
// the files. What the file asks for is only taken where nothing was offered and static ports are allowed.
func (l *Layout) assignPorts() error {
	pool, err := l.claimNamed()
	if err != nil {
		return err
	}
	for _, name := range l.Project.Order {
		service := l.services[name]
		service.ports = make([][]PublishedPort, len(service.names))
		if service.net == "none" {
			if len(service.Ports) > 0 {
				l.warn("service %s: it has no network, ports is ignored", name)
			}
			continue
		}
		for n := range service.names {
			given := map[string]uint16{} // by what the file asks for: both protocols of one host port stay together
			for _, wanted := range service.Ports {
				port, err := published(name, wanted)
				if err != nil {
					return err
				}
				if service.space == hostSpace {
					l.warn("service %s: it uses the host's network, so its port %d/%s is not mapped", name, port.Container, port.Protocol)
					port.Host = port.Container
					l.Ports = append(l.Ports, port)
					continue
				}
				if pool, err = l.hostPort(&port, wanted.Published, pool, given); err != nil {
					return err
				}
				if err := l.checkHostPort(port); err != nil {
					return err
				}
				service.ports[n] = append(service.ports[n], port)
				l.Ports = append(l.Ports, port)
			}
		}
	}
	return nil
}

// hostPort fills in the host port and returns what is left of pool.
func (l *Layout) hostPort(port *PublishedPort, wanted string, pool []uint16, given map[string]uint16) ([]uint16, error) {
	host, known := uint16(0), false
	if port.Name != "" {
		host, known = l.Target.Named[port.Name]
	}
	if !known && wanted != "" {
		host, known = given[wanted+"/"+otherProtocol(port.Protocol)]
	}
	if !known && len(pool) > 0 {
		host, pool, known = pool[0], pool[1:], true
	}
	switch {
	case known:
		port.Host, port.hostRange = host, strconv.Itoa(int(host))
		if wanted != "" {
			given[wanted+"/"+port.Protocol] = host
		}
	case len(l.Target.Offered)+len(l.Target.Named) > 0:
		return nil, badService(port.Service, "ports", "ask for more ports in the task's resources, or publish fewer",
			"there is no host port left for %d/%s: the pod publishes %d and the task was offered %d",
			port.Container, port.Protocol, l.wanted(), len(l.Target.Offered))
	case wanted != "" && !l.Target.AllowStaticPorts:
		return nil, badService(port.Service, "ports", "ask for a port in the task's resources, or set ports.allow_static",
			"the host port %s wanted for %d/%s was not offered to the task", wanted, port.Container, port.Protocol)
	default: // the engine binds what is wanted, or a free port
		port.hostRange = wanted
		if fixed, err := strconv.ParseUint(wanted, 10, 16); err == nil {
			port.Host = uint16(fixed)
		}
	}
	return pool, nil
}

// claimNamed returns the offered ports that no port of the project claims by name.
func (l *Layout) claimNamed() ([]uint16, error) {
	claimed, users := map[uint16]bool{}, map[string]string{}
	for _, name := range l.Project.Order {
		service := l.services[name]
		for _, port := range service.Ports {
			host, ok := l.Target.Named[port.Name]
			if !ok || port.Name == "" {
				continue
			}
			key := strconv.Itoa(int(host)) + "/" + cmp.Or(port.Protocol, "tcp")
			if other, taken := users[key]; taken || len(service.names) > 1 {
				return nil, badService(name, "ports", "give every port a name of its own",
					"the host port named %s can be published once only, and %s does too", port.Name, cmp.Or(other, "another container of it"))
			}
			claimed[host], users[key] = true, "service "+name
		}
	}
	return slices.DeleteFunc(slices.Clone(l.Target.Offered), func(port uint16) bool { return claimed[port] }), nil
}

// wanted is how many host ports the project publishes.
func (l *Layout) wanted() int {
	n := 0
	for _, service := range l.services {
		if service.space != hostSpace && service.net != "none" {
			n += len(service.Ports) * len(service.names)
		}
	}
	return n
}

// checkHostPort refuses two ports on one host port; a range is left to the engine.
func (l *Layout) checkHostPort(port PublishedPort) error {
	for _, other := range l.Ports {
		if port.Host != 0 && port.Host == other.Host && port.Protocol == other.Protocol &&
			(port.HostIP == other.HostIP || port.HostIP == "" || other.HostIP == "") {
			return badService(port.Service, "ports", "publish one of them on another",
				"the host port %d/%s is published by service %s as well", port.Host, port.Protocol, other.Service)
		}
	}
	return nil
}

func published(service string, port types.ServicePortConfig) (PublishedPort, error) {
	proto := cmp.Or(port.Protocol, "tcp")
	if port.Target == 0 || port.Target > 65535 || !slices.Contains([]string{"tcp", "udp", "sctp"}, proto) {
		return PublishedPort{}, badService(service, "ports", "use a port from 1 to 65535 with tcp, udp or sctp",
			"there is no port %d/%s", port.Target, proto)
	}
	if _, _, err := nat.ParsePortRange(port.Published); port.Published != "" && err != nil {
		return PublishedPort{}, badService(service, "ports", "use a port from 1 to 65535, or a range of them",
			"there is no host port %s", port.Published)
	}
	return PublishedPort{
		Service: service, Name: port.Name, HostIP: port.HostIP, Container: uint16(port.Target), Protocol: proto,
	}, nil
}

func otherProtocol(protocol string) string {
	if protocol == "udp" {
		return "tcp"
	}
	return "udp"
}
