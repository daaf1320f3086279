package compose

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/dce-go/dce/go/engine"
)

// container translates container n (from 1) of a service as compose would create it (docker/compose
// pkg/compose/create.go, getCreateConfigs), but for what a pod does differently.
func (l *Layout) container(s *placed, n int) (engine.ContainerSpec, error) {
	spec := engine.ContainerSpec{
		Service: s.Name, Name: s.names[n-1], Image: s.Image,
		Platform: cmp.Or(s.Platform, l.Project.Environment["DOCKER_DEFAULT_PLATFORM"]),
		Signal:   s.StopSignal, Grace: grace(s.StopGracePeriod), Health: healthSource(s.HealthCheck),
		Needs: l.needs(s), Essential: s.essential, Init: s.init, Reserved: reserved(s),
	}
	if _, err := reference.ParseAnyReference(s.Image); err != nil {
		return spec, badService(s.Name, "image", "write it like registry.example.org/team/name:tag", "%q is no name of an image: %v", s.Image, err)
	}
	var err error
	if spec.Pull, err = l.pullPolicy(s); err != nil {
		return spec, err
	}
	if spec.Restart, err = restart(s); err != nil {
		return spec, err
	}
	if spec.Files, err = l.files(s); err != nil {
		return spec, err
	}
	if spec.Config, err = l.config(s, n); err != nil {
		return spec, err
	}
	if spec.Host, err = l.hostConfig(s); err != nil {
		return spec, err
	}
	return spec, l.attach(&spec, s, n)
}

// pullPolicy maps compose's policies to what the engine package does; it is empty where the file does not say, for others
// to fill in. Those that pull an image when it has got old pull
// always: an image that did not change costs a request.
func (l *Layout) pullPolicy(s *placed) (engine.PullPolicy, error) {
	if s.PullPolicy == "" {
		return "", nil
	}
	policy, _, err := s.GetPullPolicy()
	if err != nil {
		return "", badService(s.Name, "pull_policy", "use always, missing or never", "%q is no pull policy", s.PullPolicy)
	}
	switch policy {
	case types.PullPolicyAlways:
		return engine.PullAlways, nil
	case types.PullPolicyNever:
		return engine.PullNever, nil
	case types.PullPolicyRefresh:
		l.warn("service %s: pull_policy %s pulls at every launch", s.Name, s.PullPolicy)
		return engine.PullAlways, nil
	}
	return engine.PullMissing, nil
}

func (l *Layout) config(s *placed, n int) (*container.Config, error) {
	all, err := l.serviceLabels(s, n)
	if err != nil {
		return nil, err
	}
	check, err := healthcheck(s.Name, s.HealthCheck)
	if err != nil {
		return nil, err
	}
	config := &container.Config{
		User: s.User, Tty: s.Tty, OpenStdin: s.StdinOpen, AttachStdout: true, AttachStderr: true,
		Cmd: []string(s.Command), Entrypoint: []string(s.Entrypoint), Image: s.Image, WorkingDir: s.WorkingDir,
		Labels: all, StopSignal: s.StopSignal, StopTimeout: stopTimeout(s.StopGracePeriod),
		Env: l.environment(s), Healthcheck: check,
	}
	if s.space != infraSpace {
		config.Hostname, config.Domainname, config.ExposedPorts = s.Hostname, s.DomainName, s.exposed()
	}
	return config, nil
}

func (l *Layout) hostConfig(s *placed) (*container.HostConfig, error) {
	binds, mounts, err := l.mounts(s)
	if err != nil {
		return nil, err
	}
	volumesFrom, err := l.volumesFrom(s)
	if err != nil {
		return nil, err
	}
	options, unconfined, err := securityOptions(s)
	if err != nil {
		return nil, err
	}
	host := &container.HostConfig{
		Annotations: s.Annotations, Binds: binds, Mounts: mounts, CapAdd: s.CapAdd, CapDrop: s.CapDrop, Init: s.Init,
		NetworkMode: container.NetworkMode(s.net), IpcMode: container.IpcMode(s.ipc), PidMode: container.PidMode(s.pid),
		ReadonlyRootfs: s.ReadOnly, ShmSize: int64(s.ShmSize), Resources: l.resources(s), VolumesFrom: volumesFrom,
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		SecurityOpt:   options, StorageOpt: s.StorageOpt, UsernsMode: container.UsernsMode(s.UserNSMode),
		UTSMode: container.UTSMode(s.Uts), Privileged: s.Privileged, Tmpfs: tmpfs(s.Tmpfs),
		Isolation: container.Isolation(s.Isolation), Runtime: s.Runtime, GroupAdd: s.GroupAdd,
		OomScoreAdj: int(s.OomScoreAdj),
	}
	if s.Logging != nil {
		host.LogConfig = container.LogConfig{Type: s.Logging.Driver, Config: s.Logging.Options}
	}
	if unconfined {
		host.MaskedPaths, host.ReadonlyPaths = []string{}, []string{}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Sysctls)) {
		if !l.hoisted(s, key) {
			if host.Sysctls == nil {
				host.Sysctls = map[string]string{}
			}
			host.Sysctls[key] = s.Sysctls[key]
		}
	}
	return host, nil
}

// attach gives a container that is not in another's network namespace what belongs to its own.
func (l *Layout) attach(spec *engine.ContainerSpec, s *placed, n int) error {
	if strings.HasPrefix(s.net, types.ContainerPrefix) {
		return nil
	}
	if err := cmp.Or(checkDNS(s), checkMAC(s.Name, s.MacAddress)); err != nil {
		return err
	}
	spec.Host.DNS, spec.Host.DNSSearch, spec.Host.DNSOptions = s.DNS, s.DNSSearch, s.DNSOpts
	spec.Host.ExtraHosts = extraHosts(s.ExtraHosts)
	if s.space == hostSpace {
		if host := l.onHost(); len(host) > 1 {
			var err error
			spec.Host.ExtraHosts, err = l.sharedHosts(host)
			return err
		}
		return nil
	}
	spec.Host.PortBindings = bindings(s.ports[n-1])
	if s.net != "" { // none, or an engine's network that the service names itself
		spec.Host.Links = externalLinks(s)
		return nil
	}
	links := l.links(s, strconv.Itoa(n))
	spec.Host.Links = links
	spec.Networks = map[string]*network.EndpointSettings{}
	primary := ""
	for i, key := range s.NetworksByPriority() {
		endpoint, err := l.endpoint(s, key, spec.Name)
		if err != nil {
			return err
		}
		endpoint.Links = links
		if i == 0 {
			if s.MacAddress != "" && endpoint.MacAddress != "" && s.MacAddress != endpoint.MacAddress {
				return badService(s.Name, "mac_address", "use one address", "it is not the mac_address of its network %s", key)
			}
			endpoint.MacAddress = cmp.Or(endpoint.MacAddress, s.MacAddress)
			primary = l.networkName(key)
		}
		spec.Networks[l.networkName(key)] = endpoint
	}
	spec.Host.NetworkMode = container.NetworkMode(cmp.Or(primary, network.NetworkNone))
	return nil
}

// onHost are the services on the host's network, by name.
func (l *Layout) onHost() []*placed {
	var all []*placed
	for _, name := range l.byName() {
		if service := l.services[name]; service.space == hostSpace && len(service.names) > 0 {
			all = append(all, service)
		}
	}
	return all
}

// securityOptions translates security_opt; Load has put the content of seccomp profiles in.
func securityOptions(s *placed) (options []string, unconfined bool, err error) {
	for _, option := range s.SecurityOpt {
		if option == "systempaths=unconfined" {
			unconfined = true
			continue
		}
		if !strings.ContainsAny(option, "=:") && option != "no-new-privileges" {
			return nil, false, badService(s.Name, "security_opt", "write it as name=value", "%q is no security option", option)
		}
		options = append(options, option)
	}
	return options, unconfined, nil
}
