package kernel

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Image returns the newest kernel of a series ("5.10") of a Debian suite ("bullseye"), as Debian builds it for clouds. It comes
// with apt from the mirrors that this machine is set up for, with the name of the suite changed, and is kept below build/cache.
// Nothing is installed, and apt's own state is left alone.
func Image(ctx context.Context, checkout, suite, series string) (string, error) {
	file := filepath.Join(checkout, "build", "cache", "kernel-"+series)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(filepath.Dir(file), ".kernel-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	deb, err := Package(ctx, dir, suite, series)
	if err != nil {
		return "", fmt.Errorf("%w; or put a kernel at %s", err, file)
	}
	tmp := filepath.Join(dir, "vmlinuz")
	if err := unpack(ctx, deb, tmp); err != nil {
		return "", err
	}
	return file, os.Rename(tmp, file)
}

// Package downloads Debian's package of such a kernel, with its modules, into a folder, and returns its path there.
func Package(ctx context.Context, dir, suite, series string) (string, error) {
	for _, program := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("the kernel %s comes from Debian's packages and there is no %s here: use Debian", series, program)
		}
	}
	sources, err := otherSuite("/etc", suite)
	if err != nil {
		return "", err
	}
	for _, d := range []string{"parts", "state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return "", err
		}
	}
	for name, content := range sources {
		if err := os.WriteFile(filepath.Join(dir, "parts", name), []byte(content), 0o644); err != nil {
			return "", err
		}
	}
	if _, err := apt(ctx, dir, "apt-get", "update"); err != nil {
		return "", err
	}
	names, err := apt(ctx, dir, "apt-cache", "search", "--names-only", "^linux-image-"+regexp.QuoteMeta(series)+`\.0-[0-9]+-cloud-amd64-unsigned$`)
	if err != nil {
		return "", err
	}
	name := ""
	err = fmt.Errorf("the mirrors of this machine have no kernel %s.0-*-cloud-amd64-unsigned of Debian %s", series, suite)
	for _, name = range newestFirst(names) { // a mirror may list more than it has
		if _, err = apt(ctx, dir, "apt-get", "download", name); err == nil {
			break
		}
	}
	if err != nil {
		return "", err
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		return "", fmt.Errorf("apt-get download %s left %v: %w", name, debs, err)
	}
	return debs[0], nil
}

// otherSuite returns the machine's sources of Debian packages by file name, with another suite in place of its own. Updates and
// backports are left out: other suites may not have them.
func otherSuite(etc, suite string) (map[string]string, error) {
	release, err := os.ReadFile(filepath.Join(etc, "os-release"))
	if err != nil {
		return nil, err
	}
	own := ""
	for line := range strings.Lines(string(release)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			own = strings.Trim(v, `"`)
		}
	}
	if own == "" || !strings.Contains(string(release), "ID=debian") {
		return nil, fmt.Errorf("%s/os-release is not that of a Debian release: the kernels to test come from the mirrors of one", etc)
	}
	files, err := filepath.Glob(filepath.Join(etc, "apt/sources.list.d/*"))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, file := range append(files, filepath.Join(etc, "apt/sources.list")) {
		content, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if text := changeSuite(string(content), strings.HasSuffix(file, ".sources"), own, suite); text != "" {
			out[filepath.Base(file)] = text
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s/apt has no sources of Debian %s to get the suite %s from", etc, own, suite)
	}
	return out, nil
}

// changeSuite keeps the entries of the suite own and of its security updates, and names the other one instead.
func changeSuite(content string, deb822 bool, own, suite string) string {
	var out []string
	if !deb822 {
		for line := range strings.Lines(content) {
			for _, s := range []string{own, own + "-security"} {
				if f := strings.Fields(line); len(f) > 0 && f[0] == "deb" && slices.Contains(f, s) {
					out = append(out, strings.Replace(strings.TrimSpace(line), " "+s+" ", " "+strings.Replace(s, own, suite, 1)+" ", 1))
				}
			}
		}
		return strings.Join(out, "\n")
	}
	for stanza := range strings.SplitSeq(content, "\n\n") {
		var lines []string
		ours := false
		for line := range strings.SplitSeq(stanza, "\n") {
			if suites, ok := strings.CutPrefix(line, "Suites:"); ok {
				line = "Suites:"
				for s := range strings.FieldsSeq(suites) {
					if s == own || s == own+"-security" {
						line, ours = line+" "+strings.Replace(s, own, suite, 1), true
					}
				}
			}
			lines = append(lines, line)
		}
		if ours {
			out = append(out, strings.Join(lines, "\n"))
		}
	}
	return strings.Join(out, "\n\n")
}

// newestFirst sorts lines "linux-image-5.10.0-46-cloud-amd64-unsigned - …".
func newestFirst(lines string) (names []string) {
	abi := func(name string) int {
		if parts := strings.Split(name, "-"); len(parts) > 3 {
			if n, err := strconv.Atoi(parts[3]); err == nil {
				return n
			}
		}
		return -1
	}
	for line := range strings.Lines(lines) {
		if name, _, _ := strings.Cut(line, " "); abi(name) >= 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return abi(b) - abi(a) })
	return names
}

// apt runs a program of apt on sources and state of our own.
func apt(ctx context.Context, dir, program string, args ...string) (string, error) {
	args = append([]string{
		"-q", "-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=" + filepath.Join(dir, "parts"),
		"-o", "Dir::State=" + filepath.Join(dir, "state"), "-o", "Dir::State::Status=/dev/null", "-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "APT::Sandbox::User=root", "-o", "APT::Architecture=amd64", "-o", "Acquire::Languages=none",
	}, args...)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if exit := (&exec.ExitError{}); errors.As(err, &exit) {
		return "", fmt.Errorf("%s: %w: %s; look at the network and at the package sources of this machine", program, err, strings.TrimSpace(string(exit.Stderr)))
	}
	return string(out), err
}

// unpack takes the kernel out of a package.
func unpack(ctx context.Context, deb, to string) error {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }() // the rest is not wanted
	for archive := tar.NewReader(pipe); ; {
		entry, err := archive.Next()
		if err != nil {
			return fmt.Errorf("%s has no boot/vmlinuz: %w", deb, err)
		}
		if !strings.HasPrefix(path.Clean("/"+entry.Name), "/boot/vmlinuz-") {
			continue
		}
		file, err := os.Create(to)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, archive)
		return errors.Join(err, file.Close())
	}
}
