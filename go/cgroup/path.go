package cgroup

import (
	"path"
	"slices"
	"strings"
)

// clean returns p as an absolute path without a trailing slash ("/" stays). Relative paths are taken from the root, as Mesos
// does with --cgroups_root.
func clean(p string) (string, error) {
	switch {
	case p == "":
		return "", &PathError{p, "is empty"}
	case strings.ContainsRune(p, 0):
		return "", &PathError{p, "holds a NUL byte"}
	case slices.Contains(strings.Split(p, "/"), ".."):
		return "", &PathError{p, "holds \"..\""}
	}
	return path.Clean("/" + p), nil
}

// cleanOwn is clean for what is made or removed: the root is nobody's to make or remove.
func cleanOwn(p string) (string, error) {
	p, err := clean(p)
	if err == nil && p == "/" {
		return "", &PathError{p, "is the root of the hierarchy"}
	}
	return p, err
}

// parts splits a clean path; the root has none.
func parts(p string) []string {
	if p == "/" {
		return nil
	}
	return strings.Split(p[1:], "/")
}
