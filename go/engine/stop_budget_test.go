package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestBudget(t *testing.T) {
	s := func(n ...float64) []time.Duration {
		var out []time.Duration
		for _, x := range n {
			out = append(out, time.Duration(x*float64(time.Second)))
		}
		return out
	}
	for _, c := range []struct {
		name string
		left float64
		asks []time.Duration
		want []time.Duration
	}{
		{"enough for all", 60, s(10, 5, 1), s(10, 5, 1)},
		{"just enough", 16.5, s(10, 5, 1), s(10, 5, 1)},
		{"who asks for little gets it", 5.5, s(10, 1), s(4, 1)},
		{"the others share", 10.5, s(10, 2, 10), s(4, 2, 4)},
		{"a short stop keeps a fifth for the kill", 1, s(10), s(0.8)},
		{"nothing left", 0, s(10, 1), s(0, 0)},
		{"too late", -3, s(10), s(0)},
		{"no levels", 5, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := budget(time.Duration(c.left*float64(time.Second)), c.asks)
			require.Len(t, got, len(c.want))
			for i := range got {
				require.InDelta(t, c.want[i], got[i], float64(time.Microsecond))
			}
		})
	}
}

func TestBudgetProperties(t *testing.T) {
	seconds := rapid.Int64Range(0, 120_000)
	rapid.Check(t, func(t *rapid.T) {
		left := time.Duration(seconds.Draw(t, "left")) * time.Millisecond
		asks := rapid.SliceOfN(rapid.Map(seconds, func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }), 0, 6).Draw(t, "asks")
		got := budget(left, asks)
		require.Len(t, got, len(asks))
		var sum, wanted time.Duration
		for i := range got {
			require.GreaterOrEqual(t, got[i], time.Duration(0))
			require.LessOrEqual(t, got[i], asks[i], "nobody gets more than he asks for")
			sum += got[i]
			wanted += asks[i]
		}
		if left > 0 && len(asks) > 0 && wanted > 0 {
			require.Less(t, sum, left, "something is kept for the kill")
		}
		if left >= wanted+killReserve {
			require.Equal(t, asks, got, "with enough time everybody gets all")
		}
		for i := range got {
			for j := range got {
				if asks[i] <= asks[j] { // but for what a division leaves over
					require.LessOrEqual(t, got[i], got[j]+time.Duration(len(asks)), "who asks for more gets no less")
				}
			}
		}
	})
}

func TestFullGraceIsWhatTheLevelsAskFor(t *testing.T) {
	spec := PodSpec{Services: []ContainerSpec{
		{Service: "a", Name: "a", Grace: 3 * time.Second},
		{Service: "b", Name: "b", Grace: -1},
		{Service: "c", Name: "c", Grace: 0, Needs: []Dependency{{Service: "a"}, {Service: "b"}}},
	}}
	require.Equal(t, 10*time.Second+killReserve, FullGrace(spec))
	require.Equal(t, []time.Duration{0, 10 * time.Second}, budget(FullGrace(spec), []time.Duration{0, 10 * time.Second}))
}
