package watch

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &Output{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, o.Await(ctx, "b"), context.DeadlineExceeded)
		require.Error(t, o.Await(ctx, "("))

		for _, text := range []string{"a", "b"} {
			time.AfterFunc(time.Second, func() { _, _ = o.Write([]byte(text)) })
			require.NoError(t, o.Await(t.Context(), text+"$"))
		}
		require.NoError(t, o.Await(t.Context(), "^ab$"), "what came before counts")
		require.Equal(t, "ab", o.String())
	})
}
