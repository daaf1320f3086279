package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An agent's sandboxes have no slash too many, and so the labels have none.
func TestReapTakesAWorkDirAsTheAgentDoes(t *testing.T) {
	for given, want := range map[string]string{"/var/lib/mesos/": "/var/lib/mesos", "/var/lib/mesos": "/var/lib/mesos", "/": "/", "": ""} {
		f := reapFlags{output: "text", workDir: given, timeout: time.Minute}
		require.NoError(t, f.check())
		require.Equal(t, want, f.workDir)
	}
}
