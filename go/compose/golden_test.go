package compose

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew; read the difference before you commit it")

// Whole pods of realistic files: what a change does to them shows in the difference of testdata/*/pod.golden.
func TestGolden(t *testing.T) {
	for name, c := range map[string]struct {
		src    Source
		target Target
	}{
		"shop": {Source{}, target(offered(31000, 31001, 31002), named(map[string]uint16{"metrics": 31000}))},
		"blog": {Source{}, target(func(t *Target) { t.Visible = true })},
		"report": {
			Source{Profiles: []string{"cached"}, Env: map[string]string{"TOKEN": "t0k"}},
			target(func(t *Target) { t.Kind, t.Share = KindJob, []string{"net", "ipc"} }),
		},
		"edge": {Source{}, target(mode(NetworkCompose), offered(31000, 31001, 31002, 31003))},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := filepath.Abs(filepath.Join("testdata", name))
			require.NoError(t, err)
			c.src.Dir, c.target.Sandbox = dir, dir
			c.target.Environment = map[string]string{"MESOS_TASK_ID": identity.Task, "LOG_LEVEL": "never"}
			spec, ports, warnings, err := Build(t.Context(), c.src, c.target)
			require.NoError(t, err)
			lines := render(t, spec, dir)
			for _, port := range ports {
				lines = append(lines, fmt.Sprintf("port: %s %s %s:%d -> %d/%s", port.Service, port.Name, port.HostIP, port.Host, port.Container, port.Protocol))
			}
			for _, warning := range warnings {
				lines = append(lines, "warning: "+strings.ReplaceAll(warning, spec.ID, "POD"))
			}
			got := strings.Join(lines, "\n") + "\n"
			golden := filepath.Join(dir, "pod.golden")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}
