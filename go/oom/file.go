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

// maxFile bounds what is read of one.
const maxFile = 1 << 20

// Containers reads the services of all containers of an executor from its sandbox. No file is no error.
func Containers(sandbox string) (map[string]string, error) {
	out := map[string]string{}
	files, err := readAll(sandbox)
	for _, file := range files {
		maps.Copy(out, file.Containers)
	}
	return out, err
}

// Last reads the latest kill that an executor noted in its sandbox. ok is false where there is none since then.
func Last(sandbox string, since time.Time) (last Kill, ok bool, err error) {
	files, err := readAll(sandbox)
	for _, file := range files {
		for _, kill := range file.Kills {
			if !kill.At.Before(since) && (!ok || kill.At.After(last.At)) {
				last, ok = kill, true
			}
		}
	}
	return last, ok, err
}

// readAll reads the files of all pods of an executor; what can't be read is left out, and in the error.
func readAll(sandbox string) (out []File, err error) {
	root, err := os.OpenRoot(sandbox)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	names, err := fs.Glob(root.FS(), strings.TrimSuffix(FileName, ".json")+"*.json")
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, name := range names {
		file, err := read(root, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s: %w", path.Join(sandbox, name), err))
			continue
		}
		out = append(out, file)
	}
	return out, errors.Join(errs...)
}

func read(root *os.Root, name string) (out File, err error) {
	file, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0) // not to wait for a pipe that nobody writes to
	if err != nil {
		return out, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return out, err
	}
	if !info.Mode().IsRegular() {
		return out, errors.New("it is not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(data, &out)
}
