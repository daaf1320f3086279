package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"
)

// maxFile bounds a compose file. The model of a file takes some twenty times its size, and the executor lives in the
// pod's own memory limit.
const maxFile = 1 << 20

// Source says which files to load. Nothing else is read: no process environment, no parent folder.
type Source struct {
	Dir      string            // the sandbox, absolute: what every relative path starts from
	Files    []string          // compose files in the order in which they are merged; none: compose's default names in Dir
	Profiles []string          // active profiles; none: those of COMPOSE_PROFILES
	Env      map[string]string // for interpolation; wins over .env in Dir
	Model    map[string]any    // in place of files: what one would hold, word for word, without variables; Files is what errors call it
	Name     string            // project name, for COMPOSE_PROJECT_NAME and default names; empty: from the base name of Dir
}

// environment is Env, then what .env in Dir adds.
func (s Source) environment() (types.Mapping, error) {
	env := types.Mapping(maps.Clone(s.Env))
	if env == nil {
		env = types.Mapping{}
	}
	if s.Model != nil {
		return env, nil
	}
	if _, set := env["PWD"]; !set {
		env["PWD"] = s.Dir // compose sets it, files use it
	}
	path := filepath.Join(s.Dir, ".env")
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return env, nil // compose's rule too: the file is an offer
	}
	more, err := dotenv.GetEnvFromFile(env, []string{path})
	if err != nil {
		return nil, &Error{File: ".env", Problem: "can't be read: " + strings.TrimPrefix(s.shorten(err.Error()), "failed to read .env: "), Fix: "write it as lines of NAME=value"}
	}
	return env.Merge(more), nil
}

// Given names the files that Load would read: those that the source names, or else those of compose's default names that
// are there. There may be none.
func (s Source) Given() ([]string, error) {
	env, err := s.environment()
	if err != nil {
		return nil, err
	}
	named, _ := s.given(env)
	return named, nil
}

func (s Source) given(env types.Mapping) (named, warnings []string) {
	named = s.Files
	if len(named) == 0 && env[consts.ComposeFilePath] != "" {
		separator := env[consts.ComposePathSeparator]
		if separator == "" {
			separator = string(os.PathListSeparator)
		}
		named = strings.Split(env[consts.ComposeFilePath], separator)
	}
	if len(named) == 0 {
		return s.defaults()
	}
	return named, nil
}

// files returns the files to load, with content, and a warning where there was a choice.
func (s Source) files(env types.Mapping) (files []types.ConfigFile, warnings []string, err error) {
	named, warnings := s.given(env)
	if s.Model != nil {
		return []types.ConfigFile{{Filename: filepath.Join(s.Dir, strings.Join(named, ",")), Config: s.Model}}, nil, nil
	}
	if len(named) == 0 {
		return nil, nil, &Error{
			Problem: "there is no compose file in the sandbox, where " + strings.Join(cli.DefaultFileNames, ", ") +
				" were looked for, and the task has no container",
			Fix: "fetch a file into the sandbox or name it with the label fileName, or name a Docker image in TaskInfo.container",
		}
	}
	for _, name := range named {
		name = strings.TrimSpace(name)
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(s.Dir, path)
		}
		content, err := s.read(name, path)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, types.ConfigFile{Filename: path, Content: content})
	}
	return files, warnings, nil
}

// defaults finds what compose finds in a folder: one file and its override (cli.WithDefaultConfigPath, without parents).
func (s Source) defaults() (names, warnings []string) {
	for _, candidates := range [][]string{cli.DefaultFileNames, cli.DefaultOverrideFileNames} {
		var found []string
		for _, name := range candidates {
			if _, err := os.Stat(filepath.Join(s.Dir, name)); err == nil {
				found = append(found, name)
			}
		}
		if len(found) == 0 {
			break // no override without a file
		}
		if len(found) > 1 {
			warnings = append(warnings, fmt.Sprintf("of %s the first is used", strings.Join(found, ", ")))
		}
		names = append(names, found[0])
	}
	return names, warnings
}

func (s Source) read(name, path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Error{File: name, Problem: "does not exist", Fix: "fetch it into the sandbox, or correct the label fileName"}
	case err != nil:
		return nil, &Error{File: name, Problem: "can't be read: " + cause(err).Error(), Fix: "check its path and its permissions"}
	case !info.Mode().IsRegular():
		return nil, &Error{File: name, Problem: "is not a file", Fix: "name a compose file"}
	case info.Size() > maxFile:
		return nil, &Error{File: name, Problem: fmt.Sprintf("is larger than %d KiB", maxFile>>10), Fix: "split it into several tasks"}
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{File: name, Problem: "can't be read: " + cause(err).Error(), Fix: "check its path and its permissions"}
	}
	return content, nil
}

// shorten takes the sandbox out of a text: its path is long, and the user did not write it.
func (s Source) shorten(text string) string { return strings.ReplaceAll(text, s.Dir+"/", "") }
