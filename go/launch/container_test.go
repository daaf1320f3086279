package launch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/compose"
	"github.com/dce-go/dce/go/engine"
)

// boxed is a task with a container, in the way that change makes it.
func boxed(change func(*mesos.TaskInfo, *mesos.ContainerInfo_DockerInfo)) *mesos.TaskInfo {
	docker := &mesos.ContainerInfo_DockerInfo{Image: "i", Network: mesos.ContainerInfo_DockerInfo_BRIDGE.Enum()}
	task := &mesos.TaskInfo{TaskID: mesos.TaskID{Value: "t"}, Container: &mesos.ContainerInfo{Type: mesos.ContainerInfo_DOCKER.Enum(), Docker: docker}}
	if change != nil {
		change(task, docker)
	}
	return task
}

func offer(ports ...uint64) []mesos.Resource {
	r := mesos.Resource{Name: "ports", Ranges: &mesos.Value_Ranges{}}
	for _, p := range ports {
		r.Ranges.Range = append(r.Ranges.Range, mesos.Value_Range{Begin: p, End: p})
	}
	return []mesos.Resource{r}
}

func params(pairs ...string) []mesos.Parameter {
	var out []mesos.Parameter
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		out = append(out, mesos.Parameter{Key: key, Value: value})
	}
	return out
}

// buildTask makes of a task's container what an engine would be asked for.
func buildTask(t *testing.T, dir string, task *mesos.TaskInfo) (engine.PodSpec, []string, error) {
	t.Helper()
	target := compose.Target{
		Identity: identity(task, "/work", "a", "f", "e", "c"), PauseImage: "pause", Offered: offeredPorts(task), Named: namedPorts(task), Sandbox: dir,
	}
	log, said := test.NewNullLogger()
	src, err := taskSource(task, &mesos.ExecutorInfo{}, compose.Source{Dir: dir, Env: map[string]string{"X": "leaked"}}, &target, log)
	if err != nil {
		return engine.PodSpec{}, nil, err
	}
	spec, _, warnings, err := compose.Build(t.Context(), src, target)
	for _, entry := range said.AllEntries() {
		warnings = append(warnings, entry.Message)
	}
	return spec, warnings, err
}

// The container of a task, and a compose file that says the same, ask the engine for the same.
func TestContainerIsAComposeFile(t *testing.T) {
	for name, c := range map[string]struct {
		task *mesos.TaskInfo
		yaml string // keys of the service
		more string // of the file
	}{
		"image": {boxed(nil), "", ""},
		"shell": {boxed(func(t *mesos.TaskInfo, _ *mesos.ContainerInfo_DockerInfo) {
			t.Command = &mesos.CommandInfo{Value: new("echo $X > ${Y}"), Environment: &mesos.Environment{Variables: []mesos.Environment_Variable{
				{Name: "A", Value: new("$X")}, {Name: "B"},
				{Name: "S", Type: mesos.Environment_Variable_SECRET.Enum(), Secret: &mesos.Secret{Value: &mesos.Secret_Value{Data: []byte("s3")}}},
			}}}
		}), "entrypoint: [/bin/sh]\n    command: [-c, 'echo $$X > $${Y}']\n    environment: {A: $$X, B: '', S: s3}", ""},
		"arguments": {boxed(func(t *mesos.TaskInfo, _ *mesos.ContainerInfo_DockerInfo) {
			t.Command = &mesos.CommandInfo{Shell: new(false), Value: new("serve"), Arguments: []string{"-p", "80"}}
		}), "command: [serve, -p, '80']", ""},
		"arguments of the image's own": {boxed(func(t *mesos.TaskInfo, _ *mesos.ContainerInfo_DockerInfo) {
			t.Command = &mesos.CommandInfo{Arguments: []string{"-p", "80"}}
		}), "command: [-p, '80']", ""},
		"volumes": {boxed(func(t *mesos.TaskInfo, _ *mesos.ContainerInfo_DockerInfo) {
			t.Container.Volumes = []mesos.Volume{
				{HostPath: new("data"), ContainerPath: "/data", Mode: mesos.RW.Enum()},
				{HostPath: new("/etc"), ContainerPath: "/host", Mode: mesos.RO.Enum()},
				{HostPath: new("/srv"), ContainerPath: "srv", Mode: mesos.RW.Enum()},
				{ContainerPath: "/self", Mode: mesos.RW.Enum(), Source: &mesos.Volume_Source{Type: mesos.Volume_Source_SANDBOX_PATH,
					SandboxPath: &mesos.Volume_Source_SandboxPath{Type: mesos.Volume_Source_SandboxPath_SELF, Path: "self"}}},
				{ContainerPath: "/path", Mode: mesos.RW.Enum(), Source: &mesos.Volume_Source{Type: mesos.Volume_Source_HOST_PATH,
					HostPath: &mesos.Volume_Source_HostPath{Path: "/p", MountPropagation: &mesos.MountPropagation{Mode: mesos.MountPropagation_HOST_TO_CONTAINER.Enum()}}}},
				{ContainerPath: "/named", Mode: mesos.RO.Enum(), Source: &mesos.Volume_Source{Type: mesos.Volume_Source_DOCKER_VOLUME,
					DockerVolume: &mesos.Volume_Source_DockerVolume{Name: "n", Driver: new("d"), DriverOptions: &mesos.Parameters{Parameter: params("size=1")}}}},
			}
		}), "volumes: [./data:/data, /etc:/host:ro, /srv:/mnt/mesos/sandbox/srv, ./self:/self, " +
			"{type: bind, source: /p, target: /path, bind: {create_host_path: true, propagation: rslave}}, vx:/named:ro]",
			"volumes: {vx: {name: n, driver: d, driver_opts: {size: '1'}}}"},
		"volume driver": {boxed(func(t *mesos.TaskInfo, d *mesos.ContainerInfo_DockerInfo) {
			d.VolumeDriver = new("rexray")
			t.Container.Volumes = []mesos.Volume{{HostPath: new("n"), ContainerPath: "/n"}}
			d.Parameters = params("volume=m:/m:ro", "volume=/h:/h")
		}), "volumes: ['vy:/m:ro', '/h:/h', 'vx:/n']", "volumes: {vx: {name: n, driver: rexray}, vy: {name: m, driver: rexray}}"},
		"ports": {boxed(func(t *mesos.TaskInfo, d *mesos.ContainerInfo_DockerInfo) {
			t.Resources = offer(31000, 31001)
			d.PortMappings = []mesos.ContainerInfo_DockerInfo_PortMapping{
				{HostPort: 31001, ContainerPort: 53, Protocol: new("tcp")}, {HostPort: 31001, ContainerPort: 53, Protocol: new("UDP")}, {HostPort: 31000, ContainerPort: 80},
			}
		}), "ports: [{target: 80}, {target: 53, published: '53'}, {target: 53, protocol: udp, published: '53'}]", ""},
		"host": {boxed(func(_ *mesos.TaskInfo, d *mesos.ContainerInfo_DockerInfo) { d.Network = nil }), "network_mode: host", ""},
		"none": {boxed(func(_ *mesos.TaskInfo, d *mesos.ContainerInfo_DockerInfo) {
			d.Network = mesos.ContainerInfo_DockerInfo_NONE.Enum()
		}), "network_mode: none", ""},
		"net parameter": {boxed(func(_ *mesos.TaskInfo, d *mesos.ContainerInfo_DockerInfo) { d.Parameters = params("net=none") }), "network_mode: none", ""},
		"user": {boxed(func(t *mesos.TaskInfo, d *mesos.ContainerInfo_DockerInfo) {
			d.Network = mesos.ContainerInfo_DockerInfo_USER.Enum()
			t.Container.NetworkInfos = []mesos.NetworkInfo{{Name: new("lan"), IPAddresses: []mesos.NetworkInfo_IPAddress{{}, {IPAddress: new("10.0.0.9")}}}}
			t.Container.Hostname = new("h")
			d.Parameters = params("network-alias=a")
		}), "networks: {lan: {ipv4_address: 10.0.0.9, aliases: [a]}}\n    hostname: h", "networks: {lan: {external: true}}"},
		"pull and privileged": {boxed(func(t *mesos.TaskInfo, d *mesos.ContainerInfo_DockerInfo) {
			d.ForcePullImage, d.Privileged, t.Container.TTYInfo = new(true), new(true), &mesos.TTYInfo{}
			d.Parameters = params("privileged=true")
		}), "pull_policy: always\n    privileged: true\n    tty: true", ""},
		"Mesos container": {&mesos.TaskInfo{
			TaskID: mesos.TaskID{Value: "t"}, Command: &mesos.CommandInfo{User: new("www")},
			Container: &mesos.ContainerInfo{Type: mesos.ContainerInfo_MESOS.Enum(), Mesos: &mesos.ContainerInfo_MesosInfo{
				Image: &mesos.Image{Type: mesos.Image_DOCKER.Enum(), Cached: new(false), Docker: &mesos.Image_Docker{Name: "i"}}}},
		}, "network_mode: host\n    user: www\n    pull_policy: always", ""},
		"Mesos container on a network": {&mesos.TaskInfo{
			TaskID: mesos.TaskID{Value: "t"}, Resources: offer(31000),
			Container: &mesos.ContainerInfo{Mesos: &mesos.ContainerInfo_MesosInfo{Image: &mesos.Image{Docker: &mesos.Image_Docker{Name: "i"}}},
				NetworkInfos: []mesos.NetworkInfo{{Name: new("cni"), PortMappings: []mesos.NetworkInfo_PortMapping{{HostPort: 31000, ContainerPort: 80}}}}},
		}, "networks: [cni]\n    ports: ['80']", "networks: {cni: {external: true}}"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			got, warnings, err := buildTask(t, dir, c.task)
			require.NoError(t, err)
			require.Empty(t, warnings)
			requireSame(t, dir, c.task, got, "services:\n  task:\n    image: i\n    "+c.yaml+"\n"+c.more+"\n")
		})
	}
}

func requireSame(t *testing.T, dir string, task *mesos.TaskInfo, got engine.PodSpec, yaml string) {
	t.Helper()
	file := *task
	file.Container, file.Command = nil, nil
	write(t, dir, "compose.yaml", yaml)
	want, _, err := buildTask(t, dir, &file)
	require.NoError(t, err, yaml)
	require.Equal(t, want, got)
}

// Every parameter that is known, as docker run takes it, and what compose calls it.
func TestParameters(t *testing.T) {
	cases := map[string]string{
		"add-host=h:10.0.0.1": "extra_hosts: ['h:10.0.0.1']", "annotation=a=b": "annotations: {a: b}", "blkio-weight=300": "blkio_config: {weight: 300}",
		"blkio-weight-device=/dev/sda:400": "blkio_config: {weight_device: [{path: /dev/sda, weight: 400}]}",
		"cap-add=NET_ADMIN":                "cap_add: [NET_ADMIN]", "cap-drop=ALL": "cap_drop: [ALL]", "cgroup-parent=/x": "", "cgroupns=host": "",
		"cpu-count=2": "cpu_count: 2", "cpu-percent=50": "cpu_percent: 50", "cpu-period=1000": "cpu_period: 1000", "cpu-quota=2000": "cpu_quota: 2000",
		"cpu-rt-period=10": "cpu_rt_period: 10", "cpu-rt-runtime=5": "cpu_rt_runtime: 5", "cpu-shares=10": "cpu_shares: 10", "cpus=0.5": "cpus: 0.5",
		"cpuset-cpus=0,1": "cpuset: '0,1'", "device=/dev/fuse:/dev/f:r": "devices: ['/dev/fuse:/dev/f:r']", "device-cgroup-rule=c 1:3 mr": "device_cgroup_rules: ['c 1:3 mr']",
		"device-read-bps=/dev/sda:1mb": "blkio_config: {device_read_bps: [{path: /dev/sda, rate: 1mb}]}", "device-read-iops=/dev/sda:10": "blkio_config: {device_read_iops: [{path: /dev/sda, rate: 10}]}",
		"device-write-bps=/dev/sda:1": "blkio_config: {device_write_bps: [{path: /dev/sda, rate: 1}]}", "device-write-iops=/dev/sda:9": "blkio_config: {device_write_iops: [{path: /dev/sda, rate: 9}]}",
		"dns=10.0.0.1": "dns: 10.0.0.1", "dns-opt=ndots:1": "dns_opt: ['ndots:1']", "dns-option=ndots:1": "dns_opt: ['ndots:1']", "dns-search=x.org": "dns_search: x.org",
		"domainname=x.org": "domainname: x.org", "entrypoint=/my prog": "entrypoint: ['/my prog']", "entrypoint=": "entrypoint: ''", "env=A=b=$c": "environment: {A: b=$$c}",
		"env-file=my.env": "env_file: my.env", "expose=80": "expose: ['80']", "gpus=all": "gpus: all", "gpus=2": "gpus: [{count: 2}]", "group-add=docker": "group_add: [docker]",
		"health-cmd=curl x": "healthcheck: {test: 'curl x'}", "health-interval=5s": "healthcheck: {interval: 5s}", "health-retries=3": "healthcheck: {retries: 3}",
		"health-start-period=5s": "healthcheck: {start_period: 5s}", "health-timeout=5s": "healthcheck: {timeout: 5s}", "no-healthcheck=true": "healthcheck: {disable: true}",
		"hostname=h": "hostname: h", "init=true": "init: true", "interactive=true": "stdin_open: true", "ipc=host": "ipc: host", "isolation=default": "isolation: default",
		"label=a=b=c": "labels: {a: b=c}", "label-file=my.env": "label_file: my.env", "link=old:o": "external_links: ['old:o']", "log-driver=json-file": "logging: {driver: json-file}",
		"log-opt=max-size=1m": "logging: {options: {max-size: 1m}}", "mac-address=02:42:ac:11:00:02": "mac_address: '02:42:ac:11:00:02'", "memory=64m": "mem_limit: 64m",
		"memory-reservation=32m": "mem_reservation: 32m", "memory-swap=-1": "memswap_limit: -1", "memory-swappiness=10": "mem_swappiness: 10", "oom-kill-disable=true": "oom_kill_disable: true",
		"oom-score-adj=-5": "oom_score_adj: -5", "pid=host": "pid: host", "pids-limit=9": "pids_limit: 9", "platform=linux/amd64": "platform: linux/amd64", "privileged=false": "",
		"pull=never": "pull_policy: never", "read-only=true": "read_only: true", "restart=no": "", "runtime=runc": "runtime: runc", "security-opt=no-new-privileges": "security_opt: [no-new-privileges]",
		"shm-size=1m": "shm_size: 1m", "stop-signal=SIGINT": "stop_signal: SIGINT", "stop-timeout=90": "stop_grace_period: 90s", "storage-opt=size=1G": "storage_opt: {size: 1G}",
		"sysctl=net.core.somaxconn=9": "sysctls: {net.core.somaxconn: 9}", "tmpfs=/run:size=1m": "tmpfs: ['/run:size=1m']", "tty=true": "tty: true", "ulimit=nofile=10:20": "ulimits: {nofile: {soft: 10, hard: 20}}",
		"ulimit=nproc=10": "ulimits: {nproc: 10}", "user=1:2": "user: '1:2'", "userns=host": "userns_mode: host", "uts=host": "uts: host", "volume=/h:/c:ro": "volumes: ['/h:/c:ro']",
		"volumes-from=old:ro": "volumes_from: ['container:old:ro']", "workdir=/srv": "working_dir: /srv",
	}
	// They make sense only together with others, see TestContainerIsAComposeFile and below.
	seen := map[string]bool{"ip": true, "ip6": true, "link-local-ip": true, "net-alias": true, "network-alias": true, "health-start-interval": true}
	for parameter, keys := range cases {
		name, _, _ := strings.Cut(parameter, "=")
		seen[name] = true
		t.Run(parameter, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "my.env", "E=1\n")
			task := boxed(func(_ *mesos.TaskInfo, d *mesos.ContainerInfo_DockerInfo) { d.Parameters = params(parameter) })
			got, _, err := buildTask(t, dir, task)
			require.NoError(t, err)
			requireSame(t, dir, task, got, "services:\n  task:\n    image: i\n    "+keys+"\n")
		})
	}
	for name := range runOptions {
		require.True(t, seen[name], "the parameter %s has no test", name)
	}
}

func TestParametersTogether(t *testing.T) {
	dir := t.TempDir()
	task := boxed(func(_ *mesos.TaskInfo, d *mesos.ContainerInfo_DockerInfo) {
		d.Parameters = params("network=lan", "ip=10.0.0.9", "ip6=fd00::9", "link-local-ip=169.254.0.9", "net-alias=a", "network-alias=b",
			"env=A=1", "env=B=2", "env=A=3", "label=x=y", "label=z=w", "dns=10.0.0.1", "dns=10.0.0.2", "hostname=h", "hostname=h", "volume=data:/data", "volume=/anonymous",
			"health-start-interval=1s", "health-start-period=2s")
	})
	got, warnings, err := buildTask(t, dir, task)
	require.NoError(t, err)
	require.Empty(t, warnings)
	requireSame(t, dir, task, got, `
services:
  task:
    image: i
    networks: {lan: {ipv4_address: 10.0.0.9, ipv6_address: "fd00::9", link_local_ips: [169.254.0.9], aliases: [a, b]}}
    environment: {A: "3", B: "2"}
    labels: {x: y, z: w}
    dns: [10.0.0.1, 10.0.0.2]
    hostname: h
    volumes: ["vd:/data", /anonymous]
    healthcheck: {start_interval: 1s, start_period: 2s}
networks: {lan: {external: true}}
volumes: {vd: {name: data}}
`)
}

func TestBadContainers(t *testing.T) {
	type docker = *mesos.ContainerInfo_DockerInfo
	type info = *mesos.TaskInfo
	mapped := func(host, inside uint32) []mesos.ContainerInfo_DockerInfo_PortMapping {
		return []mesos.ContainerInfo_DockerInfo_PortMapping{{HostPort: host, ContainerPort: inside}}
	}
	source := func(kind mesos.Volume_Source_Type) []mesos.Volume {
		return []mesos.Volume{{ContainerPath: "/x", Source: &mesos.Volume_Source{Type: kind}}}
	}
	for want, change := range map[string]func(info, docker){
		"TaskInfo.container: it names no Docker image; set docker.image or mesos.image.docker.name, or leave the container out and fetch a compose file": func(_ info, d docker) { d.Image = "" },
		"TaskInfo.container, key mesos.image: an image of type APPC can't be run by Docker; name a Docker image": func(t info, _ docker) {
			t.Container.Docker, t.Container.Mesos = nil, &mesos.ContainerInfo_MesosInfo{Image: &mesos.Image{Type: mesos.Image_APPC.Enum()}}
		},
		"TaskInfo.command, key uris: Mesos fetches files for executors only; put them into ExecutorInfo.command.uris": func(t info, _ docker) { t.Command = &mesos.CommandInfo{URIs: []mesos.CommandInfo_URI{{}}} },
		"TaskInfo.command, key environment.S: only the agent could look a secret up by its reference; give its value, or mount it as a file": func(t info, _ docker) {
			t.Command = &mesos.CommandInfo{Environment: &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "S", Type: mesos.Environment_Variable_SECRET.Enum(), Secret: &mesos.Secret{}}}}}
		},
		"TaskInfo.container, key volumes[0]: the volume has neither a host_path nor a source; set one of them": func(t info, _ docker) { t.Container.Volumes = []mesos.Volume{{ContainerPath: "/x"}} },
		"TaskInfo.container, key volumes[0].container_path: the volume has no place in the container; set it":  func(t info, _ docker) { t.Container.Volumes = []mesos.Volume{{HostPath: new("/x")}} },
		"TaskInfo.container, key volumes[0].image: an image can't be mounted; use host_path or a source": func(t info, _ docker) {
			t.Container.Volumes = []mesos.Volume{{ContainerPath: "/x", Image: &mesos.Image{}}}
		},
		"TaskInfo.container, key volumes[0].host_path: both a and the container_path b are relative; make one of them absolute: the sandbox is in the container anyway, at /mnt/mesos/sandbox":                       func(t info, _ docker) { t.Container.Volumes = []mesos.Volume{{HostPath: new("a"), ContainerPath: "b"}} },
		"TaskInfo.container, key volumes[0].source: a volume of the source SECRET can't be mounted by Docker, or lacks what that source needs; use DOCKER_VOLUME, HOST_PATH or SANDBOX_PATH of the type SELF":        func(t info, _ docker) { t.Container.Volumes = source(mesos.Volume_Source_SECRET) },
		"TaskInfo.container, key volumes[0].source: a volume of the source DOCKER_VOLUME can't be mounted by Docker, or lacks what that source needs; use DOCKER_VOLUME, HOST_PATH or SANDBOX_PATH of the type SELF": func(t info, _ docker) { t.Container.Volumes = source(mesos.Volume_Source_DOCKER_VOLUME) },
		"TaskInfo.container, key docker.network: the network USER has no name; name it in network_infos[0].name or with the parameter network":                                                                       func(_ info, d docker) { d.Network = mesos.ContainerInfo_DockerInfo_USER.Enum() },
		"TaskInfo.container, key network_infos: a container can be on one network, not on a and b; name one": func(t info, d docker) {
			d.Network = mesos.ContainerInfo_DockerInfo_USER.Enum()
			t.Container.NetworkInfos = []mesos.NetworkInfo{{Name: new("a")}, {Name: new("b")}}
		},
		"TaskInfo.container, key docker.port_mappings[0]: the host port 31005 is not among those that the task was offered (31000, 31001); map one of those":                                func(t info, d docker) { t.Resources, d.PortMappings = offer(31000, 31001), mapped(31005, 80) },
		"TaskInfo.container, service task, key ports: the host port 31005 wanted for 80/tcp was not offered to the task; ask for a port in the task's resources, or set ports.allow_static": func(_ info, d docker) { d.PortMappings = mapped(31005, 80) },
		"TaskInfo.container, key docker.port_mappings[0]: there is no port 0; use a container_port from 1 to 65535":                                                                         func(t info, d docker) { t.Resources, d.PortMappings = offer(31000), mapped(31000, 0) },
		"TaskInfo.container, key docker.port_mappings[0]: ports can't be mapped on the network host; use the network BRIDGE or USER, or leave it out":                                       func(_ info, d docker) { d.Network, d.PortMappings = nil, mapped(31000, 80) },
		"TaskInfo.container, key hostname: a container on the host's network has the host's name; leave it out, or use the network BRIDGE or USER":                                          func(t info, d docker) { d.Network, t.Container.Hostname = nil, new("h") },
		"TaskInfo.container, key docker.parameters: addresses and aliases belong to a network of one's own, not to the network bridge; name a network of the kind USER, or leave them out":  func(_ info, d docker) { d.Parameters = params("ip=10.0.0.1") },
		"TaskInfo.container, key rlimit_info: is for the Mesos containerizer; use docker.parameters (cap-add, cap-drop, ulimit, shm-size, pid, ipc), or a compose file":                     func(t info, _ docker) { t.Container.RlimitInfo = &mesos.RLimitInfo{} },
		"TaskInfo.container, key docker.parameters.cidfile: dce can't translate this option of docker run; leave it out, or say it in a compose file":                                       func(_ info, d docker) { d.Parameters = params("cidfile=/x") },
		"TaskInfo.container, key docker.parameters.publish: only the host ports of the offer can be published; use docker.port_mappings":                                                    func(_ info, d docker) { d.Parameters = params("publish=80:80") },
		"TaskInfo.container, key docker.parameters.env: \"A\" has no name and value; write it as name=value":                                                                                func(_ info, d docker) { d.Parameters = params("env=A") },
		"TaskInfo.container, key docker.parameters.ulimit: \"many\" is no limit such as 1024 or 1024:2048; correct it":                                                                      func(_ info, d docker) { d.Parameters = params("ulimit=nofile=many") },
		"TaskInfo.container, key docker.parameters.user: user of the container is already a and can't be b as well; say it once":                                                            func(_ info, d docker) { d.Parameters = params("user=a", "user=b") },
		"TaskInfo.container, key docker.parameters.network: a container can be on one network, not on a and b; name one":                                                                    func(_ info, d docker) { d.Parameters = params("net=a", "network=b") },
		"TaskInfo.container, service task, key cpu_shares: it is no number: \"x\": invalid syntax; correct it":                                                                              func(_ info, d docker) { d.Parameters = params("cpu-shares=x") },
	} {
		t.Run(want, func(t *testing.T) {
			_, _, err := buildTask(t, t.TempDir(), boxed(change))
			require.EqualError(t, err, want)
			var invalid *compose.Error
			require.ErrorAs(t, err, &invalid)
			require.Equal(t, "REASON_TASK_INVALID", invalid.Reason())
		})
	}
}

func TestWhatAContainerSaysInVain(t *testing.T) {
	task := boxed(func(t *mesos.TaskInfo, d *mesos.ContainerInfo_DockerInfo) {
		t.Command = &mesos.CommandInfo{User: new("www"), Value: new("true"), Arguments: []string{"x"}}
		t.Container.NetworkInfos = []mesos.NetworkInfo{{Name: new("lan"), Groups: []string{"g"}}}
		t.Container.Mesos = &mesos.ContainerInfo_MesosInfo{Image: &mesos.Image{Docker: &mesos.Image_Docker{Config: &mesos.Secret{}}}}
	})
	_, warnings, err := buildTask(t, t.TempDir(), task)
	require.NoError(t, err)
	require.Equal(t, []string{
		"TaskInfo.container, key mesos.image.docker: credentials for registries are the host's own (docker login), config and credential have no effect",
		"TaskInfo.command, key user: a Docker container does not take it, as under Mesos; the parameter user would do it",
		"TaskInfo.command, key arguments: a shell takes none, as under Mesos",
		"TaskInfo.container, key network_infos[0]: groups and labels are for network plugins of Mesos, they have no effect",
		"TaskInfo.container, key network_infos: the network is bridge, so they have no effect",
	}, warnings)
}

func TestWhatATaskIsLoadedFrom(t *testing.T) {
	log, said := test.NewNullLogger()
	empty, full := t.TempDir(), t.TempDir()
	write(t, full, "compose.yaml", "services: {}\n")
	inImage := &mesos.ExecutorInfo{Container: &mesos.ContainerInfo{Docker: &mesos.ContainerInfo_DockerInfo{Image: "nginx"}}}
	source := func(task *mesos.TaskInfo, executor *mesos.ExecutorInfo, src compose.Source) (compose.Source, error) {
		said.Reset()
		return taskSource(task, executor, src, &compose.Target{}, log)
	}

	src, err := source(boxed(nil), inImage, compose.Source{Dir: empty})
	require.NoError(t, err)
	require.NotNil(t, src.Model)
	require.Empty(t, said.AllEntries())

	for _, c := range []compose.Source{{Dir: full}, {Dir: empty, Files: []string{"absent.yml"}}} {
		src, err = source(boxed(nil), inImage, c)
		require.NoError(t, err)
		require.Nil(t, src.Model)
		require.Equal(t, logrus.WarnLevel, said.LastEntry().Level)
		require.Contains(t, said.LastEntry().Message, "the files are run")
	}

	src, err = source(&mesos.TaskInfo{}, &mesos.ExecutorInfo{}, compose.Source{Dir: empty})
	require.NoError(t, err, "the loader says what is missing")
	require.Nil(t, src.Model)
	_, err = source(&mesos.TaskInfo{}, inImage, compose.Source{Dir: empty})
	require.ErrorContains(t, err, "the image nginx of ExecutorInfo.container (with Marathon: the app's container) is what the executor itself runs in")
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
}
