package health

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

func member(service, network string, needs ...string) engine.ContainerSpec {
	c := engine.ContainerSpec{
		Service: service, Name: "pod-" + service + "-1", Essential: true,
		Host: &container.HostConfig{NetworkMode: container.NetworkMode(network)},
	}
	for _, n := range needs {
		c.Needs = append(c.Needs, engine.Dependency{Service: n})
	}
	return c
}

const joined = "container:pod-infra"

func TestWhereCommandsAreRun(t *testing.T) {
	sidecar, first := member("log", joined), member("setup", joined)
	sidecar.Essential, first.Init = false, true
	second := member("web", joined, "db")
	second.Name = "pod-web-2"
	for _, c := range []struct {
		name     string
		services []engine.ContainerSpec
		asked    string
		want     string
		err      string
	}{
		{"the only one", []engine.ContainerSpec{member("web", joined)}, "", "pod-web-1", ""},
		{"the only essential one", []engine.ContainerSpec{sidecar, first, member("web", joined, "log")}, "", "pod-web-1", ""},
		{"the one that nobody depends on", []engine.ContainerSpec{member("db", joined), member("web", joined, "db"), second}, "", "pod-web-1", ""},
		{"though another needs the only one", []engine.ContainerSpec{func() engine.ContainerSpec {
			s := member("log", joined, "web")
			s.Essential = false
			return s
		}(), member("web", joined)}, "", "pod-web-1", ""},
		{"the one that is named", []engine.ContainerSpec{sidecar, member("web", joined)}, "log", "pod-log-1", ""},
		{"one of two", []engine.ContainerSpec{member("a", joined), member("b", joined)}, "", "", "a, b could be meant; name it by the label dce.health.service"},
		{"none", []engine.ContainerSpec{sidecar}, "", "", "the pod has none"},
		{"a stranger", []engine.ContainerSpec{member("web", joined), second}, "wbe", "", `names the service "wbe", which the pod does not have; it has web`},
	} {
		got, err := executing(engine.PodSpec{Services: c.services}, c.asked)
		if c.err != "" {
			require.ErrorContains(t, err, c.err, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, got, c.name)
	}
}

func TestWhereTheNetworkIs(t *testing.T) {
	infra := &engine.ContainerSpec{Name: "pod-infra"}
	for _, c := range []struct {
		name  string
		spec  engine.PodSpec
		asked string
		calls []string // of the engine; none: the executor dials itself
		err   string
	}{
		{"the pod's", engine.PodSpec{Infra: infra, Services: []engine.ContainerSpec{member("a", "host"), member("b", joined)}}, "", []string{"Exec container pod-infra"}, ""},
		{"the host's", engine.PodSpec{Services: []engine.ContainerSpec{member("a", "none"), member("b", "host")}}, "", nil, ""},
		{"the host's, as is asked for", engine.PodSpec{Infra: infra, Services: []engine.ContainerSpec{member("a", "host"), member("b", joined)}}, "a", nil, ""},
		{"an infra without a network", engine.PodSpec{Infra: infra, Services: []engine.ContainerSpec{member("a", "pod_default")}}, "", nil, "use a check of type COMMAND, or network.mode pod"},
		{"nobody's", engine.PodSpec{Services: []engine.ContainerSpec{member("a", "none")}}, "", nil, "the task's TCP check can't be made"},
		{"one of its own", engine.PodSpec{Infra: infra, Services: []engine.ContainerSpec{member("a", "none"), member("b", joined)}}, "a", nil, "the task's TCP check can't be made"},
		{"a stranger's", engine.PodSpec{Infra: infra, Services: []engine.ContainerSpec{member("a", joined)}}, "z", nil, `names the service "z"`},
	} {
		fake := withContainer(t, "pod-infra", nil)
		before := len(fake.Calls())
		checkers, err := New([]Check{{Type: TCP, Port: 1}}, c.spec, c.asked, fake, quiet())
		if c.err != "" {
			require.ErrorContains(t, err, c.err, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		_, _ = checkers[0].probe(t.Context())
		require.ElementsMatch(t, c.calls, fake.Calls()[before:], c.name)
	}
}

func TestNewMakesEveryCheck(t *testing.T) {
	spec := engine.PodSpec{Services: []engine.ContainerSpec{member("web", "host")}}
	checkers, err := New([]Check{{Type: Command, Command: []string{"true"}}, {Type: HTTP, Scheme: "http", Port: 1}, {Type: TCP, Port: 1}}, spec, "",
		withContainer(t, "pod-web-1", nil), quiet())
	require.NoError(t, err)
	require.Len(t, checkers, 3)
	got, err := checkers[0].probe(t.Context())
	require.NoError(t, err)
	require.Equal(t, Result{}, got)
	_, err = checkers[1].probe(t.Context())
	require.ErrorContains(t, err, "connection refused")
	got, err = checkers[2].probe(t.Context())
	require.NoError(t, err)
	require.Zero(t, got.Value)
}
