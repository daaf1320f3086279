package compose

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/dce-go/dce/go/engine"
)

// connect puts the infra container on its networks.
func (l *Layout) connect(spec *engine.ContainerSpec, members []*placed) error {
	if len(members) == 0 {
		return nil // it only holds other namespaces
	}
	spec.Networks = map[string]*network.EndpointSettings{}
	priorities := map[string]int{}
	if mode := l.Target.networkMode(); mode == NetworkPod {
		for _, key := range l.neededNetworks() {
			joined, priority, err := l.sharedEndpoint(members, key)
			if err != nil {
				return err
			}
			spec.Networks[l.networkName(key)], priorities[l.networkName(key)] = joined, priority
		}
		for _, s := range members {
			if named := existing(s.NetworkMode); named != "" {
				spec.Networks[named] = existingEndpoint(members, named)
			}
		}
	} else {
		if len(l.neededNetworks()) > 0 {
			l.warn("the file's networks are not used: the pod is on the network %s", mode)
		}
		spec.Networks[mode] = existingEndpoint(members, mode)
	}
	primary := network.NetworkBridge
	if len(spec.Networks) > 0 {
		primary = slices.SortedFunc(maps.Keys(spec.Networks), func(a, b string) int {
			return cmp.Or(cmp.Compare(priorities[b], priorities[a]), cmp.Compare(a, b))
		})[0]
	}
	spec.Host.NetworkMode = container.NetworkMode(primary)
	return l.hoistMAC(spec, members, primary)
}

// existing is the network that a network_mode names, empty for the modes that name none.
func existing(mode string) string {
	if mode == network.NetworkBridge || mode == network.NetworkDefault || strings.Contains(mode, ":") {
		return ""
	}
	return mode
}

// existingEndpoint makes all members known on a network that is not the file's. The default bridge knows no aliases.
func existingEndpoint(members []*placed, name string) *network.EndpointSettings {
	settings := &network.EndpointSettings{}
	if name != network.NetworkBridge {
		for _, s := range members {
			settings.Aliases = append(settings.Aliases, s.Name)
		}
	}
	return settings
}

// sharedEndpoint joins what the members say of one network: an endpoint has one address of each kind.
func (l *Layout) sharedEndpoint(members []*placed, key string) (joined *network.EndpointSettings, priority int, err error) {
	joined = &network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{}, DriverOpts: map[string]string{}}
	from := map[string]string{}
	set := func(s *placed, key string, to *string, value string) error {
		if value != "" && *to != "" && *to != value {
			return badService(s.Name, key, "use one value, or the network mode compose",
				"services %s and %s share a network namespace and can't have two values for it", from[key], s.Name)
		}
		if value != "" {
			*to, from[key] = value, s.Name
		}
		return nil
	}
	for _, s := range members {
		config, on := s.Networks[key]
		if !on {
			continue
		}
		one, err := l.endpoint(s, key, s.names[0])
		if err != nil {
			return nil, 0, err
		}
		for _, name := range append(slices.Clone(s.names[1:]), one.Aliases...) {
			if !slices.Contains(joined.Aliases, name) {
				joined.Aliases = append(joined.Aliases, name)
			}
		}
		joined.Links = append(joined.Links, externalLinks(s)...)
		if config == nil {
			continue
		}
		priority = max(priority, config.Priority)
		joined.GwPriority = max(joined.GwPriority, one.GwPriority)
		joined.IPAMConfig.LinkLocalIPs = append(joined.IPAMConfig.LinkLocalIPs, one.IPAMConfig.LinkLocalIPs...)
		prefix := "networks." + key + "."
		err = cmp.Or(
			set(s, prefix+"ipv4_address", &joined.IPAMConfig.IPv4Address, one.IPAMConfig.IPv4Address),
			set(s, prefix+"ipv6_address", &joined.IPAMConfig.IPv6Address, one.IPAMConfig.IPv6Address),
			set(s, prefix+"mac_address", &joined.MacAddress, one.MacAddress),
		)
		for _, option := range slices.Sorted(maps.Keys(one.DriverOpts)) {
			value := joined.DriverOpts[option]
			err = cmp.Or(err, set(s, prefix+"driver_opts."+option, &value, one.DriverOpts[option]))
			joined.DriverOpts[option] = value
		}
		if err != nil {
			return nil, 0, err
		}
	}
	return joined, priority, nil
}

// hoistMAC gives infra the mac_address of a service. Engines below API 1.44 read it from the container, later ones from
// the endpoint; the gateway knows which.
func (l *Layout) hoistMAC(spec *engine.ContainerSpec, members []*placed, primary string) error {
	from := "its network"
	for _, s := range members {
		if err := checkMAC(s.Name, s.MacAddress); err != nil {
			return err
		}
		if s.MacAddress == "" {
			continue
		}
		if spec.Networks[primary] == nil {
			spec.Networks[primary] = &network.EndpointSettings{}
		}
		address := &spec.Networks[primary].MacAddress
		if *address != "" && *address != s.MacAddress {
			return badService(s.Name, "mac_address", "use one address, or the network mode compose",
				"a pod has one network interface, and %s gives it another MAC address", from)
		}
		from, *address = "service "+s.Name, s.MacAddress
	}
	return nil
}
