package images

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// file is one file of a closure: its path in the image and where its content is on this machine.
type file struct{ path, source string }

// closure returns the programs, their loader and the shared libraries that they need, by their ELF headers, from the root
// file system at root. Paths in the image are those that the loader looks at.
func closure(root string, programs ...string) ([]file, error) {
	libraries, err := findLibraries(root)
	if err != nil {
		return nil, err
	}
	var out []file
	seen := map[string]bool{}
	todo := slices.Clone(programs)
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		source, err := resolve(root, path)
		if err != nil {
			return nil, err
		}
		out = append(out, file{path, source})
		loader, needed, err := header(source)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		if loader != "" {
			todo = append(todo, loader)
		}
		for _, name := range needed {
			lib, ok := libraries[name]
			if !ok {
				return nil, fmt.Errorf("%s needs %s, which none of the packages has", path, name)
			}
			todo = append(todo, lib)
		}
	}
	slices.SortFunc(out, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return out, nil
}

// findLibraries maps names such as libc.so.6 to their paths below root.
func findLibraries(root string) (map[string]string, error) {
	out := map[string]string{}
	return out, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(d.Name(), ".so") {
			return err
		}
		rel, err := filepath.Rel(root, path)
		// Only the loader's own folders, not those of plug-ins further down.
		if strings.Count(rel, "/") <= 3 {
			out[d.Name()] = rel
		}
		return err
	})
}

// resolve follows links as they are meant, inside root.
func resolve(root, path string) (string, error) {
	for range 8 {
		full := filepath.Join(root, path)
		info, err := os.Lstat(full)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return full, nil
		}
		target, err := os.Readlink(full)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			path = target
		} else {
			path = filepath.Join(filepath.Dir(path), target)
		}
	}
	return "", fmt.Errorf("%s: too many links", path)
}

// header reads what one ELF file needs: the loader's path without its leading slash, and the names of libraries.
func header(path string) (loader string, needed []string, err error) {
	f, err := elf.Open(path)
	if err != nil {
		return "", nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			name, err := io.ReadAll(p.Open())
			if err != nil {
				return "", nil, err
			}
			loader = strings.Trim(string(name), "/\x00")
		}
	}
	needed, err = f.ImportedLibraries()
	return loader, needed, err
}
