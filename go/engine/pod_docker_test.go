package engine_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

func realPod(t *testing.T) (*world, *engine.Pod) {
	t.Helper()
	w := dockerWorld(t)
	return w, &engine.Pod{Gateway: w.Gateway, Log: quiet()}
}

func three(id, image string) engine.PodSpec {
	return aPod(id, image, aService("a", "sleep", "600"), aService("b", "sleep", "600"), aService("c", "sleep", "600"))
}

// rawUp is the floor: the same containers, created and started in parallel, infra first to be started.
func rawUp(ctx context.Context, g engine.Gateway, spec engine.PodSpec) error {
	var wg sync.WaitGroup
	errs := make(chan error, 2*len(spec.Services)+2)
	infra := make(chan struct{})
	wg.Go(func() {
		defer close(infra)
		id, err := g.Create(ctx, spec.Infra)
		errs <- err
		errs <- g.Start(ctx, id)
	})
	for i := range spec.Services {
		wg.Go(func() {
			id, err := g.Create(ctx, &spec.Services[i])
			errs <- err
			<-infra
			errs <- g.Start(ctx, id)
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestUpIsAsFastAsTheRawCalls(t *testing.T) {
	w, p := realPod(t)
	ctx := t.Context()
	var raw, ours []time.Duration
	for range 10 {
		spec := three(w.pod, w.image)
		begun := time.Now()
		require.NoError(t, rawUp(ctx, w.Gateway, spec))
		raw = append(raw, time.Since(begun))
		require.NoError(t, p.Remove(ctx, spec))

		begun = time.Now()
		require.NoError(t, p.Up(ctx, spec, nil))
		ours = append(ours, time.Since(begun))
		require.NoError(t, p.Remove(ctx, spec))
	}
	slices.Sort(raw)
	slices.Sort(ours)
	t.Logf("medians of 10: raw %v, Up %v", raw[5], ours[5])
	require.Less(t, ours[5], raw[5]*13/10)
}
