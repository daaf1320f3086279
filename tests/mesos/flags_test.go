package mesos

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/box"
)

// An agent takes what the template has; the names must be the same.
func TestTheModulesFileHasTheShapeOfTheTemplate(t *testing.T) {
	type file struct {
		Libraries []struct {
			File    string `json:"file"`
			Modules []struct {
				Name       string                        `json:"name"`
				Parameters []struct{ Key, Value string } `json:"parameters"`
			} `json:"modules"`
		} `json:"libraries"`
	}
	read := func(text []byte) (out file) {
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.DisallowUnknownFields()
		require.NoError(t, d.Decode(&out))
		require.Len(t, out.Libraries, 1)
		require.Len(t, out.Libraries[0].Modules, 2)
		return out
	}
	checkout, err := box.Checkout()
	require.NoError(t, err)
	template, err := os.ReadFile(filepath.Join(checkout, "module-cpp", "dce.json.in"))
	require.NoError(t, err)
	text, err := site{dir: "/t", root: "r", module: "/m.so", engine: "unix:///e"}.modulesJSON()
	require.NoError(t, err)
	theirs, ours := read(template), read(text)
	require.Equal(t, "/m.so", ours.Libraries[0].File)
	for i, module := range ours.Libraries[0].Modules {
		require.Equal(t, theirs.Libraries[0].Modules[i].Name, module.Name)
		for _, p := range theirs.Libraries[0].Modules[i].Parameters {
			require.True(t, slices.ContainsFunc(module.Parameters, func(q struct{ Key, Value string }) bool { return p.Key == q.Key }), p.Key)
		}
		require.Equal(t, ours.Libraries[0].Modules[0].Parameters, module.Parameters, "hook and isolator must have the same")
	}
}

func TestNothingOfAnotherAgentIsShared(t *testing.T) {
	s := site{dir: "/t", root: "r", masterPort: 1, agentPort: 2}
	require.Subset(t, s.masterFlags(), []string{"--ip=127.0.0.1", "--port=1", "--work_dir=/t/master"})
	require.Subset(t, s.agentFlags(), []string{
		"--master=127.0.0.1:1", "--ip=127.0.0.1", "--port=2", "--work_dir=/t/agent", "--runtime_dir=/t/run", "--fetcher_cache_dir=/t/fetch", "--cgroups_root=r",
		"--modules=file:///t/modules.json", "--launcher=linux", "--isolation=filesystem/posix,cgroups/cpu,cgroups/mem," + isolatorModule,
	})
	s.posix = true
	require.Subset(t, s.agentFlags(), []string{"--launcher=posix", "--isolation=filesystem/posix,posix/cpu,posix/mem," + isolatorModule})
}
