package images

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/dce-go/dce/tests/debian"
)

// applets are the names under which the busybox image has its one program.
var applets = []string{
	"cat", "chmod", "cp", "cut", "date", "dd", "echo", "env", "false", "grep", "head", "hostname", "httpd", "id", "ip", "kill",
	"ln", "ls", "mkdir", "mount", "mv", "nc", "nslookup", "ping", "ps", "pwd", "readlink", "rm", "sed", "seq", "sh", "sleep",
	"sort", "stat", "stty", "sync", "tail", "tee", "test", "time", "timeout", "touch", "tr", "true", "uname", "usleep", "wc",
	"wget", "which", "whoami", "xargs", "yes",
}

func busybox(ctx context.Context, checkout string) (tree, error) {
	debs, err := debian.Unpack(ctx, checkout, "busybox-static", "")
	if err != nil {
		return nil, err
	}
	bin, err := program("bin/busybox", filepath.Join(debs, "bin", "busybox"))
	if errors.Is(err, fs.ErrNotExist) { // from Debian 13 on
		bin, err = program("bin/busybox", filepath.Join(debs, "usr", "bin", "busybox"))
	}
	if err != nil {
		return nil, err
	}
	t := append(base(), bin)
	for _, name := range applets {
		t = append(t, link("bin/"+name, "busybox"))
	}
	return t.withParents(), nil
}

// redis holds the server, the client and the shared libraries that they need, and nothing else.
func redis(ctx context.Context, checkout string) (tree, error) {
	debs, err := debian.Unpack(ctx, checkout, "redis-server", "redis-tools")
	if err != nil {
		return nil, err
	}
	t := append(base(), dir("data", 0o755, 999))
	files, err := closure(debs, "usr/bin/redis-server", "usr/bin/redis-cli")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		e, err := program(f.path, f.source)
		if err != nil {
			return nil, err
		}
		t = append(t, e)
	}
	return t.withParents(), nil
}

// visits builds the example's application as a static program.
func visits(ctx context.Context, checkout string) (tree, error) {
	out := filepath.Join(checkout, "build", "images", "visits")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "./tests/examples/visits")
	build.Dir = checkout
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build ./tests/examples/visits: %w: %s", err, strings.TrimSpace(string(said)))
	}
	bin, err := program("visits", out)
	if err != nil {
		return nil, err
	}
	return append(base(), bin), nil
}
