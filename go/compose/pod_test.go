package compose

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

// In mode pod, what Docker refuses of a container in another's network namespace is on the infra container.
func TestMembersShareInfra(t *testing.T) {
	b := build(t, `
services:
  web:
    image: nginx
    container_name: shop-web
    ports: ["8080:80", {target: 9000, published: "9000", host_ip: 127.0.0.1, protocol: udp}]
    expose: ["7000-7001", "53/udp"]
    hostname: shop
    domainname: example.com
    dns: [10.0.0.1]
    dns_search: [example.com]
    dns_opt: ["ndots:1"]
    extra_hosts: ["legacy:10.1.1.1", "six=::1"]
    links: ["db:database"]
    external_links: ["old_db_1:old", old_mq]
    sysctls: {net.core.somaxconn: "1024", kernel.shmmax: "1"}
    mac_address: 02:42:ac:11:00:02
  db:
    image: redis
    networks: {default: {aliases: [cache]}}
    dns: [10.0.0.1, 10.0.0.2]
    sysctls: {net.core.somaxconn: "1024"}
`, target())
	b.has(t,
		"infra.Name: POD-infra",
		"infra.Image: dce/pause:1",
		"infra.Pull: never",
		"infra.Host.NetworkMode: bridge",
		"infra.Config.ExposedPorts[7000/tcp]:", "infra.Config.ExposedPorts[7001/tcp]:", "infra.Config.ExposedPorts[53/udp]:",
		"infra.Config.ExposedPorts[80/tcp]:", "infra.Config.ExposedPorts[9000/udp]:",
		"infra.Host.PortBindings[80/tcp][0].HostPort: 8080",
		"infra.Host.PortBindings[9000/udp][0].HostIP: 127.0.0.1",
		"infra.Host.PortBindings[9000/udp][0].HostPort: 9000",
		"infra.Config.Hostname: shop", "infra.Config.Domainname: example.com",
		"infra.Host.DNS: [10.0.0.1, 10.0.0.2]", "infra.Host.DNSSearch: [example.com]", "infra.Host.DNSOptions: [ndots:1]",
		"infra.Host.ExtraHosts: [cache:127.0.0.1, database:127.0.0.1, db:127.0.0.1, POD-db-1:127.0.0.1, POD-web-1:127.0.0.1, "+
			"shop:127.0.0.1, shop-web:127.0.0.1, shop.example.com:127.0.0.1, web:127.0.0.1, legacy:10.1.1.1, six:::1]",
		"infra.Host.Links: [old_db_1:old, old_mq:old_mq]",
		"infra.Host.Sysctls[net.core.somaxconn]: 1024", "!infra.Host.Sysctls[kernel.shmmax]: 1", "web.Host.Sysctls[kernel.shmmax]: 1",
		"infra.Networks[bridge].MacAddress: 02:42:ac:11:00:02",
		"infra.Host.IpcMode: shareable",
		"infra.Host.CgroupParent: /mesos/container-1", "web.Host.CgroupParent: /mesos/container-1",
		"infra.Host.RestartPolicy.Name: no",
		"web.Name: POD-web-1",
		"web.Host.NetworkMode: container:POD-infra", "db.Host.NetworkMode: container:POD-infra",
		"!web.Config.ExposedPorts[80/tcp]:", "!web.Host.PortBindings[80/tcp][0].HostPort:", "!web.Config.Hostname:", "!web.Config.Domainname:",
		"!web.Host.DNS:", "!web.Host.DNSSearch:", "!web.Host.DNSOptions:", "!web.Host.ExtraHosts:", "!web.Host.Links:",
		"!web.Host.Sysctls[net.core.somaxconn]:", "!web.Networks[bridge].MacAddress:",
	)
	require.Empty(t, b.spec.Networks, "the engine's default bridge does")
	require.Equal(t, []string{"old_db_1:old", "old_mq:old_mq"}, b.spec.Infra.Host.Links)
}

func TestDifferencesInSharedNamespacesAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"hosts": {`
services:
  a: {image: i, extra_hosts: ["x:10.0.0.1"]}
  b: {image: i, extra_hosts: ["x:10.0.0.2"]}
`, "service b, key extra_hosts: services a and b share a hosts file and map x to different addresses; use one address, or the network mode compose"},
		"sysctls": {`
services:
  a: {image: i, sysctls: {net.core.somaxconn: "1"}}
  b: {image: i, sysctls: {net.core.somaxconn: "2"}}
`, "service b, key sysctls.net.core.somaxconn: services a and b share a namespace and set it to different values; use one value, or the network mode compose"},
		"MAC addresses": {`
services:
  a: {image: i, mac_address: "02:42:ac:11:00:02"}
  b: {image: i, mac_address: "02:42:ac:11:00:03"}
`, "service b, key mac_address: a pod has one network interface, and service a gives it another MAC address; use one address, or the network mode compose"},
		"addresses": {`
services:
  a: {image: i, networks: {n: {ipv4_address: 10.9.0.2}}}
  b: {image: i, networks: {n: {ipv4_address: 10.9.0.3}}}
networks: {n: {ipam: {config: [{subnet: 10.9.0.0/24}]}}}
`, "service b, key networks.n.ipv4_address: services a and b share a network namespace and can't have two values for it; use one value, or the network mode compose"},
		"driver options": {`
services:
  a: {image: i, networks: {n: {driver_opts: {x: "1"}}}}
  b: {image: i, networks: {n: {driver_opts: {x: "2"}}}}
networks: {n: {}}
`, "service b, key networks.n.driver_opts.x: services a and b share a network namespace and can't have two values for it; use one value, or the network mode compose"},
		"ports": {`
services:
  a: {image: i, ports: ["8080:80"]}
  b: {image: i, expose: ["79-81"]}
`, "service b, key ports: services a and b share a network namespace and can't both listen on port 80/tcp; make one of them listen on another port, or use the network mode compose"},
		"ports of replicas": {`
services:
  a: {image: i, ports: ["80"], scale: 2}
`, "service a, key ports: its 2 containers share a network namespace and can't all listen on port 80/tcp; set scale to 1, or use the network mode compose"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tryBuild(t, map[string]string{"compose.yaml": c.yaml}, Source{}, target())
			require.EqualError(t, err, "compose.yaml, "+c.want)
		})
	}
}

func TestNoCollision(t *testing.T) {
	for name, text := range map[string]string{
		"of one service with itself": `
services:
  a: {image: i, ports: ["8080:80", "8081:80"], expose: ["80"]}
`,
		"of tcp with udp": `
services:
  a: {image: i, ports: ["8080:80/tcp"]}
  b: {image: i, ports: ["8080:80/udp"]}
`,
		"of a member with the host": `
services:
  a: {image: i, ports: ["8080:80"]}
  b: {image: i, expose: ["80"], network_mode: host}
`,
		"of a member with a service without network": `
services:
  a: {image: i, ports: ["8080:80"]}
  b: {image: i, expose: ["80"], network_mode: none}
`,
		"of replicas that publish nothing": `
services:
  a: {image: i, deploy: {replicas: 3}}
`,
		"of a service that is scaled to nothing": `
services:
  a: {image: i, ports: ["80"]}
  b: {image: i, ports: ["80"], scale: 0}
`,
	} {
		t.Run(name, func(t *testing.T) { build(t, text, target()) })
	}
}

func TestReplicasAreNumbered(t *testing.T) {
	b := build(t, "services:\n  worker: {image: i, deploy: {replicas: 2}}\n", target())
	b.has(t, "worker.Name: POD-worker-1", "worker#2.Name: POD-worker-2",
		"infra.Host.ExtraHosts: [POD-worker-1:127.0.0.1, POD-worker-2:127.0.0.1, worker:127.0.0.1]")
	require.Len(t, b.spec.Services, 2)
}

func TestServicesOutsideThePodsNetwork(t *testing.T) {
	b := build(t, `
services:
  web: {image: i, ports: ["80"]}
  agent: {image: i, network_mode: host, hostname: h, ports: ["9100:9100"], dns: [10.0.0.1], extra_hosts: ["x:10.0.0.1"]}
  batch: {image: i, network_mode: none, ports: ["1:1"]}
  vpn: {image: i, network_mode: "container:tunnel"}
  bridged: {image: i, network_mode: bridge}
`, target())
	b.has(t,
		"agent.Host.NetworkMode: host", "agent.Config.Hostname: h", "agent.Host.DNS: [10.0.0.1]", "agent.Host.ExtraHosts: [x:10.0.0.1]",
		"!agent.Host.PortBindings[9100/tcp][0].HostPort:",
		"batch.Host.NetworkMode: none", "vpn.Host.NetworkMode: container:tunnel",
		"bridged.Host.NetworkMode: container:POD-infra",
		"infra.Host.ExtraHosts: [bridged:127.0.0.1, POD-bridged-1:127.0.0.1, POD-web-1:127.0.0.1, web:127.0.0.1]",
	)
	require.Equal(t, []string{
		"service agent: it uses the host's network, so its port 9100/tcp is not mapped",
		"service batch: it has no network, ports is ignored",
	}, b.warnings)
	require.Equal(t, []PublishedPort{
		{Service: "web", Container: 80, Protocol: "tcp"},
		{Service: "agent", Host: 9100, Container: 9100, Protocol: "tcp"},
	}, b.ports)
}

func TestNoInfraWhereNobodyNeedsIt(t *testing.T) {
	b := build(t, "services:\n  web: {image: i, network_mode: host}\n", target(func(t *Target) { t.PauseImage = "" }))
	require.Nil(t, b.spec.Infra)
}

func TestReferencesToServices(t *testing.T) {
	b := build(t, `
services:
  app: {image: i}
  host: {image: i, network_mode: host, pid: host}
  lone: {image: i, network_mode: none}
  a: {image: i, network_mode: "service:app", ipc: "service:app", pid: "service:app", volumes_from: ["app:ro", "container:old:rw", "lone"]}
  b: {image: i, network_mode: "service:host", pid: "service:host"}
  c: {image: i, network_mode: "service:lone"}
  d: {image: i, network_mode: "service:c", ipc: "service:a"}
`, target())
	b.has(t,
		"a.Host.NetworkMode: container:POD-infra", "a.Host.IpcMode: container:POD-app-1", "a.Host.PidMode: container:POD-app-1",
		"a.Host.VolumesFrom: [POD-app-1:ro, old:rw, POD-lone-1]",
		"app.Host.IpcMode: shareable",
		"b.Host.NetworkMode: host", "b.Host.PidMode: host",
		"c.Host.NetworkMode: container:POD-lone-1",
		"d.Host.NetworkMode: container:POD-c-1", "d.Host.IpcMode: container:POD-app-1",
		"a.Needs[0].Service: app", "a.Needs[1].Service: lone",
	)
}

func TestSharedIPCAndPID(t *testing.T) {
	b := build(t, `
services:
  a: {image: i, shm_size: 64m, sysctls: {kernel.shmmax: "1", kernel.domainname: x}}
  b: {image: i, shm_size: 128m, ipc: "service:a", pid: "service:a"}
  c: {image: i, ipc: private, pid: host}
`, target(func(t *Target) { t.Share = []string{"net", "ipc", "pid"} }))
	b.has(t,
		"a.Host.IpcMode: container:POD-infra", "a.Host.PidMode: container:POD-infra",
		"b.Host.IpcMode: container:POD-infra", "b.Host.PidMode: container:POD-infra",
		"c.Host.IpcMode: private", "c.Host.PidMode: host",
		"infra.Host.ShmSize: 134217728",
		"infra.Host.Sysctls[kernel.shmmax]: 1", "!a.Host.Sysctls[kernel.shmmax]:", "a.Host.Sysctls[kernel.domainname]: x",
	)
}

func TestOneHostName(t *testing.T) {
	b := build(t, "services:\n  a: {image: i, hostname: x}\n  b: {image: i, hostname: y}\n", target())
	b.has(t, "!infra.Config.Hostname:",
		"infra.Host.ExtraHosts: [a:127.0.0.1, b:127.0.0.1, POD-a-1:127.0.0.1, POD-b-1:127.0.0.1, x:127.0.0.1, y:127.0.0.1]")
	require.Equal(t, []string{"services ask for 2 different host names, but a pod has one, so they only resolve to it"}, b.warnings)
}

func TestOwnMappingOfAServiceNameWins(t *testing.T) {
	b := build(t, "services:\n  a: {image: i, extra_hosts: ['db:10.0.0.9']}\n  db: {image: i}\n", target())
	b.has(t, "infra.Host.ExtraHosts: [a:127.0.0.1, POD-a-1:127.0.0.1, POD-db-1:127.0.0.1, db:10.0.0.9]")
	require.Equal(t, []string{"the name db of the pod is mapped to 10.0.0.9 by extra_hosts of service a"}, b.warnings)
}

func TestAServiceMayBeCalledInfra(t *testing.T) {
	b := build(t, "services:\n  infra: {image: i}\n", target())
	require.Equal(t, "dce-infra", b.spec.Infra.Service)
	require.NotEqual(t, b.spec.Infra.Name, b.spec.Services[0].Name)
}

func TestEssentialAndInit(t *testing.T) {
	for name, c := range map[string]struct {
		yaml            string
		essential, init []string
	}{
		"all": {"services:\n  a: {image: i}\n  b: {image: i}\n", []string{"a", "b"}, nil},
		"but init containers": {`
services:
  a: {image: i, depends_on: {b: {condition: service_completed_successfully}}}
  b: {image: i}
`, []string{"a"}, []string{"b"}},
		"only those labelled": {`
services:
  a: {image: i, labels: {io.dce.essential: "true"}}
  b: {image: i}
  c: {image: i, labels: [io.dce.essential=1]}
`, []string{"a", "c"}, nil},
		"but those labelled false": {`
services:
  a: {image: i, labels: {io.dce.essential: "false"}}
  b: {image: i}
`, []string{"b"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var essential, init []string
			for _, service := range build(t, c.yaml, target()).spec.Services {
				if service.Essential {
					essential = append(essential, service.Service)
				}
				if service.Init {
					init = append(init, service.Service)
				}
			}
			require.Equal(t, c.essential, essential)
			require.Equal(t, c.init, init)
		})
	}
}

func TestNeeds(t *testing.T) {
	b := build(t, `
services:
  a:
    image: i
    depends_on:
      z: {condition: service_started, required: false}
      db: {condition: service_healthy, restart: true}
      off: {condition: service_started, required: false}
      none: {condition: service_started}
  db: {image: i, healthcheck: {test: "true"}}
  z: {image: i}
  none: {image: i, scale: 0}
  off: {image: i, profiles: [never]}
`, target())
	require.Equal(t, []engine.Dependency{
		{Service: "db", Condition: engine.Healthy, Required: true},
		{Service: "z", Condition: engine.Started},
	}, b.spec.Services[0].Needs)
}

func TestRestartIsNotTheEngines(t *testing.T) {
	b := build(t, "services:\n  a: {image: i, restart: always}\n  b: {image: i, deploy: {restart_policy: {condition: any}}}\n",
		target(func(t *Target) { t.Kind = KindJob }))
	b.has(t, "a.Host.RestartPolicy.Name: no", "b.Host.RestartPolicy.Name: no")
	require.Equal(t, []string{
		"service a: the pod is a job, so it is done when the service exits with 0, whatever its restart policy says",
		"service b: the pod is a job, so it is done when the service exits with 0, whatever its restart policy says",
	}, b.warnings)
}
