package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/doctor"
)

// Tools read the version off the file, also of one without its symbols.
func TestVersionIsData(t *testing.T) {
	l, err := doctor.ReadLibrary(library(t, ""))
	require.NoError(t, err)
	require.Empty(t, l.Flaw)
	require.NotNil(t, l.Version)
	require.EqualValues(t, dce_core_abi_version(), *l.Version)
	require.Equal(t, "github.com/dce-go/dce/cgo-bridge", l.Go.Main)
}
