package agentflags

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	require.Equal(t, map[string]string{
		"work_dir": "/var/lib/mesos", "cgroups_root": "of the environment", "isolation": "a=b", "strict": "false", "switch_user": "true",
	}, Parse([]string{"MESOS_WORK_DIR=/other", "MESOS_CGROUPS_ROOT=of the environment", "PATH=/bin", ""},
		[]string{"--work_dir=/var/lib/mesos", "--isolation=a=b", "--no-strict", "--switch_user", "word", ""}))
}
