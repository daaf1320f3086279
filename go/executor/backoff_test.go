package executor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestBackoff(t *testing.T) {
	require.Equal(t, 50*time.Millisecond, backoff(0, time.Minute, 0))
	require.Equal(t, 100*time.Millisecond, backoff(1, time.Minute, 0))
	require.Equal(t, 200*time.Millisecond, backoff(2, time.Minute, 0))
	require.Equal(t, 400*time.Millisecond, backoff(3, time.Minute, 0))
	require.Equal(t, 400*time.Millisecond, backoff(1<<40, time.Minute, 0))
	rapid.Check(t, func(t *rapid.T) {
		limit := time.Duration(rapid.Int64Range(0, int64(15*time.Second)).Draw(t, "limit"))
		got := backoff(rapid.IntRange(0, 5000).Draw(t, "attempt"), limit, rapid.Float64Range(0, 0.999999).Draw(t, "random"))
		require.LessOrEqual(t, got, limit)
		require.LessOrEqual(t, got, longestPause)
		require.GreaterOrEqual(t, got, min(firstPause, limit)/2)
	})
}
