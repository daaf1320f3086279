package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
)

// project is what is copied into the sandbox.
type project struct {
	dir   string   // absolute
	files []string // as named with -f, relative to dir; none for compose's own default names
}

// findProject takes the directory of the first file, or the nearest one from cwd upwards that has a file with one of
// compose's default names.
func findProject(cwd string, files []string) (project, error) {
	if len(files) == 0 {
		for dir := cwd; ; dir = filepath.Dir(dir) {
			for _, name := range cli.DefaultFileNames {
				if isFile(filepath.Join(dir, name)) == nil {
					return project{dir: dir}, nil
				}
			}
			if dir == filepath.Dir(dir) {
				return project{}, badInput("there is no %s in %s or above; name a compose file with -f",
					strings.Join(cli.DefaultFileNames, ", "), cwd)
			}
		}
	}
	var p project
	for _, file := range files {
		if file == "-" {
			return project{}, badInput("-f - is not supported, because a task's files are fetched into its sandbox; write the compose file to disk")
		}
		if file == "" {
			return project{}, badInput("-f names no file; name a compose file")
		}
		path := file
		if !filepath.IsAbs(path) {
			path = filepath.Join(cwd, file)
		}
		if err := isFile(path); err != nil {
			return project{}, badInput("the compose file %s can't be read: %v", file, err)
		}
		if p.dir == "" {
			p.dir = filepath.Dir(path)
		}
		inside, err := filepath.Rel(p.dir, path)
		if err != nil || !filepath.IsLocal(inside) {
			return project{}, badInput("the compose file %s is not in %s, the directory of the first -f file, which becomes the sandbox; put them together or name the outer one first", file, p.dir)
		}
		if strings.Contains(inside, ",") {
			return project{}, badInput("the compose file %s has a comma in its name, which separates files in a task's label; rename it", file)
		}
		p.files = append(p.files, inside)
	}
	return p, nil
}

func isFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("it does not exist")
	case err != nil:
		return errors.Unwrap(err)
	case !info.Mode().IsRegular():
		return errors.New("it is no regular file")
	}
	return nil
}
