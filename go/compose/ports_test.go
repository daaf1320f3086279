package compose

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func offered(ports ...uint16) func(*Target) {
	return func(t *Target) { t.Offered, t.AllowStaticPorts = ports, false }
}

func named(names map[string]uint16) func(*Target) {
	return func(t *Target) { t.Named = names }
}

// shop publishes in another order than that of the services' names.
const shop = `
services:
  web:
    image: i
    ports:
      - "80"
      - {target: 9090, name: admin, published: "9090", host_ip: 127.0.0.1}
      - "8443:443"
  api:
    image: i
    ports: ["8080:8080"]
`

func TestPortsComeFromTheOffer(t *testing.T) {
	for name, c := range map[string]struct {
		yaml   string
		target Target
		want   []uint16 // host ports in the order of the file
		fails  string
	}{
		"in the order of the file":          {shop, target(offered(31000, 31001, 31002, 31003)), []uint16{31000, 31001, 31002, 31003}, ""},
		"in the order of the offer":         {shop, target(offered(31009, 31001, 31005, 31003)), []uint16{31009, 31001, 31005, 31003}, ""},
		"one by its name":                   {shop, target(offered(31000, 31001, 31002, 31003), named(map[string]uint16{"admin": 31000})), []uint16{31001, 31000, 31002, 31003}, ""},
		"a name that the file does not use": {shop, target(offered(31000, 31001, 31002, 31003), named(map[string]uint16{"http": 31003})), []uint16{31000, 31001, 31002, 31003}, ""},
		"more than needed":                  {shop, target(offered(31000, 31001, 31002, 31003, 31004)), []uint16{31000, 31001, 31002, 31003}, ""},
		"both protocols of a host port": {
			"services:\n  dns:\n    image: i\n    ports: ['53:53/tcp', '53:53/udp', '54:54/udp']\n",
			target(offered(31000, 31001)), []uint16{31000, 31000, 31001}, "",
		},
		"an offer beats allow_static": {shop, target(offered(31000, 31001, 31002, 31003), func(t *Target) { t.AllowStaticPorts = true }), []uint16{31000, 31001, 31002, 31003}, ""},
		"static":                      {shop, target(), []uint16{0, 9090, 8443, 8080}, ""},
		"a free one of the engine":    {"services:\n  a: {image: i, ports: ['80']}\n", target(offered()), []uint16{0}, ""},
		"nothing published":           {one, target(offered(31000)), nil, ""},
		"too few": {
			shop, target(offered(31000, 31001)), nil,
			"compose.yaml, service web, key ports: there is no host port left for 443/tcp: the pod publishes 4 and the task was offered 2; " +
				"ask for more ports in the task's resources, or publish fewer",
		},
		"none, and one wanted": {
			"services:\n  a: {image: i, ports: ['8080-8081:80']}\n", target(offered()), nil,
			"compose.yaml, service a, key ports: the host port 8080-8081 wanted for 80/tcp was not offered to the task; " +
				"ask for a port in the task's resources, or set ports.allow_static",
		},
		"one name twice": {
			"services:\n  a: {image: i, ports: [{target: 80, name: http}]}\n  b: {image: i, ports: [{target: 81, name: http}]}\n",
			target(offered(31000, 31001), named(map[string]uint16{"http": 31000})), nil,
			"compose.yaml, service b, key ports: the host port named http can be published once only, and service a does too; give every port a name of its own",
		},
		"one static port twice": {
			"services:\n  a: {image: i, ports: ['8080:80']}\n  b: {image: i, ports: ['127.0.0.1:8080:81']}\n", target(), nil,
			"compose.yaml, service b, key ports: the host port 8080/tcp is published by service a as well; publish one of them on another",
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := tryBuild(t, map[string]string{"compose.yaml": c.yaml}, Source{}, c.target)
			if c.fails != "" {
				require.EqualError(t, err, c.fails)
				return
			}
			require.NoError(t, err)
			var got []uint16
			for _, port := range b.ports {
				got = append(got, port.Host)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestPublishedPorts(t *testing.T) {
	b := build(t, shop, target(offered(31000, 31001, 31002, 31003)))
	require.Equal(t, []PublishedPort{
		{Service: "web", Host: 31000, Container: 80, Protocol: "tcp", hostRange: "31000"},
		{Service: "web", Name: "admin", HostIP: "127.0.0.1", Host: 31001, Container: 9090, Protocol: "tcp", hostRange: "31001"},
		{Service: "web", Host: 31002, Container: 443, Protocol: "tcp", hostRange: "31002"},
		{Service: "api", Host: 31003, Container: 8080, Protocol: "tcp", hostRange: "31003"},
	}, b.ports)
	b.has(t, "infra.Host.PortBindings[9090/tcp][0].HostIP: 127.0.0.1", "infra.Host.PortBindings[9090/tcp][0].HostPort: 31001",
		"infra.Host.PortBindings[8080/tcp][0].HostPort: 31003")
}

func TestRangesAreTheEngines(t *testing.T) {
	b := build(t, "services:\n  a: {image: i, ports: ['8080-8090:80']}\n", target())
	b.has(t, "infra.Host.PortBindings[80/tcp][0].HostPort: 8080-8090")
	require.Zero(t, b.ports[0].Host)
}

// In networks of their own, replicas have ports of their own.
func TestEveryReplicaGetsAPort(t *testing.T) {
	b := build(t, "services:\n  a: {image: i, scale: 2, ports: ['80']}\n", target(offered(31000, 31001), mode(NetworkCompose)))
	b.has(t, "a.Host.PortBindings[80/tcp][0].HostPort: 31000", "a#2.Host.PortBindings[80/tcp][0].HostPort: 31001")
}

// Whatever is published and offered: every host port was offered, none is used twice for one protocol, and all ports of
// the file are published, or there is a refusal.
func TestAssignmentProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		count := rapid.IntRange(0, 6).Draw(rt, "published")
		offer := rapid.SliceOfNDistinct(rapid.Uint16Range(31000, 31020), 1, 6, rapid.ID).Draw(rt, "offered")
		text := "services:\n  a:\n    image: i\n    ports:\n      - {target: 1, name: first}\n"
		for i := range count {
			text += "      - {target: " + string(rune('2'+i)) + "}\n"
		}
		change := []func(*Target){offered(offer...)}
		if rapid.Bool().Draw(rt, "named") {
			change = append(change, named(map[string]uint16{"first": rapid.SampledFrom(offer).Draw(rt, "name")}))
		}
		b, err := tryBuild(t, map[string]string{"compose.yaml": text}, Source{}, target(change...))
		if count+1 > len(offer) {
			require.Error(rt, err)
			return
		}
		require.NoError(rt, err)
		require.Len(rt, b.ports, count+1)
		seen := map[uint16]bool{}
		for _, port := range b.ports {
			require.Contains(rt, offer, port.Host)
			require.False(rt, seen[port.Host])
			seen[port.Host] = true
		}
	})
}

// Marathon maps "tcp,udp" as two ports of one number.
func TestOneNameForBothProtocols(t *testing.T) {
	b := build(t, "services:\n  a: {image: i, ports: [{target: 53, name: dns}, {target: 53, name: dns, protocol: udp}, '80']}\n",
		target(offered(31000, 31001), named(map[string]uint16{"dns": 31000})))
	b.has(t, "infra.Host.PortBindings[53/tcp][0].HostPort: 31000", "infra.Host.PortBindings[53/udp][0].HostPort: 31000",
		"infra.Host.PortBindings[80/tcp][0].HostPort: 31001")
}
