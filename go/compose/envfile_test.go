package compose

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRawEnvFile(t *testing.T) {
	text := "A='$X # all of it'\n# not this\nB=\n"
	dir := write(t, map[string]string{
		"compose.yaml": "services:\n" +
			"  raw: {image: i, env_file: [{path: a.env, format: raw}]}\n" +
			"  plain: {image: i, env_file: [{path: a.env}]}\n",
		"a.env": text,
	})
	project, err := Load(t.Context(), Source{Dir: dir})
	require.NoError(t, err)
	require.Equal(t, []string{"A='$X # all of it'", "B="}, environment(project.Services["raw"].Environment))
	require.Equal(t, []string{"A=$X # all of it", "B="}, environment(project.Services["plain"].Environment))

	dir = write(t, map[string]string{
		"compose.yaml": "services:\n  raw: {image: i, env_file: [{path: a.env, format: raw}]}\n", "a.env": "=x\n",
	})
	_, err = Load(t.Context(), Source{Dir: dir})
	require.EqualError(t, err, "a.env: no variable name on line '=x'; correct it")
}
