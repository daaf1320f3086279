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

// A script whose variable is not set does not mean everybody.
func TestReapOfNobody(t *testing.T) {
	for _, flag := range []string{"--executor", "--work-dir"} {
		cmd := reapCommand()
		cmd.SetArgs([]string{flag, ""})
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		err := cmd.ExecuteContext(t.Context())
		require.EqualError(t, err, flag+" is empty; name one, or leave the flag out")
		var exit *exitError
		require.ErrorAs(t, err, &exit)
		require.Equal(t, 2, exit.code)
	}
}
