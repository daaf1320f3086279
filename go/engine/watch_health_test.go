package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhichEnginesForgetHealthchecks(t *testing.T) {
	for version, want := range map[string]bool{
		"20.10.24+dfsg1": true, "19.03.15": true, "18.09.9-ce": true, "17.12.0-ce": true, "17.11.0": true,
		"17.09.1-ce": false, "1.13.1": false, "23.0.0": false, "26.1.5": false, "": false, "dev": false, "20": false,
	} {
		require.Equal(t, want, forgetsHealthchecks(Info{Version: version, LiveRestore: true}), version)
		require.False(t, forgetsHealthchecks(Info{Version: version}), "containers do not live on")
	}
}
