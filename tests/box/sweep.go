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
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// empty removes all containers, networks and volumes of the engine: it is ours whole.
func (b *Box) empty() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cli, err := b.Client()
	if err != nil {
		return err
	}
	defer func() { _ = cli.Close() }()
	containers, err := cli.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(8)
	for _, c := range containers {
		group.Go(func() error {
			return cli.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
		})
	}
	errs := []error{group.Wait()}
	networks, err := cli.NetworkList(ctx, network.ListOptions{Filters: filters.NewArgs(filters.Arg("type", "custom"))})
	errs = append(errs, err)
	for _, n := range networks {
		errs = append(errs, cli.NetworkRemove(ctx, n.ID))
	}
	volumes, err := cli.VolumeList(ctx, volume.ListOptions{})
	errs = append(errs, err)
	for _, v := range volumes.Volumes {
		errs = append(errs, cli.VolumeRemove(ctx, v.Name, true))
	}
	return errors.Join(errs...)
}

// sweep removes what is left of an engine whose lock we hold and whose daemons we don't: processes, mounts, cgroups, links,
// sockets. Each is proved by the engine's own paths or hash.
func sweep(p paths) error {
	return errors.Join(
		killAll(p),
		unmountAll(p),
		releaseForward(p),
		releaseBlock(p),
		removeCgroups(p),
		os.RemoveAll(p.run),
	)
}

// killAll kills the engine's daemons and shims, known by its run folder in their arguments, and its containers, known by
// their root file system; then waits until they are gone.
func killAll(p paths) error {
	deadline := time.Now().Add(10 * time.Second)
	for {
		pids, err := processes(p)
		if err != nil || len(pids) == 0 {
			return err
		}
		for _, pid := range pids {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return err
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v of the private engine survive SIGKILL: they hang in the kernel, see dmesg", pids)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func processes(p paths) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && pid != os.Getpid() && (daemonOf(p, pid) || containerOf(p, pid)) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// daemonOf tells dockerd, containerd and shims of this engine by the run folder in their arguments.
func daemonOf(p paths, pid int) bool {
	cmdline, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return false
	}
	args := bytes.Split(cmdline, []byte{0})
	switch filepath.Base(string(args[0])) {
	case "dockerd", "containerd", "containerd-shim", "containerd-shim-runc-v2":
		return slices.ContainsFunc(args, func(a []byte) bool { return bytes.Contains(a, []byte(p.run+"/")) })
	}
	return false
}

// containerOf tells a container's processes by their root: an overlay whose upper folder is in the engine's data root.
func containerOf(p paths, pid int) bool {
	f, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "mountinfo"))
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	mounts, err := mountinfo.GetMountsFromReader(f, mountinfo.SingleEntryFilter("/"))
	return err == nil && len(mounts) == 1 && strings.Contains(mounts[0].VFSOptions, "upperdir="+p.dockerRoot()+"/")
}

func unmountAll(p paths) error {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		return !strings.HasPrefix(m.Mountpoint, p.run+"/") && !strings.HasPrefix(m.Mountpoint, p.data+"/"), false
	})
	if err != nil {
		return err
	}
	slices.Reverse(mounts) // the latest first, so that nested ones go before what they are in
	var errs []error
	for _, m := range mounts {
		if err := unix.Unmount(m.Mountpoint, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, &fs.PathError{Op: "unmount", Path: m.Mountpoint, Err: err})
		}
	}
	return errors.Join(errs...)
}

// removeCgroups removes the empty cgroups below the engine's own cgroup parent, in every hierarchy.
func removeCgroups(p paths) error {
	var errs []error
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		for _, name := range []string{p.cgroup(), p.slice()} {
			roots, err := filepath.Glob(pattern + name)
			errs = append(errs, err)
			for _, root := range roots {
				errs = append(errs, removeTree(root))
			}
		}
	}
	return errors.Join(errs...)
}

// removeTree removes a cgroup with its children. The kernel lets go of a cgroup a moment after its last process.
func removeTree(root string) error {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil // what vanished meanwhile is what we want
	})
	slices.Reverse(dirs)
	for _, dir := range dirs {
		for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			removeErr := unix.Rmdir(dir)
			if removeErr == nil || errors.Is(removeErr, unix.ENOENT) {
				break
			}
			if time.Now().After(deadline) {
				return &fs.PathError{Op: "rmdir", Path: dir, Err: removeErr}
			}
		}
	}
	return err
}
