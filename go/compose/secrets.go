package compose

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/mount"

	"github.com/dce-go/dce/go/engine"
)

// fileRef is a secret or a config as one service uses it.
type fileRef struct {
	types.FileReferenceConfig
	key  string // "secrets" or "configs"
	path string // in the container
	def  types.FileObjectConfig
}

func (l *Layout) fileRefs(s *placed) ([]fileRef, error) {
	var refs []fileRef
	for _, secret := range s.Secrets {
		refs = append(refs, fileRef{types.FileReferenceConfig(secret), "secrets", "/run/secrets/",
			types.FileObjectConfig(l.Project.Secrets[secret.Source])})
	}
	for _, config := range s.Configs {
		refs = append(refs, fileRef{types.FileReferenceConfig(config), "configs", "/",
			types.FileObjectConfig(l.Project.Configs[config.Source])})
	}
	for i, ref := range refs {
		if ref.def.External {
			return nil, badService(s.Name, ref.key+"."+ref.Source, "use file or environment",
				"external %s are kept by Docker Swarm, which a Mesos agent does not have", ref.key)
		}
		target := cmp.Or(ref.Target, ref.Source)
		if !path.IsAbs(target) {
			target = ref.path + target
		}
		refs[i].path = path.Clean(target)
	}
	return refs, nil
}

// fileMounts returns the secrets and configs that are files: they are mounted from where they are, read-only.
func (l *Layout) fileMounts(s *placed) ([]mount.Mount, error) {
	refs, err := l.fileRefs(s)
	if err != nil {
		return nil, err
	}
	byTarget := map[string]mount.Mount{}
	for _, ref := range slices.Backward(refs) { // of two on one path the first wins
		if ref.def.File == "" || ref.def.Content != "" || ref.def.Environment != "" {
			continue
		}
		if ref.UID != "" || ref.GID != "" || ref.Mode != nil {
			l.warn("service %s: uid, gid and mode of %s.%s have no effect on a file, which is mounted as it is", s.Name, ref.key, ref.Source)
		}
		byTarget[ref.path] = mount.Mount{Type: mount.TypeBind, Source: l.hostPath(ref.def.File), Target: ref.path, ReadOnly: true}
	}
	return slices.SortedFunc(maps.Values(byTarget), func(a, b mount.Mount) int { return cmp.Compare(a.Target, b.Target) }), nil
}

// files returns the secrets and configs with content, which are copied into the container before it starts.
func (l *Layout) files(s *placed) ([]engine.File, error) {
	refs, err := l.fileRefs(s)
	if err != nil {
		return nil, err
	}
	var files []engine.File
	for _, ref := range refs {
		key := ref.key + "." + ref.Source
		content := ref.def.Content
		if content == "" && ref.def.Environment != "" {
			value, set := l.Project.Environment[ref.def.Environment]
			if !set {
				return nil, badService(s.Name, key, "set it in .env or in the task's environment",
					"it wants the variable %s, which has no value", ref.def.Environment)
			}
			content = value
		}
		if content == "" {
			continue
		}
		if s.ReadOnly {
			return nil, badService(s.Name, key, "use file, or remove read_only",
				"it has to be copied into the container, whose file system is read-only")
		}
		file := engine.File{Path: ref.path, Content: []byte(content), Mode: 0o444}
		if ref.Mode != nil {
			file.Mode = int64(*ref.Mode)
		}
		if file.UID, err = id(s.Name, key+".uid", ref.UID); err != nil {
			return nil, err
		}
		if file.GID, err = id(s.Name, key+".gid", ref.GID); err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	slices.SortFunc(files, func(a, b engine.File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

func id(service, key, value string) (int, error) {
	if value == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, badService(service, key, "write a number", "%q is no numeric id", value)
	}
	return int(n), nil
}
