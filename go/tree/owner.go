package tree

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/cgroup"
)

// Owner is whose a tree is: a run of an executor, of the agent with that work_dir. None of the four may hold a line break.
type Owner struct {
	Scope, Framework, Executor, Container string
}

// Claimed is a tree that says whose it is.
type Claimed struct {
	Path string
	Owner
	Since time.Time // when something was last made or removed in it
}

// ownerAttribute is only for root to set and to see, so that it proves whose a tree is that has no container (yet), and would
// otherwise be left for ever when its executor dies.
const ownerAttribute = "trusted.dce.owner"

// Claim writes down whose the tree is. Who is not root, and kernels that keep no attributes, leave it without.
func (t Tree) Claim(o Owner) error {
	text := strings.Join([]string{o.Scope, o.Framework, o.Executor, o.Container}, "\n")
	return eachDir(t.Host, t.Path, func(dir *os.File) error {
		err := unix.Fsetxattr(int(dir.Fd()), ownerAttribute, []byte(text), 0)
		if err != nil && !unattributed(err) {
			return &cgroup.FileError{Op: "set the owner of", File: dir.Name(), Err: err}
		}
		return nil
	})
}

// Owned lists the trees of this host that say whose they are, sorted by path.
func Owned(host *cgroup.Host) ([]Claimed, error) {
	var out []Claimed
	for _, root := range []string{Root, SliceRoot} {
		names, err := host.Children(root)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			one := Claimed{Path: path.Join(root, name)}
			if !Ours(one.Path) {
				continue
			}
			if err := eachDir(host, one.Path, one.read); err != nil {
				return nil, err
			}
			if one.Container != "" && slices.Contains(Paths(one.Container), one.Path) {
				out = append(out, one)
			}
		}
	}
	return out, nil
}

// read takes what a directory of the tree says, and of several the youngest.
func (c *Claimed) read(dir *os.File) error {
	text := make([]byte, 4*4096)
	n, err := unix.Fgetxattr(int(dir.Fd()), ownerAttribute, text)
	var s unix.Stat_t
	if err == nil {
		err = unix.Fstat(int(dir.Fd()), &s)
	}
	switch {
	case unattributed(err):
		return nil
	case err != nil:
		return &cgroup.FileError{Op: "read the owner of", File: dir.Name(), Err: err}
	}
	if f := strings.Split(string(text[:n]), "\n"); len(f) == 4 {
		c.Owner = Owner{f[0], f[1], f[2], f[3]}
	}
	if since := time.Unix(s.Mtim.Unix()); since.After(c.Since) {
		c.Since = since
	}
	return nil
}

// eachDir visits the directories of a cgroup in all hierarchies that have it.
func eachDir(host *cgroup.Host, p string, visit func(*os.File) error) error {
	for _, hi := range host.Hierarchies() {
		dir, err := host.OpenDir(hi.Controllers[0], p)
		var unmounted *cgroup.NotMountedError
		if errors.Is(err, fs.ErrNotExist) || errors.As(err, &unmounted) {
			continue
		}
		if err == nil {
			err = visit(dir)
			dir.Close()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unattributed says that there is no such attribute, for us or at all.
func unattributed(err error) bool {
	return errors.Is(err, unix.ENODATA) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS)
}
