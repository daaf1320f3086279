package engine_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
)

func TestRemoveLeavesNothingButWhatIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		spec := aPod(podID, "i", aService("a"), aService("b"))
		spec.Networks = []engine.NetworkSpec{{Name: "p_n", Options: network.CreateOptions{Labels: spec.Labels}}}
		spec.Volumes = []engine.VolumeSpec{
			{Options: volume.CreateOptions{Name: "p_v", Labels: spec.Labels}},
			{Options: volume.CreateOptions{Name: "kept", Labels: spec.Labels}, Keep: true},
		}
		other := aPod("other", "i", aService("a"))
		for _, s := range []engine.PodSpec{spec, other} {
			require.NoError(t, p.Up(t.Context(), s, nil))
		}
		require.NoError(t, fake.CreateVolume(t.Context(), engine.VolumeSpec{Options: volume.CreateOptions{Name: "not in the spec", Labels: spec.Labels}}))
		require.NoError(t, p.Remove(t.Context(), spec))
		removals := calls(fake, engine.MethodRemove)
		slices.Sort(removals[:2])
		slices.Sort(removals[3:])
		require.Equal(t, []string{"container p-a-1", "container p-b-1", "container p-infra-1", "network p_n", "volume p_v"}, removals)
		left, err := fake.List(t.Context())
		require.NoError(t, err)
		require.Len(t, left, 2, "the other pod's")
		require.NoError(t, p.Remove(t.Context(), spec), "nothing is left to remove")
	})
}

func TestRemoveSaysWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, fake := fakePod()
		spec := aPod(podID, "i", aService("a"))
		require.NoError(t, p.Up(t.Context(), spec, nil))
		busy := errdefs.ErrConflict.WithMessage("busy")
		fake.Fail(engine.MethodRemove, busy, 3)
		require.NoError(t, p.Remove(t.Context(), spec), "it is tried again")

		require.NoError(t, p.Up(t.Context(), spec, nil))
		fake.Fail(engine.MethodRemove, busy, enginetest.Always)
		err := p.Remove(t.Context(), spec)
		require.EqualError(t, err, "container p-a-1 can't be removed: busy\ncontainer p-infra-1 can't be removed: busy")
		require.ErrorIs(t, err, busy)

		fake.Fail(engine.MethodRemove, nil, enginetest.Always) // says yes and does nothing
		require.EqualError(t, p.Remove(t.Context(), spec),
			"container p-a-1 was removed and is still there\ncontainer p-infra-1 was removed and is still there")

		fake.Fail(engine.MethodList, busy, enginetest.Always)
		require.EqualError(t, p.Remove(t.Context(), spec), "what is left of pod p can't be listed: busy")
	})
}
