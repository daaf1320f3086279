package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
)

func TestATaskIsWhatASchedulerWouldSend(t *testing.T) {
	info := order{id: "web.1", name: "web", cpus: 0.5, memory: 64 << 20, ports: []mesos.Value_Range{{Begin: 31000, End: 31003}},
		labels: map[string]string{"fileName": "a.yml,b.yml", "x": ""}, env: map[string]string{"PATH": "/bin"}, executor: "/opt/bin/dce-executor"}.task()
	require.Equal(t, "web.1", info.TaskID.Value)
	require.Equal(t, "dce-web.1", info.Executor.ExecutorID.Value)
	require.False(t, info.Executor.Command.GetShell())
	require.Equal(t, "/opt/bin/dce-executor", info.Executor.Command.GetValue())
	require.Equal(t, []string{"dce-executor"}, info.Executor.Command.Arguments)
	require.Equal(t, "PATH", info.Executor.Command.Environment.Variables[0].Name)
	require.InDelta(t, 64, info.Resources[1].Scalar.Value, 1e-9)
	require.EqualValues(t, 31003, info.Resources[2].Ranges.Range[0].End)
	require.Equal(t, "fileName", info.Labels.Labels[0].Key)
	data, err := info.Marshal()
	require.NoError(t, err, "all that is required is set")
	require.NotEmpty(t, data)
}

func TestLabels(t *testing.T) {
	got, err := taskLabels(runFlags{job: true, labels: []string{"a=b=c", "empty="}}, project{files: []string{"x.yml", "y.yml"}})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"fileName": "x.yml,y.yml", "dce.pod.kind": "job", "dce.cpu.cfs_quota": "true", "a": "b=c", "empty": ""}, got)
	got, err = taskLabels(runFlags{labels: []string{"dce.cpu.cfs_quota=false"}}, project{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"dce.cpu.cfs_quota": "false"}, got)
	_, err = taskLabels(runFlags{labels: []string{"a"}}, project{})
	bad(t, err, "write it like key=value")
	_, err = taskLabels(runFlags{job: true, labels: []string{"dce.pod.kind=service"}}, project{})
	bad(t, err, "given twice")
}

func TestTheExecutorSeesOnlyWhatItNeeds(t *testing.T) {
	environ := []string{"PATH=/bin", "HOME=/root", "SECRET=x", "DOCKER_CONFIG=conf", "DCE_LOG_LEVEL=debug", "DCE_CGROUP_PARENT=/x", "DCE_TEST_X=1", "TOKEN=t"}
	cwd, err := os.Getwd()
	require.NoError(t, err)
	got, err := executorEnv(environ, []string{"TOKEN", "A=b=c", "EMPTY="}, "unix:///run/docker.sock")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"PATH": "/bin", "HOME": "/root", "DOCKER_CONFIG": filepath.Join(cwd, "conf"),
		"DCE_LOG_LEVEL": "debug", "TOKEN": "t", "A": "b=c", "EMPTY": "", "DOCKER_HOST": "unix:///run/docker.sock"}, got)
	got, err = executorEnv([]string{"DOCKER_CONTEXT=far"}, nil, "tcp://far:2376")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"DOCKER_CONTEXT": "far"}, got, "a context with TLS is resolved again")
	for given, text := range map[string]string{"=x": "has no name", "MESOS_DIRECTORY=/": "is for the agent to set", "DOCKER_HOST=unix:///x": "set it in the environment of dce", "NOWHERE": "has no value"} {
		_, err := executorEnv(nil, []string{given}, "")
		bad(t, err, text)
	}
}

func TestNames(t *testing.T) {
	for _, c := range [][3]string{{"", "/srv/my app", "my app"}, {"", "/", "task"}, {"", "/a\nb", "a-b"}, {"web", "/x", "web"}} {
		got, err := taskName(c[0], c[1])
		require.NoError(t, err)
		require.Equal(t, c[2], got)
	}
	for _, name := range []string{"a/b", "a\tb", strings.Repeat("x", 201)} {
		_, err := taskName(name, "/x")
		bad(t, err, "Mesos takes no such id")
	}
}

func TestTheExecutorIsFoundBesideDceOrInPath(t *testing.T) {
	dir := t.TempDir()
	none := func(string) (string, error) { return "", errors.New("none") }
	_, err := findExecutor("", filepath.Join(dir, "dce"), none)
	require.ErrorContains(t, err, "name it with --executor")
	got, err := findExecutor("", filepath.Join(dir, "dce"), func(string) (string, error) { return "/usr/bin/dce-executor", nil })
	require.NoError(t, err)
	require.Equal(t, "/usr/bin/dce-executor", got)
	write(t, filepath.Join(dir, "dce-executor"), "")
	_, err = findExecutor(filepath.Join(dir, "dce-executor"), "", none)
	bad(t, err, "can't be used: it may not be executed; chmod 755 it")
	require.NoError(t, os.Chmod(filepath.Join(dir, "dce-executor"), 0o755))
	got, err = findExecutor("", filepath.Join(dir, "dce"), none)
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "dce-executor"), got)
	_, err = findExecutor("no-such", "", none)
	bad(t, err, "it does not exist")
}

func TestSizes(t *testing.T) {
	n, err := size("mem", "64m")
	require.NoError(t, err)
	require.EqualValues(t, 64<<20, n)
	for _, text := range []string{"", "x", "-5", "0", strconv.Itoa(-1)} {
		_, err := size("mem", text)
		bad(t, err, "write it like 512m")
	}
}
