package harness

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// NewRoot is a name for an agent's --cgroups_root that nobody else has: dce-<kind>-<pid of this process>-<random>.
func NewRoot(kind string) string {
	return fmt.Sprintf("dce-%s-%d-%s", kind, os.Getpid(), uuid.NewString()[:8])
}

// Cgroups lists the directories below a root of cgroups, in all hierarchies. The root itself an agent leaves.
func Cgroups(root string) []string {
	var out []string
	for _, dir := range directories(root) {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && path != dir {
				out = append(out, path)
			}
			return nil // what vanishes meanwhile is not there
		})
	}
	return out
}

// Tree lists a cgroup and all below it, parents first, in all hierarchies.
func Tree(root string) []string { return append(directories(root), Cgroups(root)...) }

// RemoveRoot removes a root with all that is empty below it, in all hierarchies: also in those that only an engine has used.
func RemoveRoot(root string) {
	for _, dir := range Tree(root) {
		defer func() { _ = unix.Rmdir(dir) }() // the deepest first
	}
}

// directories of a cgroup in all hierarchies of v1, and in the one of v2.
func directories(pattern string) []string {
	var out []string
	for _, above := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		found, err := filepath.Glob(above + pattern)
		if err != nil {
			panic(err) // no name of ours is a bad pattern
		}
		out = append(out, found...)
	}
	return out
}

var ofProcess = regexp.MustCompile(`^dce-[a-z]+-([0-9]+)-[0-9a-f]{8}$`)

// removeStale removes the roots that killed tests left.
func removeStale() {
	var roots []string
	for _, dir := range directories("dce-*") {
		name := filepath.Base(dir)
		if pid := ofProcess.FindStringSubmatch(name); pid != nil && unix.Access("/proc/"+pid[1], unix.F_OK) != nil {
			roots = append(roots, name)
		}
	}
	slices.Sort(roots)
	for _, root := range slices.Compact(roots) {
		RemoveRoot(root)
	}
}
