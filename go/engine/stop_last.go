package engine

import (
	"context"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/dce-go/dce/go/labels"
)

// resortTimeout bounds the last resort: SIGKILL works at once, but for processes that hang in the kernel.
const resortTimeout = 2 * time.Second

// remember begins a stop with what is known while the engine is out of reach: the pod as last seen, and what Up began to
// start since.
func (s *stopping) remember() {
	for _, c := range s.sub.last() {
		s.note(c)
	}
	started := s.pod.startedOf(s.spec.ID)
	s.sure = started != nil
	for _, id := range slices.Sorted(maps.Keys(started)) {
		if s.members[id] == nil || s.members[id].Status == StatusCreated {
			role := labels.RoleService
			if started[id].infra() {
				role = labels.RoleInfra
			}
			s.note(ContainerState{ID: id, Name: started[id].Name, Service: started[id].Service, Role: role, Status: StatusRunning})
			s.members[id].assumed = true
		}
	}
}

// last is the pod as it was last seen, however long ago.
func (s *subscription) last() []ContainerState {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.feed.seen.states()
}

// resort ends the processes of what still runs some time past the deadline, without the engine: those in the cgroups of our
// own containers, below the cgroup that the pod was put under. It says whether nothing of the pod runs any more. A container
// without a cgroup has ended, but only if another one of the pod has one: an engine on another host shows none here.
func (s *stopping) resort(ctx context.Context, now, deadline time.Time) (over bool) {
	parent := s.spec.cgroupParent()
	if s.tried || s.pod.Cgroups == nil || parent == "" || now.Before(deadline.Add(resortWait)) {
		return false
	}
	s.tried = true
	ctx, cancel := context.WithTimeout(ctx, resortTimeout)
	defer cancel()
	alive := s.alive()
	slices.SortStableFunc(alive, func(a, b *member) int { // infra last: the others live in its network
		return strings.Compare(b.Role, a.Role)
	})
	here, sure := false, true
	for _, m := range alive {
		if !isID(m.ID) {
			sure = false
			continue
		}
		found, err := s.pod.Cgroups.Kill(ctx, path.Join(parent, m.ID))
		log := s.log.WithField("container", m.Name)
		switch {
		case err != nil:
			log.WithError(err).Error("The Docker engine did not stop the container in time, and its processes can't be ended without it.")
			sure = false
		case found:
			log.Warn("The Docker engine did not stop the container in time; its processes were ended without it.")
			here = true
			if m.Role != labels.RoleInfra {
				s.alone = append(s.alone, m.Service)
			}
		}
	}
	slices.Sort(s.alone)
	s.alone = slices.Compact(s.alone)
	return here && sure
}

// cgroupParent is the cgroup that the pod's containers are put under; "" where the engine chooses, or where it is a slice, in
// which containers have names of systemd's.
func (s *PodSpec) cgroupParent() string {
	parent := ""
	for _, c := range append([]*ContainerSpec{s.Infra}, pointers(s.Services)...) {
		if c == nil {
			continue
		}
		if c.Host == nil || !path.IsAbs(c.Host.CgroupParent) || parent != "" && c.Host.CgroupParent != parent {
			return ""
		}
		parent = c.Host.CgroupParent
	}
	if path.Clean(parent) == "/" {
		return ""
	}
	return parent
}

func pointers(all []ContainerSpec) []*ContainerSpec {
	out := make([]*ContainerSpec, len(all))
	for i := range all {
		out[i] = &all[i]
	}
	return out
}

// isID says that s is a whole id: never a name that may lead elsewhere.
func isID(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }
