package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/docker/go-units"
)

// maxFiles is how many files, directories and links are copied at most.
const maxFiles = 10_000

// tree is what there is to copy, parents before children.
type tree struct {
	dir     string
	entries []entry
	skipped []string // sockets, devices and the like
}

type entry struct {
	path string // relative
	info fs.FileInfo
}

// scan lists a project's directory without .git, and refuses one that is too large before anything is made.
func scan(dir string, limit int64) (tree, error) {
	t := tree{dir: dir}
	var bytes int64
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		switch kind := d.Type(); {
		case kind.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case kind.IsRegular():
			bytes += info.Size()
		case kind != fs.ModeDir && kind != fs.ModeSymlink:
			t.skipped = append(t.skipped, rel)
			return nil
		}
		t.entries = append(t.entries, entry{rel, info})
		if len(t.entries) > maxFiles {
			return badInput("%s holds more than %d files, and all of it would be copied into the sandbox; keep the compose file in a directory with only what the pod needs", dir, maxFiles)
		}
		if bytes > limit {
			return badInput("%s holds more than %s, and all of it would be copied into the sandbox; keep the compose file in a directory with only what the pod needs, or raise --copy-limit", dir, units.BytesSize(float64(limit)))
		}
		return nil
	})
	if err != nil {
		return tree{}, fmt.Errorf("the project can't be copied: %w", err)
	}
	return t, nil
}

// copyTo copies the tree into an existing directory: contents, modes, times and, for root, owners. Symbolic links stay
// what they are.
func (t tree) copyTo(target string) error {
	for _, e := range t.entries {
		if err := e.copy(filepath.Join(t.dir, e.path), filepath.Join(target, e.path)); err != nil {
			return fmt.Errorf("the project can't be copied: %w", err)
		}
	}
	for i := len(t.entries) - 1; i >= 0; i-- { // directories last, which may be read-only
		if e := t.entries[i]; e.info.IsDir() {
			if err := e.dress(filepath.Join(target, e.path)); err != nil {
				return fmt.Errorf("the project can't be copied: %w", err)
			}
		}
	}
	return nil
}

func (e entry) copy(from, to string) error {
	switch {
	case e.info.IsDir():
		return os.Mkdir(to, 0o700)
	case e.info.Mode().Type() == fs.ModeSymlink:
		link, err := os.Readlink(from)
		if err != nil {
			return err
		}
		if err := os.Symlink(link, to); err != nil {
			return err
		}
		return e.own(to)
	}
	source, err := os.OpenFile(from, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer source.Close()
	sink, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(sink, io.LimitReader(source, e.info.Size())) // not more than was counted
	if closed := sink.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return e.dress(to)
}

func (e entry) dress(path string) error {
	if err := e.own(path); err != nil {
		return err
	}
	if err := os.Chmod(path, e.info.Mode()&^fs.ModeType); err != nil { // after chown, which clears setuid
		return err
	}
	return os.Chtimes(path, time.Time{}, e.info.ModTime())
}

func (e entry) own(path string) error {
	stat, ok := e.info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(path, int(stat.Uid), int(stat.Gid))
}
