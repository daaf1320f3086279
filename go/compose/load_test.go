package compose

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

const one = "services:\n  web:\n    image: i\n"

func TestWhichFilesAreLoaded(t *testing.T) {
	service := func(name string) string { return "services:\n  " + name + ":\n    image: i\n" }
	for name, c := range map[string]struct {
		files map[string]string
		src   Source
		want  []string // the services, in order
		fails string
	}{
		"the default name": {
			files: map[string]string{"compose.yaml": service("a"), "docker-compose.yml": service("b")},
			want:  []string{"a"},
		},
		"a default name with its override": {
			files: map[string]string{"docker-compose.yml": service("b"), "docker-compose.override.yml": service("a")},
			want:  []string{"b", "a"},
		},
		"no override for named files": {
			files: map[string]string{"compose.yml": service("a"), "compose.override.yml": service("b")},
			src:   Source{Files: []string{"compose.yml"}},
			want:  []string{"a"},
		},
		"several, in the order given": {
			files: map[string]string{"z.yaml": service("z") + "  b:\n    image: i\n", "sub/a.yaml": service("a") + "  b:\n    image: j\n"},
			src:   Source{Files: []string{"z.yaml", " sub/a.yaml"}},
			want:  []string{"z", "b", "a"},
		},
		"COMPOSE_FILE of .env": {
			files: map[string]string{".env": "COMPOSE_FILE=y.yaml,x.yaml\nCOMPOSE_PATH_SEPARATOR=,\n", "x.yaml": service("x"), "y.yaml": service("y")},
			want:  []string{"y", "x"},
		},
		"an included file comes last": {
			files: map[string]string{"compose.yaml": "include: [more/inc.yaml]\n" + service("z"), "more/inc.yaml": service("a")},
			want:  []string{"z", "a"},
		},
		"none": {
			files: map[string]string{"other.yaml": service("a")},
			fails: "there is no compose file in the sandbox, where compose.yaml, compose.yml, docker-compose.yml, docker-compose.yaml were looked for, " +
				"and the task has no container; fetch a file into the sandbox or name it with the label fileName, or name a Docker image in TaskInfo.container",
		},
		"one that is missing": {
			files: map[string]string{"compose.yaml": service("a")},
			src:   Source{Files: []string{"compose.yaml", "prod.yaml"}},
			fails: "prod.yaml: does not exist; fetch it into the sandbox, or correct the label fileName",
		},
		"a folder": {
			files: map[string]string{"deploy/compose.yaml": service("a")},
			src:   Source{Files: []string{"deploy"}},
			fails: "deploy: is not a file; name a compose file",
		},
		"one that is too large for the executor's memory": {
			files: map[string]string{"compose.yaml": service("a") + "#" + strings.Repeat("x", maxFile)},
			fails: "compose.yaml: is larger than 1024 KiB; split it into several tasks",
		},
		"a broken .env": {
			files: map[string]string{"compose.yaml": service("a"), ".env": "A B=C\n"},
			fails: `.env: can't be read: line 1: key cannot contain a space; write it as lines of NAME=value`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.src.Dir = write(t, c.files)
			project, err := Load(t.Context(), c.src)
			if c.fails != "" {
				require.EqualError(t, err, c.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, project.Order)
		})
	}
}

// A compose file above the sandbox is somebody else's.
func TestParentFoldersAreNotSearched(t *testing.T) {
	dir := write(t, map[string]string{"compose.yaml": one, "sandbox/note": ""})
	_, err := Load(t.Context(), Source{Dir: filepath.Join(dir, "sandbox")})
	require.ErrorContains(t, err, "there is no compose file in the sandbox")
}

func TestFilesAreMerged(t *testing.T) {
	dir := write(t, map[string]string{
		"base.yaml":       "services:\n  web:\n    image: i:1\n    command: [serve]\n    environment: {A: base, B: base}\n    ports: ['80']\n",
		"prod.yaml":       "services:\n  web:\n    image: i:2\n    environment: {B: prod}\n    ports: !reset []\n    extends: {file: lib/common.yaml, service: common}\n",
		"lib/common.yaml": "services:\n  common:\n    env_file: vars.env\n    volumes: ['./data:/data']\n    user: nobody\n",
		"lib/vars.env":    "C=from file\nB=from file\n",
	})
	project, err := Load(t.Context(), Source{Dir: dir, Files: []string{"base.yaml", "prod.yaml"}})
	require.NoError(t, err)
	web := project.Services["web"]
	require.Equal(t, "i:2", web.Image)
	require.Equal(t, []string{"A=base", "B=prod", "C=from file"}, environment(web.Environment))
	require.Empty(t, web.Ports)
	require.Equal(t, "nobody", web.User)
	require.Equal(t, filepath.Join(dir, "lib/data"), web.Volumes[0].Source)
}

func TestEnvironment(t *testing.T) {
	t.Setenv("FROM_PROCESS", "leaked")
	t.Setenv("HOME", "/home/leaked")
	files := map[string]string{
		".env": "FROM_BOTH=dotenv\nFROM_DOTENV=dotenv\nNESTED=${FROM_BOTH}\n",
		"compose.yaml": `
services:
  web:
    image: ${FROM_PROCESS:-unset}
    environment:
      BOTH: ${FROM_BOTH}
      DOTENV: ${FROM_DOTENV}
      NESTED: ${NESTED}
      MISSING: ${NOBODY_SETS_THIS}
      PROJECT: ${COMPOSE_PROJECT_NAME}
      DOLLAR: $$HOME
      DIR: ${PWD}
      FROM_BOTH:
      FROM_PROCESS:
`}
	dir := write(t, files)
	given := map[string]string{"FROM_BOTH": "task"}
	project, err := Load(t.Context(), Source{Dir: dir, Env: given, Name: "pod-1"})
	require.NoError(t, err)
	require.Equal(t, "unset", project.Services["web"].Image)
	require.Equal(t, []string{
		"BOTH=task", "DIR=" + dir, "DOLLAR=$HOME", "DOTENV=dotenv", "FROM_BOTH=task", "FROM_PROCESS", "MISSING=", "NESTED=task", "PROJECT=pod-1",
	}, environment(project.Services["web"].Environment))
	require.Equal(t, []string{"the variable NOBODY_SETS_THIS is not set, so it is replaced by nothing"}, project.Warnings)
	require.Equal(t, map[string]string{"FROM_BOTH": "task"}, given, "the caller's map stays as it is")
}

func TestProfiles(t *testing.T) {
	files := map[string]string{"compose.yaml": `
services:
  web: {image: i}
  debug: {image: i, profiles: [debug], use_api_socket: true}
  trace: {image: i, profiles: [trace, all]}
volumes:
  unused: {}
`}
	for name, c := range map[string]struct {
		src  Source
		want []string
	}{
		"none":             {Source{}, []string{"web"}},
		"given":            {Source{Profiles: []string{"all"}}, []string{"web", "trace"}},
		"COMPOSE_PROFILES": {Source{Env: map[string]string{"COMPOSE_PROFILES": "x, trace"}}, []string{"web", "trace"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.src.Dir = write(t, files)
			project, err := Load(t.Context(), c.src)
			require.NoError(t, err)
			require.Equal(t, c.want, project.Order)
			require.Empty(t, project.Volumes, "what no service uses is not created")
		})
	}
}

func TestSeccompProfileIsReadFromTheSandbox(t *testing.T) {
	b, err := tryBuild(t, map[string]string{
		"compose.yaml": "services:\n  web:\n    image: i\n    security_opt: ['seccomp:strict.json', 'label:disable', no-new-privileges, systempaths=unconfined]\n",
		"strict.json":  "{ \"defaultAction\":\n  \"SCMP_ACT_ERRNO\" }",
	}, Source{}, target())
	require.NoError(t, err)
	b.has(t,
		`web.Host.SecurityOpt: [seccomp={"defaultAction":"SCMP_ACT_ERRNO"}, label:disable, no-new-privileges]`,
		"web.Host.MaskedPaths: []", "web.Host.ReadonlyPaths: []")
}

func TestModelIsTakenWordForWord(t *testing.T) {
	src := Source{
		Dir: write(t, map[string]string{".env": "= no .env is read", "compose.yaml": "services: {}"}),
		Env: map[string]string{"HOME": "/leaked"}, Files: []string{"TaskInfo.container"},
		Model: map[string]any{"services": map[string]any{"task": map[string]any{
			"image": "i", "command": []any{"echo", "$HOME ${NOBODY_SETS_THIS} $$"}, "privileged": "true", "cpu_shares": "10",
		}}},
	}
	project, err := Load(t.Context(), src)
	require.NoError(t, err)
	require.Empty(t, project.Warnings)
	task := project.Services["task"]
	require.Equal(t, types.ShellCommand{"echo", "$HOME ${NOBODY_SETS_THIS} $$"}, task.Command)
	require.True(t, task.Privileged)
	require.EqualValues(t, 10, task.CPUShares)

	src.Model["services"] = map[string]any{"task": map[string]any{"image": "i", "cpu_shares": "many"}}
	_, err = Load(t.Context(), src)
	require.EqualError(t, err, `TaskInfo.container, service task, key cpu_shares: it is no number: "many": invalid syntax; correct it`)
}

func TestFilesThatAreGiven(t *testing.T) {
	dir := write(t, map[string]string{"docker-compose.yml": "", ".env": "X=1\n"})
	for _, c := range []struct {
		src  Source
		want []string
	}{
		{Source{Dir: dir}, []string{"docker-compose.yml"}},
		{Source{Dir: dir, Files: []string{"a.yml"}}, []string{"a.yml"}},
		{Source{Dir: dir, Env: map[string]string{"COMPOSE_FILE": "a.yml:b.yml"}}, []string{"a.yml", "b.yml"}},
		{Source{Dir: t.TempDir()}, nil},
	} {
		got, err := c.src.Given()
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
}
