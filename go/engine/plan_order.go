package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dce-go/dce/go/labels"
)

// edge is one service that another needs, and the key of the compose file that says so.
type edge struct {
	to  string
	key string
}

// edges returns what every service needs, sorted: depends_on, and the services whose namespaces or volumes it shares.
// Infra is no service: everything that joins it needs it, which no file can turn into a cycle.
func (s *PodSpec) edges() map[string][]edge {
	owner := map[string]string{}
	for _, c := range s.Services {
		owner[c.Name] = c.Service
	}
	out := make(map[string][]edge, len(s.Services))
	for i := range s.Services {
		c := &s.Services[i]
		found := out[c.Service]
		add := func(to, key string) {
			if to != "" && !slices.ContainsFunc(found, func(e edge) bool { return e.to == to }) {
				found = append(found, edge{to, key})
			}
		}
		for _, d := range c.Needs {
			if s.has(d.Service) {
				add(d.Service, "depends_on")
			}
		}
		for _, d := range c.donors() {
			if to := owner[d.name]; to != c.Service || d.name == c.Name {
				add(to, d.key)
			}
		}
		slices.SortFunc(found, func(a, b edge) int { return strings.Compare(a.to, b.to) })
		out[c.Service] = found
	}
	return out
}

func (s *PodSpec) has(service string) bool {
	return slices.ContainsFunc(s.Services, func(c ContainerSpec) bool { return c.Service == service })
}

// levels sorts the services so that each comes after all that it needs: level 0 needs none. Within a level they are
// sorted by name. A cycle is an error that names it and its keys.
func (s *PodSpec) levels() ([][]string, error) {
	edges := s.edges()
	depth := map[string]int{}
	var path []string
	var visit func(string) error
	visit = func(service string) error {
		if _, done := depth[service]; done {
			return nil
		}
		if at := slices.Index(path, service); at >= 0 {
			return cycleError(path[at:], edges)
		}
		path = append(path, service)
		level := 0
		for _, e := range edges[service] {
			if err := visit(e.to); err != nil {
				return err
			}
			level = max(level, depth[e.to]+1)
		}
		path = path[:len(path)-1]
		depth[service] = level
		return nil
	}
	var out [][]string
	for _, service := range sorted(edges) {
		if err := visit(service); err != nil {
			return nil, err
		}
		for len(out) <= depth[service] {
			out = append(out, nil)
		}
	}
	for _, service := range sorted(edges) {
		out[depth[service]] = append(out[depth[service]], service)
	}
	return out, nil
}

func cycleError(cycle []string, edges map[string][]edge) error {
	var keys []string
	for i, from := range cycle {
		to := cycle[(i+1)%len(cycle)]
		for _, e := range edges[from] {
			if e.to == to {
				keys = append(keys, fmt.Sprintf("services.%s.%s", from, e.key))
			}
		}
	}
	circle := strings.Join(append(slices.Clone(cycle), cycle[0]), " -> ")
	return &OpError{Op: opPlan, Service: cycle[0], reason: reasonInvalid, sentence: fmt.Sprintf(
		"the services need each other in a circle, %s: take one out of %s", circle, strings.Join(keys, ", "))}
}

// infra says whether c is the container that owns the pod's network.
func (c *ContainerSpec) infra() bool {
	return c.Config != nil && c.Config.Labels[labels.Role] == labels.RoleInfra
}

// donor is a container that another joins, by name.
type donor struct {
	name string
	key  string // of the compose file
	// The engine resolves network namespaces when a container starts, ipc, pid and volumes_from when it is created.
	atCreate bool
	running  bool // it must run when the other starts
}

// donors returns the containers that c joins, without those of other pods having been told apart.
func (c *ContainerSpec) donors() []donor {
	if c.Host == nil {
		return nil
	}
	var out []donor
	join := func(name, key string, atCreate, running bool) {
		out = append(out, donor{name, key, atCreate, running})
	}
	if m := c.Host.NetworkMode; m.IsContainer() {
		join(m.ConnectedContainer(), "network_mode", false, true)
	}
	if m := c.Host.IpcMode; m.IsContainer() {
		join(m.Container(), "ipc", true, true)
	}
	if m := c.Host.PidMode; m.IsContainer() {
		join(m.Container(), "pid", true, true)
	}
	for _, from := range c.Host.VolumesFrom {
		name, _, _ := strings.Cut(from, ":")
		join(name, "volumes_from", true, false)
	}
	return out
}

// sorted returns the keys of m in order: plans are the same for the same input.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
