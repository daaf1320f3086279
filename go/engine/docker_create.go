package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/dce-go/dce/go/labels"
)

// Create makes a container. Names are deterministic, so one that is there already with our pod and service labels is what an
// earlier call made whose answer was an error or never came: it is adopted.
func (d *dockerAPI) Create(ctx context.Context, spec *ContainerSpec) (string, error) {
	r, err := newCreation(spec, d.cli.ClientVersion())
	if err != nil {
		return "", err
	}
	made, err := d.cli.ContainerCreate(ctx, r.config, r.host, &network.NetworkingConfig{EndpointsConfig: r.endpoints}, r.platform, spec.Name)
	id, attached := made.ID, map[string]*network.EndpointSettings(nil)
	if errdefs.IsConflict(err) || errdefs.IsInternal(err) {
		id, attached, err = d.adopt(ctx, spec, err)
	}
	if err != nil {
		return "", err
	}
	for _, name := range r.later {
		if _, ok := attached[name]; ok {
			continue
		}
		if err := d.cli.NetworkConnect(ctx, name, id, spec.Networks[name]); err != nil {
			return "", fmt.Errorf("connect to network %s: %w", name, err)
		}
	}
	return id, nil
}

// adopt returns the container of spec's name if it is ours, else the error that its creation gave.
func (d *dockerAPI) adopt(ctx context.Context, spec *ContainerSpec, failed error) (string, map[string]*network.EndpointSettings, error) {
	found, err := d.cli.ContainerInspect(ctx, spec.Name)
	if errdefs.IsNotFound(err) {
		return "", nil, failed
	}
	if err != nil {
		return "", nil, errors.Join(failed, err)
	}
	gone := found.State.Dead || Status(found.State.Status) == StatusRemoving
	if gone || !sameOwner(found.Config.Labels, spec.Config.Labels) {
		return "", nil, failed
	}
	return found.ID, found.NetworkSettings.Networks, nil
}

// sameOwner compares the labels that tell one container of a pod from all others.
func sameOwner(have, want map[string]string) bool {
	pod := want[labels.Pod]
	return pod != "" && have[labels.Pod] == pod && have[labels.Service] == want[labels.Service]
}

// creation is a ContainerSpec as an engine of some API version takes it.
type creation struct {
	config    *container.Config
	host      *container.HostConfig
	platform  *ocispec.Platform
	endpoints map[string]*network.EndpointSettings
	later     []string // networks to connect after the create, sorted
}

// newCreation copies what the client or the version would change: a spec stays as it is.
func newCreation(spec *ContainerSpec, version string) (creation, error) {
	old := func(than string) bool { return versions.LessThan(version, than) }
	config, host := *spec.Config, container.HostConfig{}
	if spec.Host != nil {
		host = *spec.Host
	}
	r := creation{config: &config, host: &host, endpoints: spec.Networks}
	if old("1.25") {
		config.StopTimeout = nil
	}
	if h := config.Healthcheck; h != nil && h.StartInterval != 0 && old("1.44") {
		return creation{}, tooOld(spec, "healthcheck.start_interval", "1.44 (Docker 25)", version)
	}
	if spec.Platform != "" {
		if old("1.41") {
			return creation{}, tooOld(spec, "platform", "1.41 (Docker 20.10)", version)
		}
		var err error
		if r.platform, err = parsePlatform(spec.Platform); err != nil {
			return creation{}, err
		}
	}
	if len(spec.Networks) == 0 {
		return r, nil
	}
	primary := primaryNetwork(spec)
	first := *spec.Networks[primary]
	if !old("1.44") {
		if config.MacAddress != "" && first.MacAddress == "" { //nolint:staticcheck // where older engines have it
			first.MacAddress = config.MacAddress //nolint:staticcheck // see above
			r.endpoints = maps.Clone(spec.Networks)
			r.endpoints[primary] = &first
		}
		return r, nil
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Networks)) {
		if name == primary {
			continue
		}
		if spec.Networks[name].MacAddress != "" {
			return creation{}, tooOld(spec, "networks."+name+".mac_address (of another network than the first)", "1.44 (Docker 25)", version)
		}
		r.later = append(r.later, name)
	}
	if first.MacAddress != "" {
		config.MacAddress, first.MacAddress = first.MacAddress, "" //nolint:staticcheck // where older engines have it
	}
	r.endpoints = map[string]*network.EndpointSettings{primary: &first}
	return r, nil
}

// primaryNetwork is the one that the network mode names, else the first by name.
func primaryNetwork(spec *ContainerSpec) string {
	if spec.Host != nil {
		if mode := string(spec.Host.NetworkMode); spec.Networks[mode] != nil {
			return mode
		}
	}
	return slices.Min(slices.Collect(maps.Keys(spec.Networks)))
}

func parsePlatform(s string) (*ocispec.Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return nil, invalid("platform %q is not of the form os/arch[/variant], for example linux/arm64/v8", s)
	}
	return &ocispec.Platform{OS: parts[0], Architecture: parts[1], Variant: strings.Join(parts[2:], "")}, nil
}

func tooOld(spec *ContainerSpec, key, needs, has string) error {
	return invalid("service %s: %s needs Docker API %s, this engine speaks %s: remove the key or upgrade Docker", spec.Service, key, needs, has)
}
