package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/box"
)

// What `make run` shows must be so on every change.
func TestExampleComesUpCountsAndLeavesNothing(t *testing.T) {
	require.NotEmpty(t, os.Getenv(box.EnvHost), "this test needs a Docker engine that has the test images: run make test")
	require.NoError(t, demo(t.Context()))
}
