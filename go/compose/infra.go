package compose

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// infraGrace is far more than pause takes to exit.
const infraGrace = 10 * time.Second

// infra is the container that owns what the pod's containers share. Everything that Docker refuses of a container in
// another's network namespace (ports, names, name servers, sysctls, addresses) is hoisted to it from the members.
func (l *Layout) infra() (*engine.ContainerSpec, error) {
	if l.Infra == "" {
		return nil, nil
	}
	members := l.members()
	spec := &engine.ContainerSpec{
		Service: l.infraName(), Name: l.Infra, Image: l.Target.PauseImage, Pull: engine.PullNever,
		Grace: infraGrace, Health: engine.HealthNone, Publishes: map[string]string{},
		Config: &container.Config{
			Image: l.Target.PauseImage, ExposedPorts: nat.PortSet{}, AttachStdout: true, AttachStderr: true,
			Labels: labels.ForService(l.Target.Identity.Labels(l.Target.Version), l.infraName(), labels.RoleInfra, "1"),
		},
		Host: &container.HostConfig{
			NetworkMode: network.NetworkNone, IpcMode: container.IPCModeShareable, PortBindings: nat.PortMap{},
			RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyDisabled},
			ReadonlyRootfs: true, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
			Resources: container.Resources{CgroupParent: l.Target.CgroupParent},
		},
	}
	for _, service := range members {
		maps.Copy(spec.Config.ExposedPorts, service.exposed())
		for _, ports := range service.ports {
			for port, hosts := range bindings(ports) {
				spec.Host.PortBindings[port] = append(spec.Host.PortBindings[port], hosts...)
				spec.Publishes[string(port)] = service.Name
			}
		}
		spec.Host.Links = append(spec.Host.Links, externalLinks(service)...)
	}
	for _, name := range l.byName() { // shared memory belongs to whoever owns the IPC namespace
		if s := l.services[name]; s.ipc == types.ContainerPrefix+l.Infra {
			spec.Host.ShmSize = max(spec.Host.ShmSize, int64(s.ShmSize))
		}
	}
	if len(members) > 0 {
		hosts, err := l.sharedHosts(members)
		if err != nil {
			return nil, err
		}
		spec.Host.ExtraHosts = hosts
	}
	l.hoistNames(spec, members)
	if err := l.hoistResolver(spec, members); err != nil {
		return nil, err
	}
	if err := l.hoistSysctls(spec); err != nil {
		return nil, err
	}
	return spec, l.connect(spec, members)
}

// infraName is how the infra container is called beside the services.
func (l *Layout) infraName() string {
	if _, taken := l.Project.Services[infraService]; taken {
		return "dce-" + infraService
	}
	return infraService
}

// hoistNames gives infra the host name of the members if they agree on one; there is one for the namespace.
func (l *Layout) hoistNames(spec *engine.ContainerSpec, members []*placed) {
	seen := map[[2]string]bool{}
	for _, s := range members {
		if s.Hostname != "" || s.DomainName != "" {
			seen[[2]string{s.Hostname, s.DomainName}] = true
			spec.Config.Hostname, spec.Config.Domainname = s.Hostname, s.DomainName
		}
	}
	if len(seen) > 1 {
		spec.Config.Hostname, spec.Config.Domainname = "", ""
		l.warn("services ask for %d different host names, but a pod has one, so they only resolve to it", len(seen))
	}
}

// hoistResolver joins dns, dns_search and dns_opt of the members: there is one resolv.conf.
func (l *Layout) hoistResolver(spec *engine.ContainerSpec, members []*placed) error {
	join := func(to *[]string, from []string) {
		for _, value := range from {
			if !slices.Contains(*to, value) {
				*to = append(*to, value)
			}
		}
	}
	with := 0
	for _, s := range members {
		if err := checkDNS(s); err != nil {
			return err
		}
		join(&spec.Host.DNS, s.DNS)
		join(&spec.Host.DNSSearch, s.DNSSearch)
		join(&spec.Host.DNSOptions, s.DNSOpts)
		if len(s.DNS)+len(s.DNSSearch)+len(s.DNSOpts) > 0 {
			with++
		}
	}
	if with > 0 && with < len(members) {
		l.warn("dns, dns_search and dns_opt of %d services apply to all %d in the pod", with, len(members))
	}
	return nil
}

// ofNamespace says whether a sysctl belongs to the namespace, as runc sorts them (libcontainer/configs/validate).
func ofNamespace(sysctl, namespace string) bool {
	if namespace == ShareNet {
		return strings.HasPrefix(sysctl, "net.")
	}
	return strings.HasPrefix(sysctl, "fs.mqueue.") || strings.HasPrefix(sysctl, "kernel.shm") ||
		strings.HasPrefix(sysctl, "kernel.msg") || sysctl == "kernel.sem"
}

// hoisted says whether infra owns the namespace that a sysctl of a service belongs to.
func (l *Layout) hoisted(s *placed, sysctl string) bool {
	joined := types.ContainerPrefix + l.Infra
	return s.net == joined && ofNamespace(sysctl, ShareNet) || s.ipc == joined && ofNamespace(sysctl, ShareIPC)
}

func (l *Layout) hoistSysctls(spec *engine.ContainerSpec) error {
	from := map[string]string{}
	for _, name := range l.byName() {
		s := l.services[name]
		for _, key := range slices.Sorted(maps.Keys(s.Sysctls)) {
			if len(s.names) == 0 || !l.hoisted(s, key) {
				continue
			}
			if other, ok := from[key]; ok && spec.Host.Sysctls[key] != s.Sysctls[key] {
				return badService(name, "sysctls."+key, "use one value, or the network mode compose",
					"services %s and %s share a namespace and set it to different values", other, name)
			}
			if spec.Host.Sysctls == nil {
				spec.Host.Sysctls = map[string]string{}
			}
			spec.Host.Sysctls[key], from[key] = s.Sysctls[key], name
		}
	}
	return nil
}
