package pause

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// run starts script, whose last command is `exec "$PAUSE"`, and returns once pause waits for signals.
func run(t *testing.T, script string, attr *syscall.SysProcAttr) *exec.Cmd {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pause")
	require.NoError(t, os.WriteFile(path, binary, 0o755))
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Env = []string{"PAUSE=" + path, "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = attr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	require.Eventually(t, func() bool {
		// It sleeps nowhere but where it waits for signals.
		return status(t, cmd.Process.Pid, "Name") == "pause" &&
			status(t, cmd.Process.Pid, "State") == "S (sleeping)"
	}, 5*time.Second, time.Millisecond, "pause never came to wait for signals")
	return cmd
}

func status(t *testing.T, pid int, key string) string {
	t.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return ""
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), key+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func children(t *testing.T, pid int) string {
	t.Helper()
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	require.NoError(t, err)
	return string(list)
}

// pidNamespace makes the child PID 1 of a namespace of its own; who is not root needs a user namespace for that.
func pidNamespace() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
	}
	return attr
}

func TestExitsZeroOnSignal(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		for name, attr := range map[string]*syscall.SysProcAttr{"plain": nil, "pid 1": pidNamespace()} {
			t.Run(signal.String()+" "+name, func(t *testing.T) {
				cmd := run(t, `exec "$PAUSE"`, attr)
				require.NoError(t, cmd.Process.Signal(signal))
				require.NoError(t, cmd.Wait(), "exit code 0")
			})
		}
	}
}

func TestReapsZombies(t *testing.T) {
	for name, attr := range map[string]*syscall.SysProcAttr{"plain": nil, "pid 1": pidNamespace()} {
		t.Run(name, func(t *testing.T) {
			// The sleeps outlive the exec, so they end as children of pause.
			cmd := run(t, `sleep 0.3 & sleep 0.3 & sleep 0.4 & exec "$PAUSE"`, attr)
			require.Len(t, strings.Fields(children(t, cmd.Process.Pid)), 3)
			require.Eventually(t, func() bool { return children(t, cmd.Process.Pid) == "" },
				5*time.Second, 10*time.Millisecond, "zombies were left")
			require.Equal(t, "S (sleeping)", status(t, cmd.Process.Pid, "State"))
		})
	}
}

func TestImage(t *testing.T) {
	require.Equal(t, fmt.Sprintf("dce/pause:%x", sha256.Sum256(binary))[:len("dce/pause:")+12], Image())
	require.Less(t, len(binary), 10<<10, "pause grew: it must not pull in a libc")

	first, err := io.ReadAll(Rootfs())
	require.NoError(t, err)
	second, err := io.ReadAll(Rootfs())
	require.NoError(t, err)
	require.Equal(t, first, second)

	files := tar.NewReader(bytes.NewReader(first))
	header, err := files.Next()
	require.NoError(t, err)
	require.Equal(t, []string{"/" + header.Name}, []string(Config().Entrypoint))
	require.Equal(t, int64(0o755), header.Mode)
	content, err := io.ReadAll(files)
	require.NoError(t, err)
	require.Equal(t, binary, content)
	_, err = files.Next()
	require.ErrorIs(t, err, io.EOF)
}
