package launch

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/tree"
)

func TestLimitsOfABudget(t *testing.T) {
	require.Equal(t, tree.Limits{Memory: 64 << 20, CPUs: 0.5}, budget{64 << 20, 0.5}.limits())
	require.Equal(t, tree.Limits{}, budget{}.limits())
}
