package compose

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

// Keys of a service, and the lines that they make of its container.
func TestFields(t *testing.T) {
	for name, c := range map[string]struct {
		keys string
		want []string
	}{
		"what is not said":  {"", []string{"!web.Config.Cmd:", "!web.Config.Entrypoint:", "!web.Config.Healthcheck.Test:", "!web.Config.StopTimeout:", "web.Grace: -1ns", "!web.Health:", "!web.Pull:", "!web.Host.Init:", "web.Host.OomKillDisable: false"}},
		"command":           {"command: serve --port 80 'a b'", []string{"web.Config.Cmd: [serve, --port, 80, a b]", "!web.Config.Entrypoint:"}},
		"no command":        {"command: []", []string{"web.Config.Cmd: []"}},
		"entrypoint":        {"entrypoint: [/run, me]", []string{"web.Config.Entrypoint: [/run, me]", "!web.Config.Cmd:"}},
		"no entrypoint":     {"entrypoint: ''", []string{"web.Config.Entrypoint: []"}},
		"environment":       {"environment: {B: '1', A: , C: ''}", []string{"web.Config.Env: [A, B=1, C=]"}},
		"identity":          {"user: '1000:1000'\n    group_add: [docker, '99']\n    working_dir: /srv", []string{"web.Config.User: 1000:1000", "web.Host.GroupAdd: [docker, 99]", "web.Config.WorkingDir: /srv"}},
		"terminal":          {"tty: true\n    stdin_open: true", []string{"web.Config.Tty: true", "web.Config.OpenStdin: true", "!web.Config.StdinOnce:"}},
		"platform":          {"platform: linux/arm64", []string{"web.Platform: linux/arm64"}},
		"pull always":       {"pull_policy: always", []string{"web.Pull: always"}},
		"pull never":        {"pull_policy: never", []string{"web.Pull: never"}},
		"pull if missing":   {"pull_policy: if_not_present", []string{"web.Pull: missing"}},
		"pull build":        {"pull_policy: build\n    build: .", []string{"web.Pull: missing"}},
		"pull daily":        {"pull_policy: daily", []string{"web.Pull: always"}},
		"healthcheck":       {"healthcheck: {test: 'curl x', interval: 1m30s, timeout: 10s, retries: 3, start_period: 40s, start_interval: 500ms}", []string{"web.Health: 1", "web.Config.Healthcheck.Test: [CMD-SHELL, curl x]", "web.Config.Healthcheck.Interval: 1m30s", "web.Config.Healthcheck.Timeout: 10s", "web.Config.Healthcheck.Retries: 3", "web.Config.Healthcheck.StartPeriod: 40s", "web.Config.Healthcheck.StartInterval: 500ms"}},
		"no healthcheck":    {"healthcheck: {disable: true}", []string{"web.Health: 2", "web.Config.Healthcheck.Test: [NONE]"}},
		"NONE":              {"healthcheck: {test: [NONE]}", []string{"web.Health: 2", "web.Config.Healthcheck.Test: [NONE]"}},
		"image's test":      {"healthcheck: {interval: 5s}", []string{"!web.Health:", "web.Config.Healthcheck.Interval: 5s", "!web.Config.Healthcheck.Test:"}},
		"stop":              {"stop_signal: SIGQUIT\n    stop_grace_period: 90s", []string{"web.Signal: SIGQUIT", "web.Config.StopSignal: SIGQUIT", "web.Grace: 1m30s", "web.Config.StopTimeout: 90"}},
		"part of a second":  {"stop_grace_period: 300ms", []string{"web.Grace: 300ms", "web.Config.StopTimeout: 1"}},
		"second and a half": {"stop_grace_period: 1500ms", []string{"web.Grace: 1.5s", "web.Config.StopTimeout: 2"}},
		"no grace":          {"stop_grace_period: 0s", []string{"!web.Grace:", "web.Config.StopTimeout: 0"}},
		"capabilities":      {"cap_add: [NET_ADMIN]\n    cap_drop: [ALL]\n    privileged: true\n    read_only: true\n    init: false", []string{"web.Host.CapAdd: [NET_ADMIN]", "web.Host.CapDrop: [ALL]", "web.Host.Privileged: true", "web.Host.ReadonlyRootfs: true", "web.Host.Init: false"}},
		"namespaces":        {"userns_mode: host\n    uts: host\n    pid: host\n    ipc: host\n    isolation: default\n    runtime: runsc", []string{"web.Host.UsernsMode: host", "web.Host.UTSMode: host", "web.Host.PidMode: host", "web.Host.IpcMode: host", "web.Host.Isolation: default", "web.Host.Runtime: runsc"}},
		"memory":            {"mem_limit: 64m\n    mem_reservation: 32m\n    memswap_limit: 128m\n    mem_swappiness: 10\n    oom_kill_disable: true\n    oom_score_adj: 100\n    shm_size: 1m", []string{"web.Host.Memory: 67108864", "web.Host.MemoryReservation: 33554432", "web.Host.MemorySwap: 134217728", "web.Host.MemorySwappiness: 10", "web.Host.OomKillDisable: true", "web.Host.OomScoreAdj: 100", "web.Host.ShmSize: 1048576"}},
		"cpu":               {"cpus: 0.5\n    cpu_shares: 10\n    cpu_period: 100\n    cpu_quota: 50\n    cpu_rt_period: 7\n    cpu_rt_runtime: 3\n    cpuset: '0,1'\n    cpu_count: 2\n    cpu_percent: 50\n    pids_limit: 9", []string{"web.Host.NanoCPUs: 500000000", "web.Host.CPUShares: 10", "web.Host.CPUPeriod: 100", "web.Host.CPUQuota: 50", "web.Host.CPURealtimePeriod: 7", "web.Host.CPURealtimeRuntime: 3", "web.Host.CpusetCpus: 0,1", "web.Host.CPUCount: 2", "web.Host.CPUPercent: 5000", "web.Host.PidsLimit: 9"}},
		"deploy":            {"deploy: {mode: replicated, labels: {a: b}, placement: {constraints: [x]}, resources: {limits: {cpus: '0.25', memory: 1g, pids: 5}, reservations: {cpus: '0.1', memory: 512m, devices: [{capabilities: [gpu], count: 2, driver: nvidia, options: {a: b}}]}}}", []string{"web.Host.NanoCPUs: 250000000", "web.Host.Memory: 1073741824", "web.Host.PidsLimit: 5", "web.Host.MemoryReservation: 536870912", "web.Reserved: 0.1", "web.Host.DeviceRequests[0].Driver: nvidia", "web.Host.DeviceRequests[0].Count: 2", "web.Host.DeviceRequests[0].Capabilities: [[gpu]]", "web.Host.DeviceRequests[0].Options[a]: b", "!web.Config.Labels[a]:"}},
		"devices":           {"devices: ['/dev/fuse', '/dev/a:/dev/b:r', 'vendor.com/gpu=all']\n    device_cgroup_rules: ['c 1:3 mr']", []string{"web.Host.Devices[0].PathOnHost: /dev/fuse", "web.Host.Devices[0].PathInContainer: /dev/fuse", "web.Host.Devices[0].CgroupPermissions: rwm", "web.Host.Devices[1].PathInContainer: /dev/b", "web.Host.Devices[1].CgroupPermissions: r", "web.Host.DeviceRequests[0].Driver: cdi", "web.Host.DeviceRequests[0].DeviceIDs: [vendor.com/gpu=all]", "web.Host.DeviceCgroupRules: [c 1:3 mr]"}},
		"gpus":              {"gpus: all", []string{"web.Host.DeviceRequests[0].Count: -1", "web.Host.DeviceRequests[0].Capabilities: [[gpu]]"}},
		"ulimits":           {"ulimits: {nproc: 65535, nofile: {soft: 1000, hard: 2000}}", []string{"web.Host.Ulimits[0].Name: nofile", "web.Host.Ulimits[0].Soft: 1000", "web.Host.Ulimits[0].Hard: 2000", "web.Host.Ulimits[1].Soft: 65535", "web.Host.Ulimits[1].Hard: 65535"}},
		"logging":           {"logging: {driver: syslog, options: {tag: x}}", []string{"web.Host.LogConfig.Type: syslog", "web.Host.LogConfig.Config[tag]: x"}},
		"storage":           {"storage_opt: {size: 1G}", []string{"web.Host.StorageOpt[size]: 1G"}},
		"annotations":       {"annotations: {a: b}", []string{"web.Host.Annotations[a]: b"}},
		"block io":          {"blkio_config: {weight: 300, weight_device: [{path: /dev/sda, weight: 400}], device_read_bps: [{path: /dev/sda, rate: 1k}], device_write_iops: [{path: /dev/sda, rate: 30}]}", []string{"web.Host.BlkioWeight: 300", "web.Host.BlkioWeightDevice[0].Weight: 400", "web.Host.BlkioDeviceReadBps[0].Rate: 1024", "web.Host.BlkioDeviceWriteIOps[0].Rate: 30"}},
		"cgroup":            {"cgroup: host\n    cgroup_parent: /mine", []string{"web.Host.CgroupParent: /mesos/container-1", "!web.Host.CgroupnsMode:"}},
		"no effect":         {"attach: false\n    develop: {watch: [{path: ., action: rebuild}]}\n    profiles: []\n    x-note: {a: b}", []string{"web.Config.Image: i"}},
	} {
		t.Run(name, func(t *testing.T) {
			build(t, one+"    "+c.keys+"\n", target()).has(t, c.want...)
		})
	}
}

func TestWarnings(t *testing.T) {
	b := build(t, `
services:
  web:
    image: i
    build: .
    cgroup: host
    cgroup_parent: /mine
    pull_policy: weekly
    scale: 2
`, target())
	require.Equal(t, []string{
		"service web: the image is used as it is, build is ignored",
		"service web: the containers of a pod live under the task's cgroup, cgroup is ignored",
		"service web: the containers of a pod live under the task's cgroup, cgroup_parent is ignored",
		"service web: pull_policy weekly pulls at every launch",
	}, b.warnings)
}

func TestDefaultPlatform(t *testing.T) {
	b, err := tryBuild(t, map[string]string{"compose.yaml": one}, Source{Env: map[string]string{"DOCKER_DEFAULT_PLATFORM": "linux/amd64"}}, target())
	require.NoError(t, err)
	b.has(t, "web.Platform: linux/amd64")
}

func TestInfraIsLocked(t *testing.T) {
	b := build(t, one, target())
	b.has(t, "infra.Host.CapDrop: [ALL]", "infra.Host.ReadonlyRootfs: true", "infra.Host.SecurityOpt: [no-new-privileges]", "infra.Host.RestartPolicy.Name: no")
	require.Equal(t, 10*time.Second, b.spec.Infra.Grace)
	require.Equal(t, engine.HealthNone, b.spec.Infra.Health)
	require.False(t, b.spec.Infra.Essential)
}

// Neither step changes what it is given, so that a project can be laid out again.
func TestRewriteAndConvertArePure(t *testing.T) {
	project, err := load(t, shop)
	require.NoError(t, err)
	before, err := project.MarshalJSON()
	require.NoError(t, err)
	var specs []engine.PodSpec
	for range 2 {
		layout, err := Rewrite(project, target())
		require.NoError(t, err)
		for range 2 {
			spec, _, err := Convert(layout)
			require.NoError(t, err)
			specs = append(specs, spec)
		}
	}
	for _, spec := range specs {
		require.Equal(t, specs[0], spec)
	}
	after, err := project.MarshalJSON()
	require.NoError(t, err)
	require.JSONEq(t, string(before), string(after))
}
