package launch

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mesos/mesos-go/api/v1/lib"

	"github.com/dce-go/dce/go/compose"
)

// What a task's container becomes: a service of this name; and what errors call the parts of the task that it is made of.
const (
	containerService = "task"
	containerInfo    = "TaskInfo.container"
	commandInfo      = "TaskInfo.command"
)

// containerModel is the container of a task as a compose file of one service would say it, so that both go the same way.
// It follows Mesos' Docker containerizer (src/docker/docker.cpp, Docker::RunOptions::create), and says what it does not.
type containerModel struct {
	task    *mesos.TaskInfo
	info    *mesos.ContainerInfo
	sandbox string // as the executor sees it

	service           map[string]any
	volumes, networks map[string]any    // of the whole file
	named             map[string]uint16 // host ports, by the names that the ports of the service have
	warnings          []string
	given             map[string]string // parameters that can be given once
	volumeDriver      string
}

// newContainerModel translates task.Container, which must be there, and task.Command. Every error is a *compose.Error.
func newContainerModel(task *mesos.TaskInfo, sandbox string) (*containerModel, error) {
	m := &containerModel{
		task: task, info: task.Container, sandbox: sandbox, service: map[string]any{},
		volumes: map[string]any{}, networks: map[string]any{}, named: map[string]uint16{}, given: map[string]string{},
	}
	for _, step := range []func() error{m.image, m.command, m.environment, m.parameters, m.mounts, m.network, m.rest} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// file is the model as the loader of compose files takes it.
func (m *containerModel) file() map[string]any {
	return map[string]any{
		"services": map[string]any{containerService: m.service}, "volumes": m.volumes, "networks": m.networks,
	}
}

func (m *containerModel) warn(format string, args ...any) {
	m.warnings = append(m.warnings, fmt.Sprintf(format, args...))
}

func badContainer(key, fix, problem string, args ...any) error {
	return &compose.Error{File: containerInfo, Key: key, Fix: fix, Problem: fmt.Sprintf(problem, args...)}
}

// image takes the image of either containerizer.
func (m *containerModel) image() error {
	image := m.info.GetMesos().GetImage()
	name := containerImage(m.info)
	switch {
	case name != "":
		m.service["image"] = name
	case image.GetType() == mesos.Image_APPC && image != nil:
		return badContainer("mesos.image", "name a Docker image", "an image of type APPC can't be run by Docker")
	default:
		return badContainer("", "set docker.image or mesos.image.docker.name, or leave the container out and fetch a compose file", "it names no Docker image")
	}
	if m.info.GetDocker().GetForcePullImage() || image != nil && !image.GetCached() {
		m.service["pull_policy"] = "always"
	}
	if image.GetDocker().GetCredential() != nil || image.GetDocker().GetConfig() != nil {
		m.warn("%s, key mesos.image.docker: credentials for registries are the host's own (docker login), config and credential have no effect", containerInfo)
	}
	return nil
}

// containerImage is the Docker image that a container names, empty where it names none.
func containerImage(info *mesos.ContainerInfo) string {
	if docker := info.GetDocker().GetImage(); docker != "" {
		return docker
	}
	return info.GetMesos().GetImage().GetDocker().GetName()
}

// command follows Mesos but for a shell without a value, which is the image's own command here.
func (m *containerModel) command() error {
	c := m.task.Command
	if c == nil {
		return nil
	}
	if len(c.URIs) > 0 {
		return &compose.Error{File: commandInfo, Key: "uris", Problem: "Mesos fetches files for executors only",
			Fix: "put them into ExecutorInfo.command.uris"}
	}
	if user := c.GetUser(); user != "" {
		if m.info.GetDocker() == nil {
			m.service["user"] = user
		} else {
			m.warn("%s, key user: a Docker container does not take it, as under Mesos; the parameter user would do it", commandInfo)
		}
	}
	var args []any
	for _, argument := range c.Arguments {
		args = append(args, argument)
	}
	switch {
	case c.GetShell() && c.Value != nil:
		if len(args) > 0 {
			m.warn("%s, key arguments: a shell takes none, as under Mesos", commandInfo)
		}
		m.service["entrypoint"], args = []any{"/bin/sh"}, []any{"-c", c.GetValue()}
	case c.Value != nil:
		args = slices.Insert(args, 0, any(c.GetValue()))
	}
	if len(args) > 0 {
		m.service["command"] = args
	}
	return nil
}

func (m *containerModel) environment() error {
	all := map[string]any{}
	for _, v := range m.task.Command.GetEnvironment().GetVariables() {
		value := v.GetValue()
		if v.GetType() == mesos.Environment_Variable_SECRET {
			if v.Secret.GetValue() == nil {
				return &compose.Error{File: commandInfo, Key: "environment." + v.Name,
					Problem: "only the agent could look a secret up by its reference", Fix: "give its value, or mount it as a file"}
			}
			value = string(v.Secret.GetValue().Data)
		}
		all[v.Name] = value
	}
	m.service["environment"] = all
	return nil
}

// rest is what is left of ContainerInfo and DockerInfo.
func (m *containerModel) rest() error {
	if m.info.GetDocker().GetPrivileged() {
		m.service["privileged"] = true
	}
	if m.info.TTYInfo != nil {
		m.service["tty"] = true
	}
	for key, set := range map[string]bool{"linux_info": m.info.LinuxInfo != nil, "rlimit_info": m.info.RlimitInfo != nil} {
		if set {
			return badContainer(key, "use docker.parameters (cap-add, cap-drop, ulimit, shm-size, pid, ipc), or a compose file",
				"is for the Mesos containerizer")
		}
	}
	return nil
}

// offered says whether the task was offered a port, and all that it was offered, for sentences.
func (m *containerModel) offered(port uint32) (ok bool, all string) {
	ports := offeredPorts(m.task)
	var list []string
	for _, p := range ports {
		list = append(list, fmt.Sprint(p))
	}
	return slices.Contains(ports, uint16(port)) && port <= 65535, strings.Join(list, ", ")
}

// setAt puts a value where a dotted key leads, making the maps on the way.
func setAt(service map[string]any, key string, change func(old any) any) {
	parts := strings.Split(key, ".")
	for _, part := range parts[:len(parts)-1] {
		next, ok := service[part].(map[string]any)
		if !ok {
			next = map[string]any{}
			service[part] = next
		}
		service = next
	}
	last := parts[len(parts)-1]
	service[last] = change(service[last])
}

// once sets what can be set once only; from is what errors name.
func (m *containerModel) once(key, from string, value any) error {
	var err error
	setAt(m.service, key, func(old any) any {
		if old != nil && fmt.Sprint(old) != fmt.Sprint(value) {
			err = badContainer(from, "say it once", "%s of the container is already %v and can't be %v as well",
				strings.TrimPrefix(key, endpointKey+"."), old, value)
		}
		return value
	})
	return err
}

// add appends to a list.
func (m *containerModel) add(key string, value any) {
	setAt(m.service, key, func(old any) any {
		list, _ := old.([]any)
		return append(slices.Clip(list), value)
	})
}
