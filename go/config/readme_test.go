package config

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README's table is the one that the program knows. DCE_TEST_UPDATE=1 writes it.
func TestReadmeHasTheTable(t *testing.T) {
	const file, begin, end = "../../README.md", "<!-- config:begin -->\n", "<!-- config:end -->"
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(data), begin)
	require.True(t, ok, "README.md lacks the marker %q", strings.TrimSpace(begin))
	table, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "README.md lacks the marker %q", end)
	if os.Getenv("DCE_TEST_UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, []byte(before+begin+Table()+end+after), 0o644))
		return
	}
	require.Equal(t, Table(), table, "run: DCE_TEST_UPDATE=1 go test ./go/config -run Readme")
}
