package cgroup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// maxFile bounds what is read of one file. memory.stat and cgroup.procs of thousands of processes stay far below.
const maxFile = 1 << 20

// inside returns the path relative to what the mount shows.
func (hi Hierarchy) inside(p string) (string, error) {
	if hi.Root == "/" || hi.Root == p {
		return strings.TrimPrefix(p, strings.TrimSuffix(hi.Root, "/")), nil
	}
	if rest, ok := strings.CutPrefix(p, hi.Root+"/"); ok {
		return "/" + rest, nil
	}
	return "", &NotMountedError{Controller: strings.Join(hi.Controllers, ","), File: "/proc/self/mountinfo",
		Why: fmt.Sprintf("%s shows only what is below the cgroup %s, not %s", hi.Dir, hi.Root, p)}
}

// name is where a cgroup (and a file in it) is on the file system, for errors.
func (hi Hierarchy) name(p, file string) string {
	if rel, err := hi.inside(p); err == nil {
		p = rel
	}
	return filepath.Join(hi.Dir, p, file)
}

// open opens the directory of a cgroup, one component at a time, so that no symbolic link is followed below the mount on
// any kernel (openat2 needs 5.6).
func (hi Hierarchy) open(p string) (*os.File, error) {
	rel, err := hi.inside(path.Clean(p))
	if err != nil {
		return nil, err
	}
	dir, err := openat(unix.AT_FDCWD, hi.Dir, hi.Dir, unix.O_DIRECTORY, false)
	if err != nil {
		return nil, err
	}
	at := hi.Dir
	for _, part := range parts(path.Clean("/" + rel)) {
		at = filepath.Join(at, part)
		next, err := openat(int(dir.Fd()), part, at, unix.O_DIRECTORY, true)
		dir.Close()
		if err != nil {
			return nil, err
		}
		dir = next
	}
	return dir, nil
}

// openat opens name in the directory at; full is its whole path, for errors.
func openat(at int, name, full string, flags int, nofollow bool) (*os.File, error) {
	flags |= unix.O_CLOEXEC
	if nofollow {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := retry(func() (int, error) { return unix.Openat(at, name, flags, 0) })
	if err != nil {
		return nil, &FileError{"open", full, err}
	}
	return os.NewFile(uintptr(fd), full), nil
}

// retry repeats a system call that a signal interrupted: the Go runtime sends itself signals.
func retry[T any](call func() (T, error)) (T, error) {
	for {
		v, err := call()
		if !errors.Is(err, unix.EINTR) {
			return v, err
		}
	}
}

// read returns the content of a file of a cgroup, without the final newline.
func (hi Hierarchy) read(p, file string) (string, error) {
	dir, err := hi.open(p)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	return readAt(dir, file)
}

func readAt(dir *os.File, file string) (string, error) {
	full := filepath.Join(dir.Name(), file)
	f, err := openat(int(dir.Fd()), file, full, unix.O_RDONLY, true)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return "", &FileError{"read", full, cause(err)}
	case len(data) > maxFile:
		return "", &ValueError{full, string(data[:40]) + "…", "less than a megabyte"}
	}
	return strings.TrimSuffix(string(data), "\n"), nil
}

// write writes one value in one call, as the kernel wants it.
func (hi Hierarchy) write(p, file, value string) error {
	dir, err := hi.open(p)
	if err != nil {
		return err
	}
	defer dir.Close()
	return writeAt(dir, file, value)
}

func writeAt(dir *os.File, file, value string) error {
	full := filepath.Join(dir.Name(), file)
	f, err := openat(int(dir.Fd()), file, full, unix.O_WRONLY|unix.O_TRUNC, true)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
		return &FileError{fmt.Sprintf("write %q to", value), full, cause(err)}
	}
	return nil
}

// subdirs lists the children of an open cgroup directory. Links are none.
func subdirs(dir *os.File) ([]string, error) {
	entries, err := dir.ReadDir(-1)
	if err != nil {
		return nil, &FileError{"list", dir.Name(), cause(err)}
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out, nil
}
