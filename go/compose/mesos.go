package compose

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/mount"
)

// SandboxPath is where containers see the task's sandbox (src/slave/flags.cpp, sandbox_directory), and SandboxVar the
// variable that says so.
const (
	SandboxPath = "/mnt/mesos/sandbox"
	SandboxVar  = "MESOS_SANDBOX"
)

// environment is what the containers of a service get: the variables of the target, and over them the file's own.
func (l *Layout) environment(s *placed) []string {
	all := types.MappingWithEquals{}
	for name, value := range l.Target.Environment {
		all[name] = &value
	}
	if _, mounted := l.sandbox(s); mounted {
		all[SandboxVar] = new(SandboxPath)
	}
	maps.Copy(all, s.Environment)
	return environment(all)
}

// environment returns "NAME=value", sorted; a NAME alone takes the variable out of the image's.
func environment(env types.MappingWithEquals) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if value := env[name]; value != nil {
			name += "=" + *value
		}
		list = append(list, name)
	}
	return list
}

// sandbox is the mount of the task's sandbox, and whether there is one at its place: what the file mounts there wins, and
// what it mounts above may be read-only, so that nothing can be mounted inside.
func (l *Layout) sandbox(s *placed) (own *mount.Mount, mounted bool) {
	if l.Target.Sandbox == "" {
		return nil, false
	}
	targets := slices.Collect(maps.Keys(tmpfs(s.Tmpfs)))
	for _, v := range s.Volumes {
		targets = append(targets, v.Target)
	}
	above := false
	for _, target := range targets {
		target = path.Clean(target)
		if target == SandboxPath {
			return nil, true
		}
		above = above || strings.HasPrefix(SandboxPath, target+"/")
	}
	if above {
		return nil, false
	}
	return &mount.Mount{Type: mount.TypeBind, Source: l.Target.Sandbox, Target: SandboxPath}, true
}

// hostPath is where the engine finds a file that the executor sees in the sandbox: an executor in an image of its own has
// the sandbox elsewhere than the host.
func (l *Layout) hostPath(file string) string {
	inside, ok := strings.CutPrefix(file, path.Clean(l.Project.WorkingDir))
	if l.Target.Sandbox == "" || !ok || inside != "" && inside[0] != '/' {
		return file
	}
	return l.Target.Sandbox + inside
}
