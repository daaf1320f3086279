package launch

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryParameterIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/tasks.md")
	require.NoError(t, err)
	for name := range runOptions {
		require.Contains(t, string(page), "`"+name+"`")
	}
}
