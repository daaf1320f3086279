package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/dce-go/dce/tests/images"
)

// Disk makes the guest's second disk, which is /test there: our programs in bin, the tests of package engine, images, and the files of extra by the path that
// they get. It is made anew for each guest, of what the checkout has now. imports are the commands that load the images.
func Disk(ctx context.Context, checkout, dir string, extra map[string]string) (disk string, imports [][]string, err error) {
	root := filepath.Join(dir, "test")
	if err := os.MkdirAll(filepath.Join(root, "bin"), 0o755); err != nil {
		return "", nil, err
	}
	for name, pkg := range map[string]string{"inside": "./tests/guest/inside", "bin/dce": "./go/cmd/dce", "bin/dce-executor": "./go/cmd/dce-executor"} {
		if err := compile(ctx, checkout, "build", "-trimpath", filepath.Join(root, name), pkg); err != nil {
			return "", nil, err
		}
	}
	if err := compile(ctx, checkout, "test", "-c", filepath.Join(root, "engine.test"), "./go/engine"); err != nil {
		return "", nil, err
	}
	if imports, err = archives(ctx, checkout, root); err != nil {
		return "", nil, err
	}
	for to, from := range extra {
		to = filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return "", nil, err
		}
		if err := run(ctx, "cp", "-L", from, to); err != nil {
			return "", nil, err
		}
	}
	disk = filepath.Join(dir, "test.img")
	return disk, imports, run(ctx, "mke2fs", "-q", "-t", "ext4", "-d", root, disk, "512M")
}

// compile makes a program that needs no library: `go build`, or `go test -c` for the tests of a package.
func compile(ctx context.Context, checkout, command, flag, to, pkg string) error {
	cmd := exec.CommandContext(ctx, "nice", "-n", "10", "go", command, flag, "-ldflags", "-s -w", "-o", to, pkg)
	cmd.Dir, cmd.Env = checkout, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOOS=linux", "GOARCH=amd64")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s %s: %w: %s", command, pkg, err, strings.TrimSpace(string(said)))
	}
	return nil
}

func archives(ctx context.Context, checkout, root string) (imports [][]string, err error) {
	for _, ref := range []string{images.Busybox, images.Redis, images.Visits} {
		name := filepath.Base(ref) + ".tar"
		file, err := os.Create(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		changes, err := images.Archive(ctx, checkout, ref, file)
		if err = errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
		args := []string{"docker", "import"}
		for _, line := range changes {
			args = append(args, "--change", line)
		}
		imports = append(imports, append(args, "/test/"+name, ref))
	}
	return imports, nil
}
