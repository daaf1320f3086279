package compose

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func mode(name string) func(*Target) { return func(t *Target) { t.NetworkMode = name } }

// The file's networks keep apart what shares a namespace in a pod; infra is on them only where one of them matters.
func TestNetworksOfInfra(t *testing.T) {
	const services = `
services:
  a: {image: i, networks: {front: {priority: 1}, back: {aliases: [store]}}}
  b: {image: i, networks: [back]}
`
	for name, c := range map[string]struct {
		networks string
		primary  string
		created  []string
		warnings []string
	}{
		"plain":            {"{front: {}, back: {}}", "bridge", nil, nil},
		"labelled":         {"{front: {labels: {x: y}}, back: {attachable: true}}", "bridge", nil, nil},
		"one is internal":  {"{front: {}, back: {internal: true}}", "bridge", nil, []string{"the network back is internal, which has no effect in a pod with other networks: all services share them"}},
		"all are internal": {"{front: {internal: true}, back: {internal: true}}", "POD_front", []string{"POD_back", "POD_front"}, nil},
		"one has a subnet": {"{front: {}, back: {ipam: {config: [{subnet: 10.9.0.0/24}]}}}", "POD_front", []string{"POD_back", "POD_front"}, nil},
		"one has a driver": {"{front: {driver: macvlan}, back: {}}", "POD_front", []string{"POD_back", "POD_front"}, nil},
		"one has options":  {"{front: {driver_opts: {x: y}}, back: {}}", "POD_front", []string{"POD_back", "POD_front"}, nil},
		"one has IPv6":     {"{front: {enable_ipv6: true}, back: {}}", "POD_front", []string{"POD_back", "POD_front"}, nil},
		"one is external":  {"{front: {external: true, name: lan}, back: {}}", "lan", []string{"POD_back"}, nil},
		"one has a name":   {"{front: {name: shared}, back: {driver_opts: {x: y}}}", "POD_front", []string{"POD_back", "POD_front"}, []string{"the network front is named POD_front by the pod, not shared: make it external to share it"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := build(t, services+"networks: "+c.networks+"\n", target())
			require.Equal(t, c.primary, b.short(string(b.spec.Infra.Host.NetworkMode)))
			var created []string
			for _, network := range b.spec.Networks {
				created = append(created, b.short(network.Name))
			}
			require.Equal(t, c.created, created)
			var warnings []string
			for _, warning := range b.warnings {
				warnings = append(warnings, b.short(warning))
			}
			require.Equal(t, c.warnings, warnings)
			if c.primary != "bridge" {
				b.has(t, "infra.Networks[POD_back].Aliases: [POD-a-1, a, store, POD-b-1, b]",
					"infra.Networks["+c.primary+"].Aliases: [POD-a-1, a]")
			}
		})
	}
}

func TestEndpointsOfInfra(t *testing.T) {
	b := build(t, `
services:
  a:
    image: i
    networks:
      lan: {ipv4_address: 10.9.0.2, link_local_ips: [169.254.0.2], mac_address: "02:42:ac:11:00:02", gw_priority: 2, interface_name: eth7}
  b:
    image: i
    networks:
      lan: {ipv6_address: "fd00::2", driver_opts: {x: y}, use_service_name_alias: false}
networks:
  lan: {external: true}
`, target())
	b.has(t,
		"infra.Host.NetworkMode: lan",
		"infra.Networks[lan].IPAMConfig.IPv4Address: 10.9.0.2", "infra.Networks[lan].IPAMConfig.IPv6Address: fd00::2",
		"infra.Networks[lan].IPAMConfig.LinkLocalIPs: [169.254.0.2]",
		"infra.Networks[lan].MacAddress: 02:42:ac:11:00:02", "infra.Networks[lan].GwPriority: 2",
		"infra.Networks[lan].DriverOpts[com.docker.network.endpoint.ifname]: eth7", "infra.Networks[lan].DriverOpts[x]: y",
		"infra.Networks[lan].Aliases: [POD-a-1, a, POD-b-1]",
	)
	require.Empty(t, b.spec.Networks)
}

func TestExistingNetwork(t *testing.T) {
	b := build(t, "services:\n  a: {image: i, ports: ['80']}\n  b: {image: i}\n", target(mode("lan"), offered(31000)))
	b.has(t, "infra.Host.NetworkMode: lan", "infra.Networks[lan].Aliases: [a, b]", "a.Host.NetworkMode: container:POD-infra",
		"infra.Host.PortBindings[80/tcp][0].HostPort: 31000")
	require.Empty(t, b.spec.Networks)

	b = build(t, "services:\n  a: {image: i, network_mode: lan}\n  b: {image: i}\n", target())
	b.has(t, "infra.Host.NetworkMode: lan", "a.Host.NetworkMode: container:POD-infra", "b.Host.NetworkMode: container:POD-infra")

	b = build(t, "services:\n  a: {image: i, networks: {n: {ipv4_address: 10.9.0.2}}}\nnetworks: {n: {}}\n", target(mode("bridge")))
	b.has(t, "infra.Host.NetworkMode: bridge", "!infra.Networks[bridge].Aliases:")
	require.Equal(t, []string{"the file's networks are not used: the pod is on the network bridge"}, b.warnings)
}

// Share does not make the services of a pod share their network in mode compose: its default has net.
func TestModeCompose(t *testing.T) {
	b := build(t, `
services:
  web:
    image: i
    ports: ["8080:80"]
    expose: ["81"]
    hostname: shop
    container_name: shop-web
    dns: 10.0.0.1
    extra_hosts: ["x:10.0.0.2"]
    networks: {front: {aliases: [www], priority: 5}, back: {ipv4_address: 10.9.0.2}}
    links: ["db:store"]
    external_links: [old]
    mac_address: 02:42:ac:11:00:02
    sysctls: {net.core.somaxconn: "1"}
  db: {image: i, networks: [back]}
  solo: {image: i, network_mode: bridge}
  side: {image: i, network_mode: "service:db"}
  def: {image: i}
networks:
  front:
  back:
    driver: bridge
    driver_opts: {com.docker.network.bridge.name: br9}
    internal: true
    attachable: true
    enable_ipv6: false
    labels: {team: shop, io.dce.pod: forged}
    ipam: {driver: default, options: {x: "y"}, config: [{subnet: 10.9.0.0/24, ip_range: 10.9.0.0/25, gateway: 10.9.0.1, aux_addresses: {host: 10.9.0.9}}]}
  unused: {}
`, target(mode(NetworkCompose), func(t *Target) { t.Share = []string{"net"} }))
	require.Nil(t, b.spec.Infra)
	b.has(t,
		"web.Host.NetworkMode: POD_front",
		"web.Host.PortBindings[80/tcp][0].HostPort: 8080", "web.Config.ExposedPorts[81/tcp]:", "web.Config.Hostname: shop",
		"web.Host.DNS: [10.0.0.1]", "web.Host.ExtraHosts: [x:10.0.0.2]", "web.Host.Sysctls[net.core.somaxconn]: 1",
		"web.Networks[POD_front].Aliases: [POD-web-1, shop-web, web, www]", "web.Networks[POD_front].MacAddress: 02:42:ac:11:00:02",
		"web.Networks[POD_front].Links: [POD-db-1:store, POD-db-1:db-1, POD-db-1:POD-db-1, old:old]",
		"web.Networks[POD_back].IPAMConfig.IPv4Address: 10.9.0.2", "!web.Networks[POD_back].MacAddress:",
		"db.Host.NetworkMode: POD_back", "db.Networks[POD_back].Aliases: [POD-db-1, db]", "!db.Networks[POD_back].IPAMConfig:",
		"solo.Host.NetworkMode: bridge", "side.Host.NetworkMode: container:POD-db-1",
		"def.Host.NetworkMode: POD_default",
		"network POD_back.Options.Driver: bridge", "network POD_back.Options.Internal: true", "network POD_back.Options.Attachable: true",
		"network POD_back.Options.EnableIPv6: false", "network POD_back.Options.Options[com.docker.network.bridge.name]: br9",
		"network POD_back.Options.Labels[team]: shop", "!network POD_back.Options.Labels[io.dce.pod]: forged",
		"network POD_back.Options.Labels[com.docker.compose.network]: back",
		"network POD_back.Options.IPAM.Driver: default", "network POD_back.Options.IPAM.Options[x]: y",
		"network POD_back.Options.IPAM.Config[0].Subnet: 10.9.0.0/24", "network POD_back.Options.IPAM.Config[0].IPRange: 10.9.0.0/25",
		"network POD_back.Options.IPAM.Config[0].Gateway: 10.9.0.1", "network POD_back.Options.IPAM.Config[0].AuxAddress[host]: 10.9.0.9",
		"network POD_front.Options.Labels[com.docker.compose.network]: front", "network POD_default.Options.Labels[com.docker.compose.network]:",
	)
	require.Len(t, b.spec.Networks, 3)
}

func TestModeComposeWithSharedIPC(t *testing.T) {
	b := build(t, one, target(mode(NetworkCompose), func(t *Target) { t.Share = []string{"ipc"} }))
	b.has(t, "infra.Host.NetworkMode: none", "web.Host.IpcMode: container:POD-infra", "web.Host.NetworkMode: POD_default")
}

func TestModeHost(t *testing.T) {
	b := build(t, "services:\n  a: {image: i, ports: ['80:8080']}\n  b: {image: i}\n  c: {image: i, network_mode: none}\n", target(mode(NetworkHost), offered()))
	require.Nil(t, b.spec.Infra)
	b.has(t, "a.Host.NetworkMode: host", "c.Host.NetworkMode: none",
		"a.Host.ExtraHosts: [a:127.0.0.1, b:127.0.0.1, POD-a-1:127.0.0.1, POD-b-1:127.0.0.1]", "!c.Host.ExtraHosts:")
	require.Equal(t, []PublishedPort{{Service: "a", Host: 8080, Container: 8080, Protocol: "tcp"}}, b.ports)

	_, err := tryBuild(t, map[string]string{"compose.yaml": "services:\n  a: {image: i, expose: [80]}\n  b: {image: i, expose: [80]}\n"},
		Source{}, target(mode(NetworkHost)))
	require.ErrorContains(t, err, "services a and b share a network namespace and can't both listen on port 80/tcp")
}

func TestModeNone(t *testing.T) {
	b := build(t, "services:\n  a: {image: i, ports: ['80']}\n  b: {image: i, network_mode: host}\n", target(mode(NetworkNone)))
	require.Nil(t, b.spec.Infra)
	b.has(t, "a.Host.NetworkMode: none", "b.Host.NetworkMode: host", "!a.Host.PortBindings[80/tcp][0]:")
	require.Empty(t, b.ports)
}
