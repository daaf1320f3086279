package reaper

import (
	"testing"

	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/engine/enginetest"
	"github.com/dce-go/dce/go/labels"
)

func TestScopes(t *testing.T) {
	f := enginetest.New()
	scopes, err := Scopes(t.Context(), f, "")
	require.NoError(t, err)
	require.Empty(t, scopes)

	fakePod(t, f, "c1", 2)
	_, err = f.CreateNetwork(t.Context(), engine.NetworkSpec{Name: "n", Options: network.CreateOptions{Labels: map[string]string{labels.Scope: "/b", labels.Executor: "another", labels.Pod: "n"}}})
	require.NoError(t, err)
	require.NoError(t, f.CreateVolume(t.Context(), engine.VolumeSpec{Options: volume.CreateOptions{Name: "v", Labels: map[string]string{labels.Scope: "/a", labels.Executor: "another", labels.Pod: "v"}}}))
	scopes, err = Scopes(t.Context(), f, "")
	require.NoError(t, err)
	require.Equal(t, []string{"/a", "/b", "/var/lib/mesos"}, scopes)
	scopes, err = Scopes(t.Context(), f, "another")
	require.NoError(t, err)
	require.Equal(t, []string{"/a", "/b"}, scopes)
}
