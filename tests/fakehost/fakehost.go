// Package fakehost makes machines of files in a folder: what /proc and the hierarchies of cgroups show, for tests of what the
// kernel of this machine has not, or can't be made to show. It knows nothing of what the files mean.
package fakehost

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Root is the folder of a machine with these files by path, to which AsNobody gets. It goes with the test.
func Root(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(root), 0o755))
	for name, content := range files {
		Put(t, root, name, content)
	}
	return root
}

// Put makes a file and the folders above it, and is its path. A name that ends in a slash is a folder's.
func Put(t testing.TB, root, name, content string) string {
	t.Helper()
	full := filepath.Join(root, name)
	if strings.HasSuffix(name, "/") {
		require.NoError(t, os.MkdirAll(full, 0o755))
		return full
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(t, os.WriteFile(full, []byte(content), 0o644))
	return full
}

// AsNobody runs f without the right to override file permissions, on a thread that is thrown away.
func AsNobody(t testing.TB, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		err := unix.Setfsuid(65534)
		defer func() { done <- err }() // also where f ends the goroutine
		f()
	}()
	require.NoError(t, <-done)
}
