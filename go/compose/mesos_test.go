package compose

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func sandboxed(t *Target) { t.Sandbox = "/var/lib/mesos/sandbox" }

func TestEnvironmentOfEveryService(t *testing.T) {
	b := build(t, `
services:
  a: {image: i, environment: {HOST: mine, PORT: }}
  b: {image: i, read_only: true}
`, target(sandboxed, func(t *Target) {
		t.Environment = map[string]string{"HOST": "agent", "PORT": "31000", "MESOS_TASK_ID": "x=y"}
	}))
	b.has(t,
		"a.Config.Env: [HOST=mine, MESOS_SANDBOX=/mnt/mesos/sandbox, MESOS_TASK_ID=x=y, PORT]",
		"b.Config.Env: [HOST=agent, MESOS_SANDBOX=/mnt/mesos/sandbox, MESOS_TASK_ID=x=y, PORT=31000]",
		"!infra.Config.Env:",
	)
}

func TestSandboxIsMounted(t *testing.T) {
	const mounted, variable = "/mnt/mesos/sandbox", "web.Config.Env: [MESOS_SANDBOX=/mnt/mesos/sandbox]"
	for name, c := range map[string]struct {
		keys string
		want []string
	}{
		"as Mesos does":        {"", []string{"web.Host.Mounts[0].Type: bind", "web.Host.Mounts[0].Source: /var/lib/mesos/sandbox", "web.Host.Mounts[0].Target: " + mounted, "!web.Host.Mounts[0].ReadOnly:", variable}},
		"below it":             {"volumes: ['/x:/mnt/mesos/sandbox/x']", []string{"web.Host.Mounts[0].Target: " + mounted, "web.Host.Binds: [/x:/mnt/mesos/sandbox/x:rw]", variable}},
		"beside it":            {"volumes: ['/x:/mnt/mesos/sand']", []string{"web.Host.Mounts[0].Target: " + mounted, variable}},
		"unless the file does": {"volumes: ['/x:/mnt/mesos/sandbox/']", []string{"!web.Host.Mounts[0].Target:", "web.Host.Binds: [/x:/mnt/mesos/sandbox:rw]", variable}},
		"or with a tmpfs":      {"tmpfs: /mnt/mesos/sandbox:size=1m", []string{"!web.Host.Mounts[0].Target:", variable}},
		"or above it":          {"volumes: ['/x:/mnt:ro']", []string{"!web.Host.Mounts[0].Target:", "!web.Config.Env:"}},
		"its own word":         {"environment: [MESOS_SANDBOX=/elsewhere]", []string{"web.Host.Mounts[0].Target: " + mounted, "web.Config.Env: [MESOS_SANDBOX=/elsewhere]"}},
	} {
		t.Run(name, func(t *testing.T) {
			build(t, one+"    "+c.keys+"\n", target(sandboxed)).has(t, append(c.want, "!infra.Host.Mounts[0].Target:")...)
		})
	}
}

// An executor that lives in an image sees the sandbox elsewhere than the engine.
func TestPathsInTheSandboxAreTheHosts(t *testing.T) {
	b, err := tryBuild(t, map[string]string{"compose.yaml": `
services:
  web: {image: i, volumes: ["./data:/data", ".:/all", "/data:/host", "../data:/above"], secrets: [s]}
secrets: {s: {file: s.txt}}
`, "s.txt": "x"}, Source{}, target(sandboxed, func(t *Target) { t.Visible = true }))
	require.NoError(t, err)
	const host = "/var/lib/mesos/sandbox"
	b.has(t,
		"web.Config.Labels[com.docker.compose.project.config_files]: "+host+"/compose.yaml",
		"web.Config.Labels[com.docker.compose.project.working_dir]: "+host,
		"web.Host.Mounts[0].Source: "+host+"/s.txt", "web.Host.Mounts[1].Source: "+host,
	)
	binds := b.spec.Services[0].Host.Binds
	require.Equal(t, []string{host + "/data:/data:rw", host + ":/all:rw", "/data:/host:rw"}, binds[:3])
	require.NotContains(t, binds[3], host)
}
