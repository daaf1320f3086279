package compose

import (
	"strconv"

	"github.com/docker/go-connections/nat"
)

// listener is a range of ports that a service is known to listen on.
type listener struct {
	service    string
	first, end uint64
	protocol   string
}

// checkListeners refuses two containers that are known to listen on one port of a namespace that they share.
func (l *Layout) checkListeners() error {
	spaces := map[string][]listener{}
	for _, name := range l.byName() {
		service := l.services[name]
		if len(service.names) == 0 {
			continue
		}
		all, err := listeners(service)
		if err != nil {
			return err
		}
		for _, one := range all {
			if len(service.names) > 1 && service.space != name {
				return badService(name, "ports", "set scale to 1, or use the network mode compose",
					"its %d containers share a network namespace and can't all listen on port %d/%s", len(service.names), one.first, one.protocol)
			}
			for _, other := range spaces[service.space] {
				if other.service != name && other.protocol == one.protocol && other.first <= one.end && one.first <= other.end {
					return badService(name, "ports", "make one of them listen on another port, or use the network mode compose",
						"services %s and %s share a network namespace and can't both listen on port %d/%s",
						other.service, name, max(one.first, other.first), one.protocol)
				}
			}
			spaces[service.space] = append(spaces[service.space], one)
		}
	}
	return nil
}

// listeners returns what a service says of its ports: those it publishes and those it exposes.
func listeners(service *placed) ([]listener, error) {
	var all []listener
	for _, port := range service.Ports {
		checked, err := published(service.Name, port)
		if err != nil {
			return nil, err
		}
		all = append(all, listener{service.Name, uint64(checked.Container), uint64(checked.Container), checked.Protocol})
	}
	for _, exposed := range service.Expose {
		protocol, ports := nat.SplitProtoPort(exposed)
		first, end, err := nat.ParsePortRange(ports)
		if err != nil {
			return nil, badService(service.Name, "expose", "write 80, 80/udp or 80-90", "%q is no port", exposed)
		}
		all = append(all, listener{service.Name, first, end, protocol})
	}
	return all, nil
}

// exposed is the set of ports of a container, as Config.ExposedPorts wants it.
func (s *placed) exposed() nat.PortSet {
	all, err := listeners(s)
	if err != nil {
		return nil // checkListeners has refused it
	}
	ports := nat.PortSet{}
	for _, one := range all {
		for port := one.first; port <= one.end; port++ {
			ports[nat.Port(strconv.FormatUint(port, 10)+"/"+one.protocol)] = struct{}{}
		}
	}
	return ports
}

// bindings are the host ports of a container, as HostConfig.PortBindings wants them.
func bindings(ports []PublishedPort) nat.PortMap {
	bound := nat.PortMap{}
	for _, port := range ports {
		key := nat.Port(strconv.Itoa(int(port.Container)) + "/" + port.Protocol)
		bound[key] = append(bound[key], nat.PortBinding{HostIP: port.HostIP, HostPort: port.hostRange})
	}
	return bound
}
