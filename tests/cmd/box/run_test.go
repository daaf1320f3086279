package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"
)

// TestMain lets the test program be the command that box runs: it leaves a volume behind.
func TestMain(m *testing.M) {
	if os.Getenv("BOX_TEST_LEAVE") == "" {
		os.Exit(m.Run())
	}
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err == nil {
		_, err = cli.VolumeCreate(context.Background(), volume.CreateOptions{Name: "left-by-test"})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestExitCodeIsTheCommands(t *testing.T) {
	r := runner{private: true, name: t.Name()}
	code, err := r.run([]string{"sh", "-c", `test "$DOCKER_HOST" = "$DCE_TEST_DOCKER_HOST" && exit 7`})
	require.NoError(t, err)
	require.Equal(t, 7, code)

	code, err = r.run([]string{"no-such-program"})
	require.ErrorContains(t, err, "no-such-program")
	require.Equal(t, 127, code)
}

func TestWhatIsLeftBehindIsNamed(t *testing.T) {
	t.Setenv("BOX_TEST_LEAVE", "1")
	_, err := runner{private: true, clean: true, name: t.Name(), patience: 20 * time.Second}.run([]string{os.Args[0]})
	require.ErrorContains(t, err, "left behind")
	require.ErrorContains(t, err, "volume left-by-test")
}

func TestLeftProcessIsNamed(t *testing.T) {
	dir := t.TempDir()
	_, err := runner{private: true, clean: true, name: t.Name(), patience: 20 * time.Second}.run([]string{"sh", "-c", "sleep 100 >/dev/null 2>&1 & echo $! >" + dir + "/pid"})
	text, readErr := os.ReadFile(dir + "/pid")
	require.NoError(t, readErr)
	var n int
	_, readErr = fmt.Sscan(string(text), &n)
	require.NoError(t, readErr)
	require.NoError(t, syscall.Kill(n, syscall.SIGKILL))
	require.ErrorContains(t, err, fmt.Sprintf("process %d (sleep 100)", n))
}

func TestOnlyWhatStaysIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := [][]string{{"a", "b"}, {"b", "c"}, {"b"}, {"b", "a"}}
		n := 0
		look := func() []string {
			n++
			return slices.Clone(looks[min(n, len(looks))-1])
		}
		begin := time.Now()
		require.Equal(t, []string{"b"}, settled(time.Second, look))
		require.Equal(t, time.Second, time.Since(begin))

		n, looks = 0, [][]string{{"a"}, {"c"}}
		require.Empty(t, settled(time.Hour, look))
		require.Equal(t, time.Second+20*time.Millisecond, time.Since(begin), "nothing is waited for any more")
	})
}

func TestSignalIsPassedOnAndCleanedUpAfter(t *testing.T) {
	started := t.TempDir() + "/started"
	require.NoError(t, syscall.Mkfifo(started, 0o600))
	go func() {
		if _, err := os.ReadFile(started); err == nil { // returns once the command has written to it
			_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		}
	}()
	code, err := runner{private: true, name: t.Name()}.run([]string{"sh", "-c", "echo >" + started + "; sleep 100"})
	require.NoError(t, err)
	require.Equal(t, 128+int(syscall.SIGTERM), code)
}

func TestNamedEngineThatDoesNotAnswerIsAnError(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nowhere.sock")
	_, err := runner{}.run([]string{"true"})
	require.ErrorContains(t, err, "/nowhere.sock")
	require.ErrorContains(t, err, "DOCKER_HOST")
}
