package compose

import (
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// join decides for every service which namespaces it joins, and whether the pod needs an infra container for that.
// References between services have no cycle: compose-go makes a dependency of each and refuses cycles.
func (l *Layout) join() error {
	infra := l.Pod + "-" + infraService // no container of a service ends without a number
	for _, name := range l.byName() {
		service := l.services[name]
		var err error
		if service.net, service.space, err = l.network(name, infra); err != nil {
			return err
		}
		if service.ipc, err = l.namespace(name, ShareIPC, infra); err != nil {
			return err
		}
		if service.pid, err = l.namespace(name, SharePID, infra); err != nil {
			return err
		}
		if service.Uts != "" && service.Uts != "host" {
			return badService(name, "uts", "use host, or remove it", "Docker can't share a UTS namespace with %q", service.Uts)
		}
	}
	joined := types.ContainerPrefix + infra
	for _, service := range l.services {
		if len(service.names) > 0 && (service.net == joined || service.ipc == joined || service.pid == joined) {
			l.Infra = infra
		}
	}
	// A container lets others into its IPC namespace only if it was created so.
	for _, name := range l.byName() {
		donor, ok := strings.CutPrefix(l.services[name].Ipc, types.ServicePrefix)
		switch {
		case ok && l.services[donor].ipc == "":
			l.services[donor].ipc = "shareable"
		case ok && l.services[donor].ipc == "private", ok && l.services[donor].ipc == "none":
			return badService(donor, "ipc", "make it shareable, or remove it", "%s keeps the service %s out, which wants to share it",
				l.services[donor].ipc, name)
		}
	}
	if l.Infra != "" && l.Target.PauseImage == "" {
		return &Error{Problem: "the pod needs an infra container, but no pause image is given", Fix: "set Target.PauseImage"}
	}
	return nil
}

// network returns HostConfig.NetworkMode of a service, empty for endpoints of its own, and whose namespace that is.
func (l *Layout) network(name, infra string) (mode, space string, err error) {
	asked := l.services[name].NetworkMode
	if donor, ok := strings.CutPrefix(asked, types.ServicePrefix); ok {
		first, err := l.firstContainer(name, "network_mode", donor)
		if err != nil {
			return "", "", err
		}
		mode, space, err := l.network(donor, infra)
		if err == nil && space != infraSpace && space != hostSpace {
			mode = types.ContainerPrefix + first
		}
		return mode, space, err
	}
	switch {
	case strings.HasPrefix(asked, types.ContainerPrefix):
		return asked, asked, nil
	case asked == "host":
		return "host", hostSpace, nil
	case asked == "none":
		return "none", name, nil
	case asked == "disabled":
		return "", "", badService(name, "network_mode", "use none", "network_mode disabled is not for a pod")
	case l.Target.collapsed(): // an existing network that it names is joined by infra
		return types.ContainerPrefix + infra, infraSpace, nil
	}
	switch l.Target.networkMode() {
	case NetworkHost:
		return "host", hostSpace, nil
	case NetworkNone:
		return "none", name, nil
	}
	return asked, name, nil
}

// namespace returns HostConfig.IpcMode or PidMode of a service.
func (l *Layout) namespace(name, kind, infra string) (string, error) {
	asked := l.services[name].Ipc
	if kind == SharePID {
		asked = l.services[name].Pid
	}
	if donor, ok := strings.CutPrefix(asked, types.ServicePrefix); ok {
		first, err := l.firstContainer(name, kind, donor)
		if err != nil {
			return "", err
		}
		mode, err := l.namespace(donor, kind, infra)
		if err == nil && mode != "host" && !strings.HasPrefix(mode, types.ContainerPrefix) {
			mode = types.ContainerPrefix + first
		}
		return mode, err
	}
	if asked == "" && l.Target.shares(kind) {
		return types.ContainerPrefix + infra, nil
	}
	return asked, nil
}

// firstContainer is the container that stands for a service that another refers to, as in compose.
func (l *Layout) firstContainer(name, key, donor string) (string, error) {
	service, ok := l.services[donor]
	if !ok || len(service.names) == 0 {
		return "", badService(name, key, "refer to a service that runs", "there is no container of service %s to share with", donor)
	}
	return service.names[0], nil
}

// checkJoined refuses what Docker refuses of a container that joins the network of another one. For members of the pod
// it is hoisted to the infra container instead.
func (l *Layout) checkJoined() error {
	for _, name := range l.byName() {
		s := l.services[name]
		if !strings.HasPrefix(s.net, types.ContainerPrefix) || s.space == infraSpace {
			continue
		}
		for _, set := range []struct {
			key string
			is  bool
		}{
			{"ports", len(s.Ports) > 0}, {"expose", len(s.Expose) > 0}, {"hostname", s.Hostname != ""},
			{"domainname", s.DomainName != ""}, {"dns", len(s.DNS) > 0}, {"dns_search", len(s.DNSSearch) > 0},
			{"dns_opt", len(s.DNSOpts) > 0}, {"extra_hosts", len(s.ExtraHosts) > 0}, {"links", len(s.Links) > 0},
			{"external_links", len(s.ExternalLinks) > 0}, {"mac_address", s.MacAddress != ""},
		} {
			if set.is {
				return badService(name, set.key, "set it there", "belongs to the container whose network the service joins (%s)", s.NetworkMode)
			}
		}
	}
	return nil
}
