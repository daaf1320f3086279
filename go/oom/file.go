package oom

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// FileName is the file of the first pod of an executor; those of others have the pod's id before the ending.
const FileName = "oom.json"

// File is what the executor keeps in the sandbox. Containers may write to the sandbox, so it informs, and proves nothing.
type File struct {
	Containers map[string]string `json:"containers"` // service by Docker's id
	Kills      []Kill            `json:"kills"`
}

// What is read of one sandbox at most, so that a container which fills it takes no more memory of the reader, who may be an agent.
// What executors write is far smaller.
const (
	maxFile  = 128 << 10   // of one file
	maxAll   = 4 * maxFile // of all
	maxFiles = 64
	maxNames = 1 << 16 // in the folder
)

// Containers reads the services of all containers of an executor from its sandbox. No file is no error.
func Containers(sandbox string) (map[string]string, error) {
	out := map[string]string{}
	err := visit(sandbox, func(file File) { maps.Copy(out, file.Containers) })
	return out, err
}

// Noted reads the kill that outweighs the others, of those that an executor noted in its sandbox since a time. ok is false where there
// is none.
func Noted(sandbox string, since time.Time) (cause Kill, ok bool, err error) {
	err = visit(sandbox, func(file File) {
		for _, kill := range file.Kills {
			if !kill.At.Before(since) && (!ok || kill.Outweighs(cause)) {
				cause, ok = kill, true
			}
		}
	})
	return cause, ok, err
}

// visit reads the files of all pods of an executor, one after the other; what can't be read is left out, and in the error.
func visit(sandbox string, see func(File)) error {
	root, err := os.OpenRoot(sandbox)
	if err != nil {
		return err
	}
	defer root.Close()
	names, err := list(root)
	errs := []error{err}
	left := maxAll
	for _, name := range names {
		file, size, err := read(root, name, min(left, maxFile))
		left -= size
		switch {
		case err == nil:
			see(file)
		case !errors.Is(err, fs.ErrNotExist):
			errs = append(errs, fmt.Errorf("%s: %w", path.Join(sandbox, name), err))
		}
	}
	return errors.Join(errs...)
}

// list names the files, the first pod's first.
func list(root *os.Root) ([]string, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names := []string{FileName}
	for seen := 0; ; {
		some, err := dir.Readdirnames(256)
		for _, name := range some {
			if ours, _ := path.Match(strings.TrimSuffix(FileName, ".json")+"*.json", name); ours && name != FileName {
				names = append(names, name)
			}
		}
		seen += len(some)
		switch {
		case errors.Is(err, io.EOF):
			return names, nil
		case err != nil:
			return names, err
		case len(names) > maxFiles, seen > maxNames:
			return names[:min(len(names), maxFiles)], fmt.Errorf("%s has more files than are looked at", root.Name())
		}
	}
}

// read reads a file that is no larger than most, and says how large it is.
func read(root *os.Root, name string, most int) (out File, size int, err error) {
	file, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0) // not to wait for a pipe that nobody writes to
	if err != nil {
		return out, 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return out, 0, err
	}
	if !info.Mode().IsRegular() {
		return out, 0, errors.New("it is not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	switch {
	case err != nil:
		return out, len(data), err
	case len(data) > most:
		return out, most, fmt.Errorf("it is too large: of one such file %d kB are read, and of all together %d kB", maxFile>>10, maxAll>>10)
	}
	err = json.Unmarshal(data, &out)
	return out, len(data), err
}
