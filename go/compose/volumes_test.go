package compose

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

func TestVolumes(t *testing.T) {
	b := build(t, `
services:
  web:
    image: i
    volumes:
      - ./conf:/etc/app:ro,z
      - /var/log/app:/logs
      - data:/data
      - own:/own:ro
      - ext:/ext
      - /anonymous
      - {type: bind, source: ./strict, target: /strict, bind: {create_host_path: false, propagation: rshared, recursive: disabled}}
      - {type: volume, source: data, target: /sub, volume: {subpath: a/b, nocopy: true, labels: {x: y}}}
      - {type: tmpfs, target: /cache, tmpfs: {size: 1m, mode: 0o1777}}
      - {type: image, source: assets, target: /assets, image: {subpath: public}}
    tmpfs: [/run, "/tmp:size=1m,mode=1777"]
volumes:
  data: {driver: local, driver_opts: {type: tmpfs}, labels: {team: shop, io.dce.task: forged}}
  own: {name: shared-assets, labels: {team: shop}}
  ext: {external: true, name: nfs}
  unused: {}
`, target())
	b.has(t,
		"web.Host.Binds: [SANDBOX/conf:/etc/app:ro,z, /var/log/app:/logs:rw, POD_data:/data:rw, shared-assets:/own:ro, nfs:/ext:rw]",
		"web.Host.Mounts[0].Type: volume", "web.Host.Mounts[0].Target: /anonymous", "!web.Host.Mounts[0].Source:",
		"web.Host.Mounts[4].Type: image", "web.Host.Mounts[4].Source: assets", "web.Host.Mounts[4].ImageOptions.Subpath: public",
		"web.Host.Mounts[3].TmpfsOptions.SizeBytes: 1048576", "web.Host.Mounts[3].TmpfsOptions.Mode: -rwxrwxrwx",
		"web.Host.Mounts[1].Source: SANDBOX/strict", "web.Host.Mounts[1].BindOptions.Propagation: rshared",
		"web.Host.Mounts[1].BindOptions.NonRecursive: true", "!web.Host.Mounts[1].BindOptions.CreateMountpoint:",
		"web.Host.Mounts[2].Source: POD_data", "web.Host.Mounts[2].VolumeOptions.Subpath: a/b",
		"web.Host.Mounts[2].VolumeOptions.NoCopy: true", "web.Host.Mounts[2].VolumeOptions.Labels[x]: y",
		`web.Host.Tmpfs[/run]: ""`, "web.Host.Tmpfs[/tmp]: size=1m,mode=1777",
	)
	require.Len(t, b.spec.Volumes, 2, "neither external nor unused ones")
	require.Equal(t, "POD_data", b.short(b.spec.Volumes[0].Options.Name))
	require.False(t, b.spec.Volumes[0].Keep)
	b.has(t,
		"volume POD_data.Options.Driver: local", "volume POD_data.Options.DriverOpts[type]: tmpfs", "volume POD_data.Options.Labels[team]: shop",
		"volume POD_data.Options.Labels[com.docker.compose.volume]: data", "!volume POD_data.Options.Labels[io.dce.task]: forged",
		"volume shared-assets.Keep: true",
	)
	require.Equal(t, map[string]string{"team": "shop"}, b.spec.Volumes[1].Options.Labels, "what bears our labels goes with the pod")
}

// A volume that the file names after the project is the pod's own.
func TestVolumeNamedAfterTheProject(t *testing.T) {
	b := build(t, "services:\n  a: {image: i, volumes: ['data:/d']}\nvolumes: {data: {name: '${COMPOSE_PROJECT_NAME}_data'}}\n", target())
	b.has(t, "volume POD_data.Options.Labels[com.docker.compose.volume]: data", "!volume POD_data.Keep: true")
}

// Binds is text with colons, so a path with one needs a mount.
func TestBindOfAPathWithAColon(t *testing.T) {
	b := build(t, "services:\n  a: {image: i, volumes: [{type: bind, source: './a:b', target: /x}]}\n", target())
	b.has(t, "a.Host.Mounts[0].Source: SANDBOX/a:b", "a.Host.Mounts[0].BindOptions.CreateMountpoint: true", "!a.Host.Binds:")
}

func TestSecretsAndConfigs(t *testing.T) {
	b, err := tryBuild(t, map[string]string{
		"compose.yaml": `
services:
  web:
    image: i
    secrets: [file, {source: token, target: api/token, uid: "1000", gid: "1001", mode: 0400}, {source: empty}]
    configs:
      - {source: nginx, target: /etc/nginx.conf, mode: 0440}
      - inline
      - {source: fromenv, target: rel}
      - {source: file2, target: /taken}
    volumes: ["./x:/taken"]
  ro:
    image: i
    read_only: true
    secrets: [file]
secrets:
  file: {file: secrets/a.txt}
  token: {environment: TOKEN}
  empty: {environment: EMPTY}
configs:
  nginx: {file: nginx.conf}
  inline: {content: "user=${TOKEN}\n"}
  fromenv: {environment: TOKEN}
  file2: {file: nginx.conf}
`,
		"secrets/a.txt": "x", "nginx.conf": "x",
	}, Source{Env: map[string]string{"TOKEN": "t0k", "EMPTY": ""}}, target())
	require.NoError(t, err)
	b.has(t,
		"web.Host.Mounts[0].Target: /etc/nginx.conf", "web.Host.Mounts[0].Source: SANDBOX/nginx.conf", "web.Host.Mounts[0].ReadOnly: true",
		"web.Host.Mounts[1].Target: /run/secrets/file", "web.Host.Mounts[1].Source: SANDBOX/secrets/a.txt", "!web.Host.Mounts[2].Target:",
		"ro.Host.Mounts[0].Target: /run/secrets/file", "web.Host.Binds: [SANDBOX/x:/taken:rw]",
	)
	require.Equal(t, []engine.File{
		{Path: "/inline", Content: []byte("user=t0k\n"), Mode: 0o444},
		{Path: "/rel", Content: []byte("t0k"), Mode: 0o444},
		{Path: "/run/secrets/api/token", Content: []byte("t0k"), Mode: 0o400, UID: 1000, GID: 1001},
	}, b.spec.Services[1].Files)
	require.Equal(t, []string{"service web: uid, gid and mode of configs.nginx have no effect on a file, which is mounted as it is"}, b.warnings)
}

func TestLabels(t *testing.T) {
	text := `
services:
  web:
    image: i
    depends_on: {db: {condition: service_started}}
    labels: {team: shop, io.dce.pod: forged, io.dce.role: infra, com.docker.compose.project: forged, com.docker.compose.config-hash: forged}
    label_file: more.labels
  db: {image: i}
`
	files := map[string]string{"compose.yaml": text, "more.labels": "from=file\nteam=other\n"}
	hidden, err := tryBuild(t, files, Source{}, target())
	require.NoError(t, err)
	pod := identity.PodID()
	want := map[string]string{
		"team": "shop", "from": "file",
		labels.Scope: "/var/lib/mesos", labels.Agent: "agent-1", labels.Framework: "framework-1", labels.Executor: "executor-1",
		labels.Container: "container-1", labels.Task: "shop", labels.Pod: pod, labels.Version: "1.0",
		labels.ClassicTask: "shop", labels.ClassicExecutor: "executor-1",
		labels.Service: "web", labels.Role: labels.RoleService,
		labels.ComposeProject: pod, labels.ComposeService: "web", labels.ComposeNumber: "1", labels.ComposeOneoff: "False",
	}
	require.Equal(t, want, hidden.spec.Services[1].Config.Labels)
	require.Equal(t, identity.Labels("1.0"), hidden.spec.Labels)

	visible, err := tryBuild(t, files, Source{}, target(func(t *Target) { t.Visible, t.Sandbox = true, "/sandbox" }))
	require.NoError(t, err)
	got := visible.spec.Services[1].Config.Labels
	require.Len(t, got[labels.ComposeConfigHash], 64)
	require.NotEqual(t, got[labels.ComposeConfigHash], visible.spec.Services[0].Config.Labels[labels.ComposeConfigHash])
	require.Contains(t, got["com.docker.compose.project.config_files"], "/compose.yaml")
	require.Equal(t, "/sandbox", got["com.docker.compose.project.working_dir"])
	require.Equal(t, "db:service_started:false", got["com.docker.compose.depends_on"])
	require.NotContains(t, visible.spec.Infra.Config.Labels, labels.ComposeConfigHash, "it is no service of the project")
}
