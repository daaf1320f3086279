package engine

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// List is one request: exit code and health are read off the text that docker ps shows (moby, daemon/container/state.go,
// String). A container whose text has no exit code is inspected. A paused one has no health: the engine stops its checks.
func (d *dockerAPI) List(ctx context.Context, labels ...string) ([]Container, error) {
	found, err := d.cli.ContainerList(ctx, container.ListOptions{All: true, Filters: labelFilter(labels)})
	if err != nil {
		return nil, err
	}
	list := make([]Container, 0, len(found))
	for i := range found {
		c, told := fromSummary(&found[i])
		if !told {
			err := d.inspectExit(ctx, &c)
			if errdefs.IsNotFound(err) {
				continue // removed since
			}
			if err != nil {
				return nil, err
			}
		}
		list = append(list, c)
	}
	return list, nil
}

// fromSummary returns what one entry of the engine's list says; told is false where the exit code has to be asked
// for.
func fromSummary(s *container.Summary) (c Container, told bool) {
	c = Container{
		ID: s.ID, Name: ownName(s.Names), Image: s.Image, ImageID: s.ImageID, Labels: s.Labels,
		Created: time.Unix(s.Created, 0), Status: Status(s.State), Ports: published(s.Ports),
	}
	switch c.Status {
	case StatusRunning:
		c.Health = healthIn(s.Status)
		return c, true
	case StatusExited:
		c.ExitCode, told = exitCodeIn(s.Status)
		return c, told
	case StatusDead:
		return c, false
	default:
		return c, true
	}
}

var exitText = regexp.MustCompile(`^Exited \((-?\d+)\)`)

func exitCodeIn(status string) (code int, ok bool) {
	m := exitText.FindStringSubmatch(status)
	if m == nil {
		return 0, false
	}
	code, err := strconv.Atoi(m[1])
	return code, err == nil
}

func healthIn(status string) Health {
	switch {
	case strings.HasSuffix(status, "(healthy)"):
		return HealthHealthy
	case strings.HasSuffix(status, "(unhealthy)"):
		return HealthUnhealthy
	case strings.HasSuffix(status, "(health: starting)"):
		return HealthStarting
	default:
		return HealthUnknown
	}
}

// inspectExit asks for what the list did not tell.
func (d *dockerAPI) inspectExit(ctx context.Context, c *Container) error {
	found, err := d.cli.ContainerInspect(ctx, c.ID)
	if err != nil {
		return err
	}
	c.Status, c.ExitCode = Status(found.State.Status), found.State.ExitCode
	return nil
}

// ownName leaves out the names that other containers' links give, which are of the form /other/alias.
func ownName(names []string) string {
	for _, name := range names {
		if name = strings.TrimPrefix(name, "/"); !strings.Contains(name, "/") {
			return name
		}
	}
	return ""
}

func published(ports []container.Port) []Port {
	var list []Port
	for _, p := range ports {
		if p.PublicPort != 0 {
			list = append(list, Port{HostIP: p.IP, Host: p.PublicPort, Container: p.PrivatePort, Protocol: p.Type})
		}
	}
	slices.SortFunc(list, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.HostIP, b.HostIP))
	})
	return list
}
