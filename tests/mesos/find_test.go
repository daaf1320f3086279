package mesos

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{}
	look := func() (installation, error) { return find(func(key string) string { return env[key] }, dir) }
	make := func(elem ...string) string {
		path := filepath.Join(append([]string{dir}, elem...)...)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
		return path
	}

	_, err := look()
	require.ErrorContains(t, err, "there is no Mesos to run against: set MESOS_BIN")
	env[envBin] = filepath.Join(dir, "bin")
	_, err = look()
	require.ErrorContains(t, err, "there is no Mesos to run against")
	env[envLib] = filepath.Join(dir, "mesos")

	want := installation{lib: env[envLib]}
	for _, one := range []struct {
		path  string
		is    *string
		lacks string
	}{
		{"bin/mesos-master", &want.master, "MESOS_BIN is the folder"},
		{"bin/mesos-agent", &want.agent, "MESOS_BIN is the folder"},
		{"mesos/libmesos.so", nil, "MESOS_LIB is the folder"},
		{"lib/libmesos_dce.so", &want.module, "or name it in DCE_TEST_MODULE"},
		{"lib/libdcecore.so", nil, "has to be beside the module"},
	} {
		_, err = look()
		require.ErrorIs(t, err, os.ErrNotExist)
		require.ErrorContains(t, err, one.path)
		require.ErrorContains(t, err, one.lacks)
		if path := make(one.path); one.is != nil {
			*one.is = path
		}
	}
	found, err := look()
	require.NoError(t, err)
	require.Equal(t, want, found)

	want.module = make("other/module.so")
	env[envModule] = want.module
	_, err = look()
	require.ErrorContains(t, err, "other/libdcecore.so")
	make("other/libdcecore.so")
	found, err = look()
	require.NoError(t, err)
	require.Equal(t, want, found)
}
