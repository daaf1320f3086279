package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

// code requires an error of bad input.
func bad(t *testing.T, err error, text string) {
	t.Helper()
	var coded *exitError
	require.ErrorAs(t, err, &coded)
	require.Equal(t, exitBadInput, coded.code)
	require.Contains(t, err.Error(), text)
}

func TestTheProjectIsTheDirectoryOfTheFirstFile(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "app", "docker-compose.yml"), "")
	write(t, filepath.Join(dir, "app", "sub", "more.yml"), "")
	write(t, filepath.Join(dir, "outer.yml"), "")
	write(t, filepath.Join(dir, "app", "a,b.yml"), "")

	p, err := findProject(filepath.Join(dir, "app", "sub"), nil)
	require.NoError(t, err)
	require.Equal(t, project{dir: filepath.Join(dir, "app")}, p, "compose's own names are found upwards")
	p, err = findProject(dir, []string{"app/docker-compose.yml", filepath.Join(dir, "app/sub/more.yml")})
	require.NoError(t, err)
	require.Equal(t, project{filepath.Join(dir, "app"), []string{"docker-compose.yml", "sub/more.yml"}}, p)

	_, err = findProject(dir, nil)
	bad(t, err, "name a compose file with -f")
	_, err = findProject(dir, []string{"no.yml"})
	bad(t, err, "the compose file no.yml can't be read: it does not exist")
	_, err = findProject(dir, []string{"app"})
	bad(t, err, "it is no regular file")
	_, err = findProject(dir, []string{"app/docker-compose.yml", "outer.yml"})
	bad(t, err, "name the outer one first")
	_, err = findProject(dir, []string{"-"})
	bad(t, err, "write the compose file to disk")
	_, err = findProject(dir, []string{"app/a,b.yml"})
	bad(t, err, "has a comma in its name")
}

func TestATreeIsCopiedAsItIs(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	write(t, filepath.Join(from, "compose.yaml"), "services: {}")
	write(t, filepath.Join(from, ".env"), "A=1")
	write(t, filepath.Join(from, ".git", "config"), "secret")
	write(t, filepath.Join(from, "data", "script"), "#!")
	require.NoError(t, os.Chmod(filepath.Join(from, "data", "script"), 0o4755|fs.ModeSetuid))
	require.NoError(t, os.Chown(filepath.Join(from, "data", "script"), 999, 998))
	require.NoError(t, os.Chmod(filepath.Join(from, "data", "script"), 0o755|fs.ModeSetuid))
	require.NoError(t, os.Symlink("../.env", filepath.Join(from, "data", "link")))
	require.NoError(t, os.Symlink("/nowhere", filepath.Join(from, "dangling")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(from, "pipe"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(from, "empty"), 0o755))
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	require.NoError(t, os.Chtimes(filepath.Join(from, ".env"), past, past))
	require.NoError(t, os.Chmod(filepath.Join(from, "data"), 0o500))

	tree, err := scan(from, 1<<20)
	require.NoError(t, err)
	require.Equal(t, []string{"pipe"}, tree.skipped)
	require.NoError(t, tree.copyTo(to))

	again, err := scan(to, 1<<20)
	require.NoError(t, err)
	require.Len(t, again.entries, len(tree.entries))
	for i, want := range tree.entries {
		got := again.entries[i]
		require.Equal(t, want.path, got.path)
		require.Equal(t, want.info.Mode(), got.info.Mode(), want.path)
		require.Equal(t, want.info.Sys().(*syscall.Stat_t).Uid, got.info.Sys().(*syscall.Stat_t).Uid, want.path)
		require.Equal(t, want.info.Sys().(*syscall.Stat_t).Gid, got.info.Sys().(*syscall.Stat_t).Gid, want.path)
		if want.info.Mode().IsRegular() {
			require.True(t, want.info.ModTime().Equal(got.info.ModTime()), want.path)
		}
	}
	link, err := os.Readlink(filepath.Join(to, "data", "link"))
	require.NoError(t, err)
	require.Equal(t, "../.env", link)
	require.NoDirExists(t, filepath.Join(to, ".git"))
	data, err := os.ReadFile(filepath.Join(to, ".env"))
	require.NoError(t, err)
	require.Equal(t, "A=1", string(data))
}

func TestATreeThatIsTooLargeIsRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a"), strings.Repeat("x", 600))
	write(t, filepath.Join(dir, "b"), strings.Repeat("x", 500))
	_, err := scan(dir, 1024)
	bad(t, err, "holds more than 1KiB")
	bad(t, err, "raise --copy-limit")
	_, err = scan(dir, 1100)
	require.NoError(t, err)
	for i := range maxFiles {
		require.NoError(t, os.Symlink("x", filepath.Join(dir, "l"+strings.Repeat("0", i%7)+string(rune('a'+i%26))+time.Duration(i).String())))
	}
	_, err = scan(dir, 1<<20)
	bad(t, err, "more than 10000 files")
}
