// Package inventory says which pods an engine has and what they use. It never changes anything.
package inventory

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// Pod is what an engine has of one pod.
type Pod struct {
	ID       string
	Identity labels.Identity
	Services []Service            // by name; infra is the first
	Cgroup   string               // that its containers are below; "" where none of them runs or it can't be seen
	Usage    *cgroup.Usage        // of Cgroup, with what else lives there, such as the executor; nil without Cgroup
	Network  *cgroup.NetworkUsage // of infra, which services share, and of services with a network of their own; nil where it is not known
}

// Service is one container of a pod.
type Service struct {
	Name      string
	Role      string // labels.RoleInfra or labels.RoleService
	Container string // the engine's id
	Image     string
	Status    engine.Status
	Health    engine.Health
	ExitCode  int // of one that ended
	Created   time.Time
	Usage     *cgroup.Usage // nil where it does not run or can't be seen
}

// Engine is what is asked of an engine: one list.
type Engine interface {
	List(ctx context.Context, labels ...string) ([]engine.Container, error)
}

// List finds the pods, sorted by task and id, without what they use.
func List(ctx context.Context, e Engine) ([]Pod, error) {
	containers, err := e.List(ctx, labels.Pod)
	if err != nil {
		return nil, err
	}
	return group(containers), nil
}

// Measure fills in what pods use, as far as their cgroups are on this host. What can't be read of one is in the error, and keeps
// nothing back of another.
func Measure(host *cgroup.Host, pods []Pod) error {
	if len(pods) == 0 {
		return nil
	}
	where, err := locate(host, pods)
	if err != nil {
		return err
	}
	var errs []error
	for i := range pods {
		errs = append(errs, pods[i].measure(host, where))
	}
	return errors.Join(errs...)
}

// group sorts containers by pod. What does not bear our labels whole belongs to none.
func group(containers []engine.Container) []Pod {
	at := map[string]int{}
	var out []Pod
	for _, c := range containers {
		id, pod, ok := labels.Parse(c.Labels)
		if !ok {
			continue
		}
		if _, seen := at[pod]; !seen {
			at[pod] = len(out)
			out = append(out, Pod{ID: pod, Identity: id})
		}
		p := &out[at[pod]]
		p.Services = append(p.Services, Service{
			Name: c.Labels[labels.Service], Role: c.Labels[labels.Role], Container: c.ID, Image: c.Image,
			Status: c.Status, Health: c.Health, ExitCode: c.ExitCode, Created: c.Created,
		})
	}
	slices.SortFunc(out, func(a, b Pod) int {
		return cmp.Or(cmp.Compare(a.Identity.Task, b.Identity.Task), cmp.Compare(a.ID, b.ID))
	})
	for _, p := range out {
		slices.SortFunc(p.Services, func(a, b Service) int { // "infra" < "service"
			return cmp.Or(cmp.Compare(a.Role, b.Role), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Container, b.Container))
		})
	}
	return out
}

// locate finds the cgroups of containers by their names, wherever an agent's root and an engine's driver have put them.
func locate(host *cgroup.Host, pods []Pod) (map[string]string, error) {
	wanted := map[string]bool{}
	for _, p := range pods {
		for _, s := range p.Services {
			wanted[s.Container] = true
		}
	}
	all, err := host.List("/")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, p := range all {
		if id := cgroup.ContainerID(path.Base(p)); wanted[id] {
			out[id] = p
		}
	}
	return out, nil
}

// measure reads what the pod and its services use. What ended meanwhile uses nothing.
func (p *Pod) measure(host *cgroup.Host, where map[string]string) error {
	var networks []string
	for _, s := range p.Services {
		own, there := where[s.Container]
		if !there {
			continue
		}
		p.Cgroup = path.Dir(own)
		if s.Role == labels.RoleInfra || os.Geteuid() == 0 { // only root can tell their networks apart
			networks = append(networks, own)
		}
	}
	if p.Cgroup == "" {
		return nil
	}
	switch n, known, err := host.Interfaces(networks...); {
	case err != nil:
		return err
	case known:
		p.Network = &n
	}
	all, children, err := host.UsageBelow(p.Cgroup)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	p.Usage = &all
	for i := range p.Services {
		s := &p.Services[i]
		if u, there := children[path.Base(where[s.Container])]; there {
			s.Usage = &u
		}
	}
	return nil
}
