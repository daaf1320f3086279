package compose

import (
	"cmp"
	"maps"
	"net"
	"net/netip"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/network"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// interfaceName is the driver option that names an endpoint's interface (libnetwork/netlabel).
const interfaceName = "com.docker.network.endpoint.ifname"

// networkName is a network's name on the engine: its own if it is external, else one that belongs to the pod.
func (l *Layout) networkName(key string) string {
	if config := l.Project.Networks[key]; config.External {
		return config.Name
	}
	return l.Pod + "_" + key
}

// neededNetworks are the keys of the networks that the infra container must be on. They are none, and it sits on the
// engine's default bridge, as long as the file's networks only keep apart what shares a namespace in a pod. As soon as
// one of them matters, it is on all of them, as the services would be.
func (l *Layout) neededNetworks() []string {
	var keys []string
	matters, internal := false, true
	for _, service := range l.members() {
		for key, endpoint := range service.Networks {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
			matters = matters || networkMatters(l.Project.Networks[key]) || endpointMatters(endpoint)
			internal = internal && l.Project.Networks[key].Internal
		}
	}
	slices.Sort(keys)
	if matters || internal && len(keys) > 0 {
		return keys
	}
	for _, key := range keys {
		if l.Project.Networks[key].Internal {
			l.warn("the network %s is internal, which has no effect in a pod with other networks: all services share them", key)
		}
	}
	return nil
}

func networkMatters(n types.NetworkConfig) bool {
	return bool(n.External) || n.Driver != "" && n.Driver != "bridge" || len(n.DriverOpts) > 0 ||
		n.Ipam.Driver != "" || len(n.Ipam.Config) > 0 || len(n.Ipam.Options) > 0 ||
		n.EnableIPv4 != nil && !*n.EnableIPv4 || n.EnableIPv6 != nil && *n.EnableIPv6
}

func endpointMatters(e *types.ServiceNetworkConfig) bool {
	return e != nil && (e.Ipv4Address != "" || e.Ipv6Address != "" || e.MacAddress != "" || len(e.LinkLocalIPs) > 0 ||
		len(e.DriverOpts) > 0 || e.InterfaceName != "" || e.GatewayPriority != 0)
}

// networks returns the networks that the pod creates: those that a container of it is on and that are its own.
func (l *Layout) networks(used map[string]bool) ([]engine.NetworkSpec, error) {
	var specs []engine.NetworkSpec
	for _, key := range slices.Sorted(maps.Keys(used)) {
		config := l.Project.Networks[key]
		if config.External {
			continue
		}
		if config.Name != l.Project.Name+"_"+key {
			l.warn("the network %s is named %s by the pod, not %s: make it external to share it", key, l.networkName(key), config.Name)
		}
		for _, pool := range config.Ipam.Config {
			if err := checkPool(key, pool); err != nil {
				return nil, err
			}
		}
		all := l.objectLabels(config.Labels)
		all[labels.ComposeNetwork] = key
		specs = append(specs, engine.NetworkSpec{Name: l.networkName(key), Options: network.CreateOptions{
			Driver: config.Driver, Options: config.DriverOpts, IPAM: ipam(config.Ipam), Internal: config.Internal,
			Attachable: config.Attachable, EnableIPv4: config.EnableIPv4, EnableIPv6: config.EnableIPv6, Labels: all,
		}})
	}
	slices.SortFunc(specs, func(a, b engine.NetworkSpec) int { return cmp.Compare(a.Name, b.Name) })
	return specs, nil
}

func ipam(config types.IPAMConfig) *network.IPAM {
	if config.Driver == "" && len(config.Config) == 0 && len(config.Options) == 0 {
		return nil
	}
	out := &network.IPAM{Driver: config.Driver, Options: config.Options}
	for _, pool := range config.Config {
		out.Config = append(out.Config, network.IPAMConfig{
			Subnet: pool.Subnet, IPRange: pool.IPRange, Gateway: pool.Gateway, AuxAddress: pool.AuxiliaryAddresses,
		})
	}
	return out
}

func checkPool(key string, pool *types.IPAMPool) error {
	bad := func(what, value string) error {
		return &Error{Key: "networks." + key + ".ipam.config", Problem: what + " " + value + " is not valid", Fix: "correct it"}
	}
	if _, err := netip.ParsePrefix(pool.Subnet); pool.Subnet != "" && err != nil {
		return bad("subnet", pool.Subnet)
	}
	if _, err := netip.ParsePrefix(pool.IPRange); pool.IPRange != "" && err != nil {
		return bad("ip_range", pool.IPRange)
	}
	if _, err := netip.ParseAddr(pool.Gateway); pool.Gateway != "" && err != nil {
		return bad("gateway", pool.Gateway)
	}
	for _, value := range pool.AuxiliaryAddresses {
		if _, err := netip.ParseAddr(value); err != nil {
			return bad("aux_addresses", value)
		}
	}
	return nil
}

// endpoint translates one network of a service, as compose does; container is the name of the container that is on it.
func (l *Layout) endpoint(s *placed, key, container string) (*network.EndpointSettings, error) {
	config := s.Networks[key]
	settings := &network.EndpointSettings{Aliases: []string{container}}
	if s.ContainerName != "" {
		settings.Aliases = append(settings.Aliases, s.ContainerName)
	}
	if config.ServiceNameAliasEnabled() {
		settings.Aliases = append(settings.Aliases, s.Name)
	}
	if config == nil {
		return settings, nil
	}
	for _, address := range append([]string{config.Ipv4Address, config.Ipv6Address}, config.LinkLocalIPs...) {
		if _, err := netip.ParseAddr(address); address != "" && err != nil {
			return nil, badService(s.Name, "networks."+key, "write an IP address", "%q is no address", address)
		}
	}
	settings.Aliases = append(settings.Aliases, config.Aliases...)
	settings.IPAMConfig = &network.EndpointIPAMConfig{
		IPv4Address: config.Ipv4Address, IPv6Address: config.Ipv6Address, LinkLocalIPs: config.LinkLocalIPs,
	}
	settings.MacAddress = config.MacAddress
	settings.GwPriority = config.GatewayPriority
	settings.DriverOpts = maps.Clone(config.DriverOpts)
	if config.InterfaceName != "" {
		if settings.DriverOpts == nil {
			settings.DriverOpts = map[string]string{}
		}
		settings.DriverOpts[interfaceName] = cmp.Or(settings.DriverOpts[interfaceName], config.InterfaceName)
	}
	return settings, nil
}

// checkMAC refuses what is no MAC address, before the engine does it with fewer words.
func checkMAC(service, address string) error {
	if _, err := net.ParseMAC(address); address != "" && err != nil {
		return badService(service, "mac_address", "write it as 02:42:ac:11:00:02", "%q is no MAC address", address)
	}
	return nil
}
