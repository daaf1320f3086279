package cgroup

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The cgroup drivers of Docker, as its Info says.
const (
	DriverCgroupfs = "cgroupfs"
	DriverSystemd  = "systemd"
)

// UseCgroupfs is how an operator gives Docker the driver that takes any cgroup for a parent, as a clause.
const UseCgroupfs = `start dockerd with --exec-opt native.cgroupdriver=cgroupfs, or "exec-opts": ["native.cgroupdriver=cgroupfs"] in /etc/docker/daemon.json`

// CheckParent says whether an engine with the given cgroup driver can put containers under a cgroup, so that a launch
// fails with a sentence before anything is created. The engine makes what is missing in the hierarchies that the task
// does not use; the one that limits memory must be there. "/" binds nothing and is always fine.
func (h *Host) CheckParent(driver, p string) error {
	p, err := clean(p)
	if err != nil {
		return err
	}
	if p == "/" {
		return nil
	}
	base := path.Base(p)
	if driver == DriverSystemd && (!strings.HasSuffix(base, ".slice") || base == ".slice") {
		// moby: daemon/daemon_unix.go, verifyPlatformContainerSettings
		return &ParentError{Path: p, Why: "Docker uses the systemd cgroup driver, which takes only a slice (<name>.slice)",
			Fix: UseCgroupfs}
	}
	p = ParentPath(driver, strings.TrimPrefix(p, "/"))
	if p, err = clean(p); err != nil {
		return err
	}
	hi, err := h.Hierarchy("memory")
	if err != nil {
		return err
	}
	dir, err := hi.open(p)
	if err != nil {
		var missing *NotMountedError
		if errors.As(err, &missing) {
			return err
		}
		return &ParentError{Path: p, File: hi.name(p, ""), Why: hi.name(p, "") + " can't be opened", Err: cgroupCause(err),
			Fix: "check that the agent runs its executors in cgroups (--isolation=cgroups/cpu,cgroups/mem), and that its cgroups are visible here"}
	}
	defer dir.Close()
	if err := joinable(p, dir); err != nil {
		return err
	}
	if !hi.Unified {
		return nil
	}
	kind, err := readAt(dir, "cgroup.type")
	if err != nil {
		return err
	}
	if kind != "domain" {
		file := filepath.Join(dir.Name(), "cgroup.type")
		return &ParentError{Path: p, File: file, Why: file + " says " + kind + ", and only a domain takes containers",
			Fix: "use a cgroup that is not threaded and not below a threaded one"}
	}
	return nil
}

// ParentPath is where the containers of an engine with the given driver are put for the cgroup parent that it is given: with the
// systemd driver a slice, which systemd nests by its dashes (systemd.slice(5)): dce-a.slice is /dce.slice/dce-a.slice. What is
// no name of a slice is taken as a path.
func ParentPath(driver, parent string) string {
	name, isSlice := strings.CutSuffix(parent, ".slice")
	if driver != DriverSystemd || !isSlice || name == "" || strings.ContainsRune(name, '/') {
		return parent
	}
	if name == "-" {
		return "/"
	}
	out := "/"
	for i, r := range name + "-" {
		if r == '-' {
			out = path.Join(out, name[:i]+".slice")
		}
	}
	return out
}

// joinable fails on what would stop the engine, which is root: no such file, or a file system that is read-only. That this
// process may not write there itself is no obstacle.
func joinable(p string, dir *os.File) error {
	file := filepath.Join(dir.Name(), "cgroup.procs")
	_, err := retry(func() (int, error) { return 0, unix.Faccessat(int(dir.Fd()), "cgroup.procs", unix.W_OK, 0) })
	if err == nil || os.Geteuid() != 0 && (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)) {
		return nil
	}
	return &ParentError{Path: p, File: file, Why: file + " can't be written", Err: err,
		Fix: "mount the cgroup file system writable, and check that this is the cgroup of a task"}
}

func cgroupCause(err error) error {
	var fe *FileError
	if errors.As(err, &fe) {
		return fe.Err
	}
	return err
}
