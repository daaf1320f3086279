package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/doctor"
)

func dceDoctor(args ...string) (code int, out, err string) {
	var stdout, stderr strings.Builder
	code = execute(append([]string{"doctor"}, args...), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

func TestDoctor(t *testing.T) {
	host := os.Getenv("DCE_TEST_DOCKER_HOST")
	require.NotEmpty(t, host, "this test needs a Docker engine: run `make test`, or set DCE_TEST_DOCKER_HOST")
	code, out, err := dceDoctor("--docker-host", host, "--work-dir", t.TempDir())
	require.Equal(t, 0, code, "%s%s", out, err)
	require.Empty(t, err)
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	require.Len(t, lines, len(doctor.Checks)+1)
	for i, c := range doctor.Checks {
		require.Regexp(t, `^(ok|warn|fail|unknown) +`+c.Name+` +[^ ]`, lines[i])
	}
	require.True(t, strings.HasPrefix(lines[len(lines)-1], "a pod would run here"), out)

	code, out, err = dceDoctor("--docker-host", host, "--work-dir", t.TempDir(), "-o", "json")
	require.Equal(t, 0, code, err)
	var told struct {
		PodRuns  *bool `json:"pod_runs"`
		Verdict  string
		Findings []map[string]string
	}
	require.NoError(t, json.Unmarshal([]byte(out), &told))
	require.True(t, *told.PodRuns)
	require.NotEmpty(t, told.Verdict)
	require.Len(t, told.Findings, len(doctor.Checks))
	for i, one := range told.Findings {
		require.Equal(t, doctor.Checks[i].Name, one["check"])
		require.Len(t, one, 4)
		require.Contains(t, one, "fix")
		require.NotEmpty(t, one["saw"])
		require.Contains(t, []string{"ok", "warn", "fail", "unknown"}, one["level"])
	}
}

func TestDoctorFails(t *testing.T) {
	socket := "unix://" + filepath.Join(t.TempDir(), "docker.sock")
	manifest := filepath.Join(t.TempDir(), "m.json")
	write(t, manifest, `{"libraries": [{"file": "/nowhere/libmesos_dce.so", "modules": [{"name": "org_apache_mesos_ComposePodCleanupHook"}]}]}`)
	code, out, err := dceDoctor("--docker-host", socket, "--work-dir", t.TempDir(), "--modules", manifest)
	require.Equal(t, 1, code)
	require.Empty(t, err, "all is said in the report")
	require.Contains(t, out, "a pod would not run here: mend engine, module-libraries, module-core")
	require.Contains(t, out, "no Docker engine answers at "+socket+" (from --docker-host): there is no such socket; start dockerd")
	require.Contains(t, out, "there is no file /nowhere/libmesos_dce.so")

	code, out, _ = dceDoctor("--docker-host", socket, "--work-dir", t.TempDir(), "-o", "json")
	require.Equal(t, 1, code)
	require.Contains(t, out, `"pod_runs": false`)
}

func TestDoctorRefusesBadInput(t *testing.T) {
	for args, says := range map[string]string{
		"-o yaml":            "text and json",
		"--timeout 0s":       "--timeout 0s",
		"--work-dir w":       "--work-dir w is not an absolute path",
		"--modules-dir m":    "--modules-dir m is not",
		"--runtime-dir r":    "--runtime-dir r is not",
		"--cgroups-root /":   "no cgroup below the root",
		"--cgroups-root ../": "no cgroup below the root",
		"--what":             "what",
		"what":               "what",
	} {
		code, out, err := dceDoctor(strings.Fields(args)...)
		require.Equal(t, 2, code, args)
		require.Empty(t, out)
		require.Contains(t, err, says)
	}
}

// Every check is explained, and nothing is explained that is none.
func TestDoctorsDocument(t *testing.T) {
	text, err := os.ReadFile("../../../docs/doctor.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "\n## Checks\n")
	require.True(t, found)
	table, _, _ := strings.Cut(rest, "\n## ")
	var named, checks []string
	for line := range strings.Lines(table) {
		if name, isRow := strings.CutPrefix(line, "| `"); isRow {
			name, _, _ = strings.Cut(name, "`")
			named = append(named, name)
		}
	}
	for _, c := range doctor.Checks {
		checks = append(checks, c.Name)
	}
	require.Equal(t, checks, named)
}
