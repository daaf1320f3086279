package kernel

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/box"
)

// result is a line of the guest; see guest/main.go.
type result struct {
	Check  string  `json:"check"`
	OK     bool    `json:"ok"`
	Detail string  `json:"detail,omitempty"`
	Took   float64 `json:"seconds"`
}

const prefix = "RESULT "

// TestKernels boots each kernel and shows one line a check; build/kernel/<version>.json has all of it for programs, and
// build/kernel/<version>.log what the kernel said.
func TestKernels(t *testing.T) {
	checkout, err := box.Checkout()
	require.NoError(t, err)
	_, err = exec.LookPath("qemu-system-x86_64")
	require.NoError(t, err, "this test boots kernels: install qemu (apt-get install qemu-system-x86), or run make test-kernel, which does")
	out := filepath.Join(checkout, "build", "kernel")
	require.NoError(t, os.MkdirAll(out, 0o755))
	archive := filepath.Join(t.TempDir(), "initramfs")
	require.NoError(t, os.WriteFile(archive, guest(t, checkout), 0o644))
	for _, k := range []struct{ series, suite, cgroups string }{
		{"5.10", "bullseye", "v1"}, // the last long-term kernel with memory.use_hierarchy 0
		{"6.1", "bookworm", "v2"},
	} {
		t.Run(k.series+" "+k.cgroups, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
			defer cancel()
			image, err := Image(ctx, checkout, k.suite, k.series)
			require.NoError(t, err)
			results, log := boot(t, image, archive, k.cgroups)
			name := filepath.Join(out, k.series)
			require.NoError(t, os.WriteFile(name+".log", []byte(log), 0o644))
			data, err := json.MarshalIndent(results, "", "  ")
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(name+".json", append(data, '\n'), 0o644))
			for _, r := range results {
				word := map[bool]string{true: "ok  ", false: "FAIL"}[r.OK]
				fmt.Printf("%s %s %s: %s\n", word, k.series, r.Check, r.Detail)
				if !r.OK {
					t.Errorf("%s: %s", r.Check, r.Detail)
				}
			}
			require.NotEmpty(t, results, "the guest said nothing; the kernel said: %s", tail(log))
			require.Equal(t, "end", results[len(results)-1].Check, "the guest did not come to its end; the kernel said: %s", tail(log))
		})
	}
}

// guest builds the program and puts it into an archive.
func guest(t *testing.T, checkout string) []byte {
	t.Helper()
	program := filepath.Join(t.TempDir(), "guest")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "./tests/kernel/guest")
	build.Dir = checkout
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOARCH=amd64", "GOOS=linux")
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s", said)
	archive, err := initramfs(program)
	require.NoError(t, err)
	return archive
}

// boot runs one guest to its end and returns its results with all that came over the console.
func boot(t *testing.T, image, archive, cgroups string) (results []result, log string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "nice", "-n", "10", "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "384", "-smp", "1",
		"-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", image, "-initrd", archive,
		"-append", "console=ttyS0 quiet panic=-1 random.trust_cpu=on tsc=reliable cgroups="+cgroups)
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	var all strings.Builder
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		line := strings.TrimRight(lines.Text(), "\r")
		all.WriteString(line + "\n")
		_, text, ok := strings.Cut(line, prefix)
		if !ok {
			continue
		}
		var r result
		require.NoError(t, json.Unmarshal([]byte(text), &r), "%s", line)
		results = append(results, r)
	}
	require.NoError(t, cmd.Wait(), "qemu: %s", tail(all.String()))
	return results, all.String()
}

func tail(s string) string { return s[max(0, len(s)-2000):] }
