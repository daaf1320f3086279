package launch

import (
	"fmt"
	"path"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/mesos/mesos-go/api/v1/lib"

	"github.com/dce-go/dce/go/compose"
)

// mounts translates volumes. Relative host paths are below the sandbox, relative container paths below where containers
// see it.
func (m *containerModel) mounts() error {
	if driver := m.info.GetDocker().GetVolumeDriver(); driver != "" {
		m.volumeDriver = driver
	}
	for i, v := range m.info.Volumes {
		volume, err := m.mount(fmt.Sprintf("volumes[%d]", i), v)
		if err != nil {
			return err
		}
		if volume["target"] = v.ContainerPath; !path.IsAbs(v.ContainerPath) {
			volume["target"] = path.Join(compose.SandboxPath, v.ContainerPath)
		}
		volume["read_only"] = v.GetMode() == mesos.RO
		m.add("volumes", volume)
	}
	m.volumeParameters()
	return nil
}

func (m *containerModel) mount(key string, v mesos.Volume) (map[string]any, error) {
	source := v.GetSource()
	switch {
	case v.ContainerPath == "":
		return nil, badContainer(key+".container_path", "set it", "the volume has no place in the container")
	case v.Image != nil:
		return nil, badContainer(key+".image", "use host_path or a source", "an image can't be mounted")
	case v.HostPath != nil:
		return m.bind(key+".host_path", v.ContainerPath, v.GetHostPath(), "")
	case source.GetType() == mesos.Volume_Source_HOST_PATH && source.GetHostPath() != nil:
		propagation, err := propagation(key, source.HostPath.MountPropagation)
		if err != nil {
			return nil, err
		}
		return m.bind(key+".source.host_path", v.ContainerPath, source.HostPath.Path, propagation)
	case source.GetType() == mesos.Volume_Source_SANDBOX_PATH && source.GetSandboxPath().GetType() == mesos.Volume_Source_SandboxPath_SELF:
		return m.bind(key+".source.sandbox_path", v.ContainerPath, path.Join(m.sandbox, path.Join("/", source.SandboxPath.Path)), "")
	case source.GetType() == mesos.Volume_Source_DOCKER_VOLUME && source.GetDockerVolume().GetName() != "":
		docker := source.DockerVolume
		options := map[string]any{}
		for _, option := range docker.GetDriverOptions().GetParameter() {
			options[option.Key] = option.Value
		}
		return m.volume(docker.Name, docker.GetDriver(), options), nil
	case source == nil:
		return nil, badContainer(key, "set one of them", "the volume has neither a host_path nor a source")
	}
	return nil, badContainer(key+".source", "use DOCKER_VOLUME, HOST_PATH or SANDBOX_PATH of the type SELF",
		"a volume of the source %s can't be mounted by Docker, or lacks what that source needs", source.GetType())
}

// bind mounts a path of the host; below a volume driver, a relative one is a volume's name.
func (m *containerModel) bind(key, target, source, propagation string) (map[string]any, error) {
	if source == "" {
		return nil, badContainer(key, "name a path", "it is empty")
	}
	if !path.IsAbs(source) {
		if m.volumeDriver != "" {
			return m.volume(source, "", nil), nil
		}
		if !path.IsAbs(target) {
			return nil, badContainer(key, "make one of them absolute: the sandbox is in the container anyway, at "+compose.SandboxPath,
				"both %s and the container_path %s are relative", source, target)
		}
		source = path.Join(m.sandbox, source)
	}
	bind := map[string]any{"create_host_path": true}
	if propagation != "" {
		bind["propagation"] = propagation
	}
	return map[string]any{"type": types.VolumeTypeBind, "source": source, "bind": bind}, nil
}

func propagation(key string, p *mesos.MountPropagation) (string, error) {
	switch p.GetMode() {
	case mesos.MountPropagation_HOST_TO_CONTAINER:
		return types.PropagationRSlave, nil
	case mesos.MountPropagation_BIDIRECTIONAL:
		return types.PropagationRShared, nil
	case mesos.MountPropagation_UNKNOWN:
		return "", nil
	}
	return "", badContainer(key+".source.host_path.mount_propagation", "use HOST_TO_CONTAINER or BIDIRECTIONAL", "there is no mode %s", p.GetMode())
}

// volume mounts a volume that has a name of its own, so that it stays after the task. It is made if it is not there.
func (m *containerModel) volume(name, driver string, options map[string]any) map[string]any {
	key := fmt.Sprintf("volume-%d", len(m.volumes))
	if driver == "" {
		driver = m.volumeDriver
	}
	volume := map[string]any{"name": name}
	if driver != "" {
		volume["driver"] = driver
	}
	if len(options) > 0 {
		volume["driver_opts"] = options
	}
	m.volumes[key] = volume
	return map[string]any{"type": types.VolumeTypeVolume, "source": key}
}

// volumeParameters declares the volumes that the parameter volume names, as `docker run` would make them.
func (m *containerModel) volumeParameters() {
	list, _ := m.service["volumes"].([]any)
	for i, entry := range list {
		text, _ := entry.(string)
		name, rest, ok := strings.Cut(text, ":")
		if ok && name != "" && !strings.ContainsAny(name, "/~") && name[0] != '.' {
			list[i] = m.volume(name, "", nil)["source"].(string) + ":" + rest
		}
	}
}
