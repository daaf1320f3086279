package core

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// An engine that answers some questions and not others is asked ever less often, and said to be down once.
func TestAnEngineThatFallsAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		fall := func() (news bool) {
			open, news := g.fall(errors.New("no answer"))
			require.True(t, open)
			again, _ := g.fall(errors.New("no answer"))
			require.False(t, again)
			require.EqualError(t, g.why(), "no answer")
			return news
		}
		require.True(t, fall())
		require.Equal(t, firstProbe, g.waited())
		for _, pause := range []time.Duration{2 * firstProbe, 4 * firstProbe, 8 * firstProbe, longestProbe, longestProbe} {
			g.open()
			require.NoError(t, g.why())
			time.Sleep(steady - time.Second)
			require.False(t, fall())
			require.Equal(t, pause, g.waited())
		}
		g.open()
		time.Sleep(steady)
		require.True(t, fall(), "it had been back")
		require.Equal(t, firstProbe, g.waited())
	})
}
