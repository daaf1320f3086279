package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
)

// TestUpOutlastsAnEngineThatIsAway: at each of its calls the engine is out of reach for a while, once before and once after
// having done the thing.
func TestUpOutlastsAnEngineThatIsAway(t *testing.T) {
	away := errdefs.ErrUnavailable.WithMessage("cannot connect")
	for _, method := range []engine.Method{
		engine.MethodList, engine.MethodImage, engine.MethodPull, engine.MethodLoad, engine.MethodCreate, engine.MethodStart,
	} {
		for name, fail := range map[string]func(*enginetest.Fake, engine.Method, error, int){
			"": (*enginetest.Fake).Fail, ", after having done it": (*enginetest.Fake).FailAfter,
		} {
			t.Run(string(method)+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p, fake := fakePod()
					fake.Publish("far", engine.Image{ID: "sha256:2"})
					p.Pause = emptyRootfs(t)
					spec := aPod(podID, "i", aService("a"))
					spec.Infra.Image, spec.Infra.Config.Image = "pause", "pause"
					spec.Services[0].Image, spec.Services[0].Config.Image = "far", "far"

					fail(fake, method, away, 3)
					require.ErrorIs(t, p.Up(t.Context(), spec, nil), away, "without patience it is an error at once")

					p.Patience = time.Minute
					fail(fake, method, away, 3)
					require.NoError(t, p.Up(t.Context(), spec, nil))
					require.Equal(t, []string{"p-a-1", "p-infra-1"}, running(t, fake))

					require.NoError(t, p.Remove(t.Context(), spec))
				})
			})
		}
	}
}

func TestUpLosesPatience(t *testing.T) {
	away := errdefs.ErrUnavailable.WithMessage("cannot connect")
	for _, method := range []engine.Method{engine.MethodList, engine.MethodImage, engine.MethodCreate} {
		t.Run(string(method), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, fake := fakePod()
				p.Patience = 10 * time.Second
				spec := aPod(podID, "i", aService("a"))
				fake.Fail(method, away, enginetest.Always)
				begun := time.Now()
				require.ErrorIs(t, p.Up(t.Context(), spec, nil), away)
				require.InDelta(t, 10*time.Second, time.Since(begun), float64(6*time.Second))

				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)
				begun = time.Now()
				require.ErrorIs(t, p.Up(ctx, spec, nil), context.Canceled)
				require.Equal(t, time.Second, time.Since(begun), "a kill does not wait")
			})
		})
	}
}

func TestRemoveOutlastsAnEngineThatIsAway(t *testing.T) {
	away := errdefs.ErrUnavailable.WithMessage("cannot connect")
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		spec := aPod(podID, "i", aService("a"))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		fake.Fail(engine.MethodList, away, 15)
		fake.Fail(engine.MethodRemove, away, 3)
		require.NoError(t, p.Remove(t.Context(), spec))
		left, err := fake.List(t.Context())
		require.NoError(t, err)
		require.Empty(t, left)

		require.NoError(t, p.Up(t.Context(), spec, nil))
		fake.Fail(engine.MethodList, away, enginetest.Always)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		begun := time.Now()
		err = p.Remove(ctx, spec)
		require.ErrorIs(t, err, away)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 30*time.Second, time.Since(begun))
	})
}
