package pod

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

// The README's table of ends is what next does. DCE_TEST_UPDATE=1 writes it.
func TestReadmeHasTheEnds(t *testing.T) {
	const file, begin, end = "../../README.md", "<!-- exits:begin -->\n", "<!-- exits:end -->"
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(data), begin)
	require.True(t, ok, "README.md lacks the marker %q", strings.TrimSpace(begin))
	table, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "README.md lacks the marker %q", end)
	if os.Getenv("DCE_TEST_UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, []byte(before+begin+endsTable()+end+after), 0o644))
		return
	}
	require.Equal(t, endsTable(), table, "run: DCE_TEST_UPDATE=1 go test ./go/pod -run Readme")
}

func endsTable() string {
	var b strings.Builder
	b.WriteString("| Pod | Service that ends | with code 0 | with another code | with 137, out of memory |\n| --- | --- | --- | --- | --- |\n")
	for _, kind := range []Kind{Service, Job} {
		for _, role := range []struct {
			name string
			spec engine.ContainerSpec
		}{
			{"essential", engine.ContainerSpec{Essential: true}},
			{"essential, `restart: on-failure`", engine.ContainerSpec{Essential: true, Restart: engine.Restart{On: engine.RestartOnFailure}}},
			{"essential, `restart: always`", engine.ContainerSpec{Essential: true, Restart: engine.Restart{On: engine.RestartAlways}}},
			{"sidecar", engine.ContainerSpec{}},
			{"sidecar, `restart: always`", engine.ContainerSpec{Restart: engine.Restart{On: engine.RestartAlways}}},
			{"init container", engine.ContainerSpec{Init: true}},
			{"init container, `restart: on-failure`", engine.ContainerSpec{Init: true, Restart: engine.Restart{On: engine.RestartOnFailure}}},
		} {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", kind, role.name,
				endOf(kind, role.spec, 0, false), endOf(kind, role.spec, 1, false), endOf(kind, role.spec, 137, true))
		}
	}
	return b.String()
}

// endOf is what the end of one service does to a pod with another, essential one: a running pod, for an init container one that starts.
func endOf(kind Kind, c engine.ContainerSpec, code int, memory bool) string {
	c.Service, c.Name = "one", "one-1"
	other := engine.ContainerSpec{Service: "other", Name: "other-1", Essential: true}
	s := State{Rules: Rules{Kind: kind}, Phase: PhaseRunning, Up: true, Members: members(engine.PodSpec{Services: []engine.ContainerSpec{c, other}})}
	if c.Init {
		s.Phase, s.Up = PhaseStarting, false
	}
	s, actions := next(s, Exited{Name: c.Name, ExitCode: code})
	var end Stopped
	if memory {
		end.OutOfMemory = "the kernel killed it"
	}
	for _, a := range actions {
		switch a.(type) {
		case DoRestart:
			return "started again"
		case DoStop:
			s, _ = next(s, end)
			return fmt.Sprintf("`TASK_%s`, `%s`", s.Outcome.State, s.Outcome.Reason)
		}
	}
	if s, actions = next(s, Exited{Name: other.Name}); kind == Job && c.Essential && len(actions) > 0 && s.Outcome.State == Finished {
		return "`TASK_FINISHED` with the last essential one"
	}
	return "the pod goes on"
}
