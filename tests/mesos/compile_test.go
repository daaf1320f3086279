//go:build !mesos

package mesos

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Nobody who has no Mesos runs the scenarios; that they compile is seen everywhere.
func TestTheScenariosCompile(t *testing.T) {
	out, err := exec.Command("go", "vet", "-tags", "mesos", ".").CombinedOutput()
	require.NoError(t, err, string(out))
}
