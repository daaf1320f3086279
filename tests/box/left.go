package box

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/tree"
)

// Left lists what those who used the engine have left in it: containers, networks and volumes. An engine that stands still has a
// minute for it.
func (b *Box) Left(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cli, err := b.Client()
	if err != nil {
		return nil, err
	}
	defer func() { _ = cli.Close() }()
	var left []string
	containers, err := cli.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, err
	}
	for _, c := range containers {
		left = append(left, fmt.Sprintf("container %s (%s)", strings.Join(c.Names, " "), c.Status))
	}
	networks, err := cli.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("type", "custom"))})
	if err != nil {
		return nil, err
	}
	for _, n := range networks {
		left = append(left, "network "+n.Name)
	}
	volumes, err := cli.VolumeList(ctx, volume.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, v := range volumes.Volumes {
		left = append(left, "volume "+v.Name)
	}
	return left, nil
}

// Host is what of this machine tests may have changed and must have put back.
type Host struct{ cgroups, roots []string }

// LookAtHost notes what is there before tests run.
func LookAtHost() Host { return Host{cgroups: ours(), roots: podRoots()} }

// Tidy removes the empty cgroups /dce that were not there: a host keeps them for its next pods, as an agent keeps its own root, and
// a machine that only tests need not.
func (h Host) Tidy() {
	for _, root := range podRoots() {
		if !slices.Contains(h.roots, root) {
			_ = unix.Rmdir(root) // one with something in it stays
		}
	}
}

func podRoots() []string { return roots(tree.Root) }

// roots lists cgroups at the top of every hierarchy, by a pattern of their names.
func roots(names string) []string {
	var all []string
	for _, hierarchy := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		found, err := filepath.Glob(filepath.Join(hierarchy, names))
		if err != nil {
			panic(err) // the pattern is a constant
		}
		all = append(all, found...)
	}
	return all
}

// Left lists what is there now and was not: cgroups without a process below a root of ours, and processes that were started
// with this engine in their environment.
func (h Host) Left(b *Box) []string {
	var left []string
	for _, dir := range ours() {
		if !slices.Contains(h.cgroups, dir) && !populated(dir) {
			left = append(left, "cgroup "+dir)
		}
	}
	return append(left, users(b.Host())...)
}

// ours lists the cgroups below roots whose names begin with dce.
func ours() []string {
	var dirs []string
	for _, root := range roots("dce*") {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && path != root {
				dirs = append(dirs, path)
			}
			return nil // what goes away meanwhile is not left
		})
	}
	return dirs
}

// populated says whether a process is in the cgroup or below: it then belongs to somebody who is at work.
func populated(dir string) bool {
	found := errors.New("found")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		procs, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err == nil && len(bytes.TrimSpace(procs)) > 0 {
			return found
		}
		return nil
	})
	return errors.Is(err, found)
}

// users lists the processes, but for this one and its parents, that were started with host in their environment.
func users(host string) []string {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		environ, err := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if err == nil && bytes.Contains(environ, []byte("="+host+"\x00")) {
			cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
			out = append(out, fmt.Sprintf("process %d (%s)", pid, bytes.TrimSpace(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '}))))
		}
	}
	return out
}
