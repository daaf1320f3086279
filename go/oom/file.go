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
	root, err := os.OpenRoot(sandbox)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	names, err := fs.Glob(root.FS(), strings.TrimSuffix(FileName, ".json")+"*.json")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	var errs []error
	for _, name := range names {
		file, err := read(root, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s: %w", path.Join(sandbox, name), err))
		}
		maps.Copy(out, file.Containers)
	}
	return out, errors.Join(errs...)
}

func read(root *os.Root, name string) (out File, err error) {
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() { // not a pipe that nobody writes to
		return out, errors.Join(err, notRegular(info))
	}
	file, err := root.Open(name)
	if err != nil {
		return out, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(data, &out)
}

func notRegular(info fs.FileInfo) error {
	if info == nil || info.Mode().IsRegular() {
		return nil
	}
	return errors.New("it is not a regular file")
}
