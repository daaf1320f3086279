// Package debian fetches programs from Debian's packages without installing them: an installed server would be started, and
// stay. It is for tests and the example only.
package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Unpack downloads a Debian package and unpacks it below build/cache, together with the package needs and all that this one
// depends on (none if empty). It returns the folder; a second call finds it there.
func Unpack(ctx context.Context, checkout, name, needs string) (string, error) {
	dir := filepath.Join(checkout, "build", "cache", name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "", fmt.Errorf("%s comes from Debian's packages and there is no apt-get here: use Debian or Ubuntu, or a container of one", name)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	// Built beside its place and renamed, so that an interrupted one is never taken for whole.
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "."+name+"-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	names := []string{name}
	if needs != "" {
		more, err := dependencies(ctx, tmp, needs)
		if err != nil {
			return "", err
		}
		names = append(names, more...)
	}
	if _, err := apt(ctx, tmp, append([]string{"download"}, names...)...); err != nil {
		return "", err
	}
	debs, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil {
		return "", err
	}
	for _, deb := range debs {
		if said, err := exec.CommandContext(ctx, "dpkg-deb", "-x", deb, filepath.Join(tmp, "root")).CombinedOutput(); err != nil {
			return "", fmt.Errorf("dpkg-deb -x %s: %w: %s", deb, err, said)
		}
	}
	return dir, os.Rename(filepath.Join(tmp, "root"), dir)
}

// dependencies lists a package and all that it depends on, as if nothing were installed.
func dependencies(ctx context.Context, tmp, name string) ([]string, error) {
	out, err := apt(ctx, tmp, "install", "--print-uris", "--no-install-recommends", "-o", "Dir::State::status=/dev/null",
		"-o", "Dir::Cache="+tmp, name)
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(out) {
		// 'URI' name_version_architecture.deb size checksum
		if fields := strings.Fields(line); len(fields) >= 3 && strings.HasPrefix(fields[0], "'") {
			pkg, _, _ := strings.Cut(fields[1], "_")
			names = append(names, pkg)
		}
	}
	return names, nil
}

// apt runs apt-get in dir; where the package lists are missing or old, it updates them and tries once more.
func apt(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := aptOnce(ctx, dir, args...)
	if err == nil {
		return out, nil
	}
	if _, updateErr := aptOnce(ctx, dir, "update"); updateErr != nil {
		return "", errors.Join(err, updateErr)
	}
	return aptOnce(ctx, dir, args...)
}

func aptOnce(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-y", "-o", "APT::Sandbox::User=root"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "LC_") || strings.HasPrefix(kv, "LANG") }), "LC_ALL=C")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("apt-get %s: %w: %s; look at the network and at the package sources of this machine", args[0], err, strings.TrimSpace(string(exit.Stderr)))
	}
	return string(out), err
}
