package compose

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// volumeName is a volume's name on the engine. compose-go has put the pod's name before those that the file does not name.
func (l *Layout) volumeName(key string) string {
	if config := l.Project.Volumes[key]; l.named(key, config) {
		return config.Name
	}
	return l.Pod + "_" + key
}

// named says whether the file itself names a volume: such a volume is shared with others and outlives the pod.
func (l *Layout) named(key string, config types.VolumeConfig) bool {
	return bool(config.External) || config.Name != l.Project.Name+"_"+key
}

// volumes returns the volumes that the pod creates. One with a name of its own does not bear the pod's labels: what bears
// them goes with the pod.
func (l *Layout) volumes() []engine.VolumeSpec {
	var specs []engine.VolumeSpec
	for _, key := range slices.Sorted(maps.Keys(l.Project.Volumes)) {
		config := l.Project.Volumes[key]
		if config.External {
			continue
		}
		keep := l.named(key, config)
		all := map[string]string(config.Labels)
		if !keep {
			all = l.objectLabels(config.Labels)
			all[labels.ComposeVolume] = key
		}
		specs = append(specs, engine.VolumeSpec{Keep: keep, Options: volume.CreateOptions{
			Name: l.volumeName(key), Driver: config.Driver, DriverOpts: config.DriverOpts, Labels: all,
		}})
	}
	slices.SortFunc(specs, func(a, b engine.VolumeSpec) int { return cmp.Compare(a.Options.Name, b.Options.Name) })
	return specs
}

// mounts translates volumes, secrets and configs of a service. As in compose, what the older Binds can say is said there:
// it makes the engine create missing directories, and old engines know it.
func (l *Layout) mounts(s *placed) (binds []string, mounts []mount.Mount, err error) {
	taken := map[string]bool{}
	for _, v := range s.Volumes {
		if err := onDrive(s.Name, v); err != nil {
			return nil, nil, err
		}
		target := path.Clean(v.Target)
		if !path.IsAbs(target) {
			return nil, nil, badService(s.Name, "volumes", "write an absolute path", "%q is no path in a container", v.Target)
		}
		taken[target] = true
		switch v.Type {
		case types.VolumeTypeBind, types.VolumeTypeVolume, types.VolumeTypeTmpfs, types.VolumeTypeImage:
		default:
			return nil, nil, badService(s.Name, "volumes", "use a bind, volume, tmpfs or image", "a mount of type %q is not for Linux hosts", v.Type)
		}
		source := v.Source
		if v.Type == types.VolumeTypeVolume && source != "" {
			source = l.volumeName(source)
		}
		if v.Type == types.VolumeTypeBind {
			source = l.hostPath(source)
		}
		if bind, ok := bindString(v, source); ok {
			binds = append(binds, bind)
			continue
		}
		mounts = append(mounts, mount.Mount{
			Type: mount.Type(v.Type), Source: source, Target: v.Target, ReadOnly: v.ReadOnly,
			Consistency: mount.Consistency(v.Consistency), BindOptions: bindOptions(v), VolumeOptions: volumeOptions(v),
			TmpfsOptions: tmpfsOptions(v), ImageOptions: imageOptions(v),
		})
	}
	files, err := l.fileMounts(s)
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files { // a volume on the same path wins
		if !taken[file.Target] {
			mounts = append(mounts, file)
		}
	}
	if sandbox, _ := l.sandbox(s); sandbox != nil {
		mounts = append(mounts, *sandbox)
	}
	return binds, mounts, nil
}

// onDrive explains what the short form makes of a volume whose name has one letter: a path on a Windows drive (compose-go,
// format.ParseVolume), "v:/v" as target or as the source of "v:/v:ro".
func onDrive(service string, v types.ServiceVolumeConfig) error {
	for _, p := range []string{v.Target, v.Source} {
		if drive, rest, ok := strings.Cut(p, ":"); ok && len(drive) == 1 && (drive[0]|0x20) >= 'a' && (drive[0]|0x20) <= 'z' {
			return badService(service, "volumes",
				fmt.Sprintf("give the volume a longer name, or write {type: volume, source: %s, target: %s}; a folder is ./%s", drive, rest, drive),
				"with one letter before the colon, %q is a path on a Windows drive", p)
		}
	}
	return nil
}

// bindString returns "source:target:options" for what HostConfig.Binds can say. A path with a colon can't be said there.
func bindString(v types.ServiceVolumeConfig, source string) (string, bool) {
	switch {
	case source == "", strings.Contains(source+v.Target, ":"):
		return "", false
	case v.Type == types.VolumeTypeBind:
		if v.Bind != nil && (!bool(v.Bind.CreateHostPath) || v.Bind.Propagation != "" || v.Bind.Recursive != "") {
			return "", false
		}
	case v.Type == types.VolumeTypeVolume:
		if v.Volume != nil && (len(v.Volume.Labels) > 0 || v.Volume.Subpath != "" || v.Volume.NoCopy) {
			return "", false
		}
	default:
		return "", false
	}
	options := "rw"
	if v.ReadOnly {
		options = "ro"
	}
	if v.Bind != nil && v.Bind.SELinux != "" {
		options += "," + v.Bind.SELinux
	}
	return source + ":" + v.Target + ":" + options, true
}

func bindOptions(v types.ServiceVolumeConfig) *mount.BindOptions {
	if v.Type != types.VolumeTypeBind {
		return nil
	}
	if v.Bind == nil {
		return &mount.BindOptions{CreateMountpoint: true} // as Binds would
	}
	return &mount.BindOptions{
		Propagation: mount.Propagation(v.Bind.Propagation), CreateMountpoint: bool(v.Bind.CreateHostPath),
		NonRecursive: v.Bind.Recursive == "disabled", ReadOnlyNonRecursive: v.Bind.Recursive == "writable",
		ReadOnlyForceRecursive: v.Bind.Recursive == "readonly",
	}
}

func volumeOptions(v types.ServiceVolumeConfig) *mount.VolumeOptions {
	if v.Type != types.VolumeTypeVolume || v.Volume == nil {
		return nil
	}
	return &mount.VolumeOptions{NoCopy: v.Volume.NoCopy, Subpath: v.Volume.Subpath, Labels: v.Volume.Labels}
}

func tmpfsOptions(v types.ServiceVolumeConfig) *mount.TmpfsOptions {
	if v.Type != types.VolumeTypeTmpfs || v.Tmpfs == nil {
		return nil
	}
	return &mount.TmpfsOptions{SizeBytes: int64(v.Tmpfs.Size), Mode: os.FileMode(v.Tmpfs.Mode)}
}

func imageOptions(v types.ServiceVolumeConfig) *mount.ImageOptions {
	if v.Type != types.VolumeTypeImage || v.Image == nil {
		return nil
	}
	return &mount.ImageOptions{Subpath: v.Image.SubPath}
}

// volumesFrom names the containers: of a service the first, with the mode that the file gives.
func (l *Layout) volumesFrom(s *placed) ([]string, error) {
	var list []string
	for _, from := range s.VolumesFrom {
		if foreign, ok := strings.CutPrefix(from, types.ContainerPrefix); ok {
			list = append(list, foreign)
			continue
		}
		donor, mode, hasMode := strings.Cut(from, ":")
		first, err := l.firstContainer(s.Name, "volumes_from", donor)
		if err != nil {
			return nil, err
		}
		if hasMode {
			first += ":" + mode
		}
		list = append(list, first)
	}
	return list, nil
}

// tmpfs translates "path:options".
func tmpfs(list []string) map[string]string {
	all := map[string]string{}
	for _, entry := range list {
		target, options, _ := strings.Cut(entry, ":")
		all[target] = options
	}
	return all
}
