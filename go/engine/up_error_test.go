package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/labels"
)

func TestWhatAnEngineRefusesIsSaidInOneSentence(t *testing.T) {
	spec := func(service, role string, host container.HostConfig) *ContainerSpec {
		return &ContainerSpec{
			Service: service, Name: "p-" + service + "-1", Image: "i", Host: &host,
			Config: &container.Config{Labels: map[string]string{labels.Role: role}},
		}
	}
	ports := container.HostConfig{PortBindings: nat.PortMap{"80/tcp": {{HostPort: "31000"}}, "81/tcp": {{HostPort: "310"}}}}
	published := spec("infra", labels.RoleInfra, ports)
	published.Publishes = map[string]string{"80/tcp": "web"}
	below := container.HostConfig{Resources: container.Resources{CgroupParent: "/mesos/x"}}
	for _, c := range []struct {
		name   string
		op     Op
		err    error
		driver string
		want   string
	}{
		{"a port that another container has", Op{Kind: OpStart, Container: published},
			errdefs.ErrInternal.WithMessage("Bind for 0.0.0.0:31000 failed: port is already allocated"), "",
			"port 31000 of this host, which service web publishes for its port 80/tcp, is already taken: end what listens there, or take another port" +
				" (Bind for 0.0.0.0:31000 failed: port is already allocated)"},
		{"a port that a process has", Op{Kind: OpStart, Container: spec("web", labels.RoleService, ports)},
			errdefs.ErrInternal.WithMessage("listen tcp6 [::]:310: bind: address already in use"), "",
			"port 310 of this host, which service web publishes for its port 81/tcp, is already taken: end what listens there, or take another port" +
				" (listen tcp6 [::]:310: bind: address already in use)"},
		{"a number that is no port of its own", Op{Kind: OpStart, Container: spec("web", labels.RoleService, ports)},
			errdefs.ErrInternal.WithMessage("dial 10.0.0.1:3100"), "", "service web can't be started: dial 10.0.0.1:3100"},
		{"a cgroup", Op{Kind: OpStart, Container: spec("web", labels.RoleService, below)},
			errdefs.ErrInternal.WithMessage("write /sys/fs/cgroup/memory/mesos/x/1/cgroup.procs: no space left on device"), "cgroupfs",
			"service web can't join the cgroup /mesos/x: see that it exists on this host and that its limits leave room" +
				" (write /sys/fs/cgroup/memory/mesos/x/1/cgroup.procs: no space left on device)"},
		{"the systemd driver under a cgroupfs path", Op{Kind: OpCreate, Container: spec("web", labels.RoleService, below)},
			errdefs.ErrInvalidArgument.WithMessage("should be a valid slice"), "systemd",
			"service web can't be put under the cgroup /mesos/x: dockerd uses the systemd cgroup driver, which takes slices only;" +
				" start it with --exec-opt native.cgroupdriver=cgroupfs (should be a valid slice)"},
		{"a command that does not exist", Op{Kind: OpStart, Container: spec("web", labels.RoleService, below)},
			errdefs.ErrInvalidArgument.WithMessage("exec: /nope"), "cgroupfs",
			"service web can't be started: see that services.web.command and entrypoint exist in image i (exec: /nope)"},
		{"a network that is not there", Op{Kind: OpStart, Container: &ContainerSpec{
			Name: "p-infra", Config: published.Config, Networks: map[string]*network.EndpointSettings{"front": nil}}},
			errdefs.ErrNotFound.WithMessage("network front not found"), "",
			"the network front, which the infra container is to join, does not exist on this host: create it (docker network create front), or name another" +
				" (network front not found)"},
		{"a registry that does not answer", Op{Kind: OpPull, Image: "reg/i", Container: spec("web", labels.RoleService, below)},
			errdefs.ErrUnavailable.WithMessage("dial tcp: connection refused"), "",
			"image reg/i of service web can't be pulled: see that its registry can be reached from this host, or load it there (dial tcp: connection refused)"},
		{"a name that is taken", Op{Kind: OpCreate, Container: spec("web", labels.RoleService, container.HostConfig{})},
			errdefs.ErrConflict.WithMessage("the name is in use"), "", "service web can't be created: the name is in use"},
		{"a network", Op{Kind: OpCreateNetwork, Network: &NetworkSpec{Name: "p_front"}},
			errdefs.ErrInternal.WithMessage("no free subnet"), "", "create network p_front failed: no free subnet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := explain(t.Context(), &c.op, c.err, func(context.Context) (Info, error) {
				if c.driver == "" {
					return Info{}, errors.New("not to be asked")
				}
				return Info{CgroupDriver: c.driver}, nil
			})
			require.Equal(t, c.want, got.Error())
			require.ErrorIs(t, got, c.err)
			require.Equal(t, reasonLaunch, got.Reason())
		})
	}
}
