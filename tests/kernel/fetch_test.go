package kernel

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOtherSuite(t *testing.T) {
	etc := t.TempDir()
	put := func(name, content string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(etc, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(etc, name), []byte(content), 0o644))
	}
	put("os-release", "ID=debian\nVERSION_CODENAME=bookworm\n")
	_, err := otherSuite(etc, "bullseye")
	require.ErrorContains(t, err, "no sources of Debian bookworm")
	put("apt/sources.list", "# deb http://m/debian bookworm main\ndeb [signed-by=/k] http://m/debian bookworm main\n"+
		"deb http://m/debian bookworm-updates main\ndeb-src http://m/debian bookworm main\ndeb http://s/security bookworm-security main\n")
	put("apt/sources.list.d/debian.sources", "Types: deb\nURIs: http://m/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\n"+
		"Types: deb\nURIs: http://s/security\nSuites: bookworm-security\nComponents: main\n\nTypes: deb\nURIs: http://b\nSuites: bookworm-backports\n")
	put("apt/sources.list.d/other.list", "deb http://other/apt stable main\n")
	got, err := otherSuite(etc, "bullseye")
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"sources.list":   "deb [signed-by=/k] http://m/debian bullseye main\ndeb http://s/security bullseye-security main",
		"debian.sources": "Types: deb\nURIs: http://m/debian\nSuites: bullseye\nComponents: main\n\nTypes: deb\nURIs: http://s/security\nSuites: bullseye-security\nComponents: main",
	}, got)
	put("os-release", "ID=other\nVERSION_CODENAME=x\n")
	_, err = otherSuite(etc, "bullseye")
	require.ErrorContains(t, err, "not that of a Debian release")
}

func TestNewestFirst(t *testing.T) {
	require.Equal(t, []string{"linux-image-5.10.0-46-x", "linux-image-5.10.0-9-x"},
		newestFirst("linux-image-5.10.0-9-x - Linux\nlinux-image-5.10.0-46-x - Linux\nlinux-image - other\n"))
}

func TestMirrorOf(t *testing.T) {
	for _, c := range []struct {
		content      string
		deb822       bool
		uri, keyring string
	}{
		{"deb http://s/security bookworm-security main\ndeb http://m/debian bookworm main", false, "http://m/debian", ""},
		{"deb [arch=amd64 signed-by=/k] http://m/debian bookworm main", false, "http://m/debian", "/k"},
		{"deb http://s/security bookworm-security main", false, "", ""},
		{"Types: deb\nURIs: http://s\nSuites: bookworm-security\n\nTypes: deb\n# old\nURIs: http://m/debian http://n\nSuites: bookworm\nSigned-By: /k", true, "http://m/debian", "/k"},
		{"Types: deb\nURIs: http://m/debian\nSuites: bookworm\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----", true, "http://m/debian", ""},
	} {
		uri, keyring := mirrorOf(c.content, c.deb822, "bookworm")
		require.Equal(t, []string{c.uri, c.keyring}, []string{uri, keyring}, c.content)
	}
}
