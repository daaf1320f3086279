package launch

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mesos/mesos-go/api/v1/lib"
)

// userNetwork is the key of the one Docker network that a container may be on.
const userNetwork = "user"

// endpointKey is where compose says of a service what it wants on that network.
const endpointKey = "networks." + userNetwork

// network translates the network of the container and its ports. The parameter network wins over docker.network, as in
// Mesos; a container of the Mesos containerizer that names no network shares the host's.
func (m *containerModel) network() error {
	mode, err := m.networkMode()
	if err != nil {
		return err
	}
	endpoints, _ := m.service["networks"].(map[string]any)
	endpoint, _ := endpoints[userNetwork].(map[string]any)
	switch {
	case mode != "bridge" && mode != "default" && mode != "host" && mode != "none" && !strings.HasPrefix(mode, "container:"):
		if endpoint == nil {
			endpoint = map[string]any{}
		}
		m.service["networks"] = map[string]any{userNetwork: endpoint}
		m.networks[userNetwork] = map[string]any{"external": true, "name": mode}
	case endpoint != nil:
		return badContainer("docker.parameters", "name a network of the kind USER, or leave them out",
			"addresses and aliases belong to a network of one's own, not to the network %s", mode)
	default:
		m.service["network_mode"] = mode
	}
	if name := m.info.GetHostname(); name != "" {
		m.service["hostname"] = name
	}
	if m.service["hostname"] != nil && mode == "host" {
		return badContainer("hostname", "leave it out, or use the network BRIDGE or USER", "a container on the host's network has the host's name")
	}
	return m.ports(mode)
}

func (m *containerModel) networkMode() (string, error) {
	mode, fromParameter := m.given["network"]
	var names []string
	for i, info := range m.info.NetworkInfos {
		if info.Name != nil {
			names = append(names, *info.Name)
		}
		if info.Labels != nil || len(info.Groups) > 0 {
			m.warn("%s, key network_infos[%d]: groups and labels are for network plugins of Mesos, they have no effect", containerInfo, i)
		}
	}
	docker := m.info.GetDocker()
	user := docker == nil || docker.GetNetwork() == mesos.ContainerInfo_DockerInfo_USER
	switch {
	case fromParameter:
	case !user:
		mode = strings.ToLower(docker.GetNetwork().String())
	case len(names) == 1:
		mode = names[0]
	case len(names) > 1:
		return "", badContainer("network_infos", "name one", "a container can be on one network, not on %s", strings.Join(names, " and "))
	case docker == nil:
		mode = "host"
	default:
		return "", badContainer("docker.network", "name it in network_infos[0].name or with the parameter network", "the network USER has no name")
	}
	if !user || fromParameter {
		if len(m.info.NetworkInfos) > 0 {
			m.warn("%s, key network_infos: the network is %s, so they have no effect", containerInfo, mode)
		}
		return mode, nil
	}
	return mode, m.addresses()
}

// addresses takes those that network_infos ask for.
func (m *containerModel) addresses() error {
	for _, info := range m.info.NetworkInfos {
		for _, address := range info.IPAddresses {
			if address.GetIPAddress() == "" {
				continue // any will do
			}
			key := "ipv4_address"
			if address.GetProtocol() == mesos.IPv6 || strings.Contains(address.GetIPAddress(), ":") {
				key = "ipv6_address"
			}
			if err := m.once(endpointKey+"."+key, "network_infos", address.GetIPAddress()); err != nil {
				return err
			}
		}
	}
	return nil
}

// ports publishes port_mappings. Mesos names the host port, so each port gets a name that claims just that one.
func (m *containerModel) ports(mode string) error {
	type mapping struct {
		key, protocol   string
		host, container uint32
	}
	var all []mapping
	for i, p := range m.info.GetDocker().GetPortMappings() {
		all = append(all, mapping{fmt.Sprintf("docker.port_mappings[%d]", i), p.GetProtocol(), p.HostPort, p.ContainerPort})
	}
	for i, info := range m.info.NetworkInfos {
		for j, p := range info.PortMappings {
			all = append(all, mapping{fmt.Sprintf("network_infos[%d].port_mappings[%d]", i, j), p.GetProtocol(), p.HostPort, p.ContainerPort})
		}
	}
	var list []any
	for _, p := range all {
		if mode == "host" || mode == "none" || strings.HasPrefix(mode, "container:") {
			return badContainer(p.key, "use the network BRIDGE or USER, or leave it out", "ports can't be mapped on the network %s", mode)
		}
		if p.container == 0 || p.container > 65535 {
			return badContainer(p.key, "use a container_port from 1 to 65535", "there is no port %d", p.container)
		}
		port := map[string]any{"target": int(p.container), "published": strconv.Itoa(int(p.host))}
		if protocol := strings.ToLower(p.protocol); protocol != "" {
			port["protocol"] = protocol
		}
		if ok, offered := m.offered(p.host); ok {
			name := strconv.Itoa(int(p.host))
			port["name"], m.named[name] = name, uint16(p.host)
		} else if offered != "" {
			return badContainer(p.key, "map one of those", "the host port %d is not among those that the task was offered (%s)", p.host, offered)
		}
		list = append(list, port)
	}
	if len(list) > 0 {
		m.service["ports"] = list
	}
	return nil
}
