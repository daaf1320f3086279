package core

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckParameters(t *testing.T) {
	require.NoError(t, CheckParameters([]byte(`{"docker_host": ""}`)))
	require.NoError(t, CheckParameters([]byte(`{"cgroups_root": "mesos", "grace": "1mins", "docker_host": "tcp://10.0.0.1:2376", "dry_run": "false", "use_hierarchy": "require"}`)))
	for text, says := range map[string]string{
		`{"use_hierachy": "off"}`:  `parameter "use_hierachy" is unknown (did you mean use_hierarchy?); there are cgroups_root, core, docker_host`,
		`{"use_hierarchy": "yes"}`: `parameter use_hierarchy can't be "yes"; it takes enforce, require, warn, off`,
		`[]`:                       "no JSON object of strings",
	} {
		require.ErrorContains(t, CheckParameters([]byte(text)), says)
	}
}
