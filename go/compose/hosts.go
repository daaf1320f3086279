package compose

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// loopback is what the names of services resolve to in a network namespace that they share.
const loopback = "127.0.0.1"

// names returns the names by which other services of the file know a service: its own, its container_name, those of its
// containers, its host name and its aliases.
func names(s *placed) []string {
	all := []string{s.Name}
	all = append(all, s.names...)
	if s.ContainerName != "" {
		all = append(all, s.ContainerName)
	}
	if s.Hostname != "" {
		all = append(all, s.Hostname)
		if s.DomainName != "" {
			all = append(all, s.Hostname+"."+s.DomainName)
		}
	}
	for _, network := range slices.Sorted(maps.Keys(s.Networks)) {
		if config := s.Networks[network]; config != nil {
			all = append(all, config.Aliases...)
		}
	}
	return all
}

// sharedHosts returns the extra hosts of a network namespace that several services share: their names, the aliases of
// their links to each other, and the extra_hosts of all. What a file maps itself wins.
func (l *Layout) sharedHosts(shared []*placed) ([]string, error) {
	own := types.HostsList{}
	from := map[string]string{}
	for _, service := range shared {
		for _, host := range slices.Sorted(maps.Keys(service.ExtraHosts)) {
			addresses := service.ExtraHosts[host]
			if other, ok := from[host]; ok && !slices.Equal(own[host], addresses) {
				return nil, badService(service.Name, "extra_hosts", "use one address, or the network mode compose",
					"services %s and %s share a hosts file and map %s to different addresses", other, service.Name, host)
			}
			own[host], from[host] = addresses, service.Name
		}
	}
	hosts := map[string]bool{}
	for _, service := range shared {
		for _, name := range names(service) {
			hosts[name] = true
		}
		for _, link := range service.Links {
			if donor, alias, ok := strings.Cut(link, ":"); ok && slices.Contains(shared, l.services[donor]) {
				hosts[alias] = true
			}
		}
	}
	var list []string
	for _, host := range slices.Sorted(maps.Keys(hosts)) {
		if _, mapped := own[host]; mapped {
			l.warn("the name %s of the pod is mapped to %s by extra_hosts of service %s", host, strings.Join(own[host], ", "), from[host])
			continue
		}
		list = append(list, host+":"+loopback)
	}
	return append(list, extraHosts(own)...), nil
}

// extraHosts is HostsList.AsList in an order that does not change.
func extraHosts(hosts types.HostsList) []string {
	var list []string
	for _, host := range slices.Sorted(maps.Keys(hosts)) {
		for _, address := range hosts[host] {
			list = append(list, host+":"+address)
		}
	}
	return list
}

// links translates links and external_links as compose does: every container of the service under its alias, under
// "<service>-<n>" and under its own name.
func (l *Layout) links(s *placed, number string) []string {
	var list []string
	for _, link := range s.Links {
		donor, alias, _ := strings.Cut(link, ":")
		if service, ok := l.services[donor]; ok {
			for _, name := range service.names {
				list = append(list, name+":"+cmp.Or(alias, donor), name+":"+donor+"-"+number, name+":"+l.Pod+"-"+donor+"-"+number)
			}
		}
	}
	return append(list, externalLinks(s)...)
}

func externalLinks(s *placed) []string {
	var list []string
	for _, link := range s.ExternalLinks {
		container, alias, _ := strings.Cut(link, ":")
		list = append(list, container+":"+cmp.Or(alias, container))
	}
	return list
}

// checkDNS refuses what is no address of a name server.
func checkDNS(s *placed) error {
	for _, server := range s.DNS {
		if _, err := netip.ParseAddr(server); err != nil {
			return badService(s.Name, "dns", "write an IP address", "%q is no address of a name server", server)
		}
	}
	return nil
}
