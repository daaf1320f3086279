package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Create makes a cgroup and its parents in the hierarchies of controllers, in all for none. What exists is no error. On v2
// the controllers are enabled on the way; a v1 cpuset gets its parent's cpus and memory nodes, without which no process
// may enter (Mesos: src/linux/cgroups.cpp, cgroups::create).
func (h *Host) Create(path string, controllers ...string) error {
	path, err := cleanOwn(path)
	if err != nil {
		return err
	}
	hs, err := h.pick(controllers)
	if err != nil {
		return err
	}
	for _, hi := range hs {
		if err := hi.create(path, controllers); err != nil {
			return err
		}
	}
	return nil
}

func (hi Hierarchy) create(path string, controllers []string) error {
	rel, err := hi.inside(path)
	if err != nil {
		return err
	}
	dir, err := hi.open(hi.Root)
	if err != nil {
		return err
	}
	defer func() { dir.Close() }()
	for _, part := range parts(rel) {
		if hi.Unified {
			for _, c := range controllers {
				if c == "" {
					continue
				}
				if err := writeAt(dir, "cgroup.subtree_control", "+"+c); err != nil {
					return err
				}
			}
		}
		full := filepath.Join(dir.Name(), part)
		if _, err := retry(func() (int, error) { return 0, unix.Mkdirat(int(dir.Fd()), part, 0o755) }); err != nil && !errors.Is(err, unix.EEXIST) {
			return &FileError{"create", full, err}
		}
		next, err := openat(int(dir.Fd()), part, full, unix.O_DIRECTORY, true)
		if err != nil {
			return err
		}
		if slices.Contains(hi.Controllers, "cpuset") {
			err = inheritCPUSet(dir, next)
		}
		dir.Close()
		dir = next
		if err != nil {
			return err
		}
	}
	return nil
}

func inheritCPUSet(parent, child *os.File) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		have, err := readAt(child, file)
		if err != nil {
			return err
		}
		if have != "" {
			continue
		}
		value, err := readAt(parent, file)
		if err != nil {
			return err
		}
		if err := writeAt(child, file, value); err != nil {
			return err
		}
	}
	return nil
}

// Exists says whether any hierarchy has the cgroup.
func (h *Host) Exists(path string) (bool, error) {
	path, err := clean(path)
	if err != nil {
		return false, err
	}
	for _, hi := range h.hierarchies {
		dir, err := hi.open(path)
		switch {
		case err == nil:
			dir.Close()
			return true, nil
		case !gone(err):
			return false, err
		}
	}
	return false, nil
}

// Write writes value into a control file of a cgroup, in the hierarchy of controller.
func (h *Host) Write(controller, path, file, value string) error {
	hi, path, err := h.locate(controller, path, file)
	if err != nil {
		return err
	}
	return hi.write(path, file, value)
}

// Read returns what a control file of a cgroup holds, without the final newline.
func (h *Host) Read(controller, path, file string) (string, error) {
	hi, path, err := h.locate(controller, path, file)
	if err != nil {
		return "", err
	}
	return hi.read(path, file)
}

// ReadUint reads a control file that holds one number.
func (h *Host) ReadUint(controller, path, file string) (uint64, error) {
	hi, path, err := h.locate(controller, path, file)
	if err != nil {
		return 0, err
	}
	s, err := hi.read(path, file)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, &ValueError{hi.name(path, file), s, "a number"}
	}
	return n, nil
}

func (h *Host) locate(controller, path, file string) (Hierarchy, string, error) {
	path, err := clean(path)
	if err != nil {
		return Hierarchy{}, "", err
	}
	if file == "" || file == "." || file == ".." || strings.ContainsAny(file, "/\x00") {
		return Hierarchy{}, "", &PathError{path + "/" + file, "does not name a control file"}
	}
	hi, err := h.Hierarchy(controller)
	return hi, path, err
}

// AddProc moves a process with all its threads into a cgroup.
func (h *Host) AddProc(path string, pid int, controllers ...string) error {
	return h.add(path, "cgroup.procs", pid, controllers)
}

// AddThread moves one thread into a cgroup of v1; what the thread forks is born there. v2 does not move single threads
// between pods: use OpenDir with syscall.SysProcAttr.CgroupFD.
func (h *Host) AddThread(path string, tid int, controllers ...string) error {
	return h.add(path, "tasks", tid, controllers)
}

func (h *Host) add(path, file string, id int, controllers []string) error {
	path, err := clean(path)
	if err != nil {
		return err
	}
	if id <= 0 {
		return &PathError{path, fmt.Sprintf("can't take process %d", id)} // 0 would move the caller
	}
	hs, err := h.pick(controllers)
	if err != nil {
		return err
	}
	for _, hi := range hs {
		if hi.Unified && file == "tasks" {
			if len(controllers) == 0 {
				continue // all hierarchies that have threads
			}
			return &FileError{"move a thread into", hi.name(path, ""), errors.ErrUnsupported}
		}
		if err := hi.write(path, file, strconv.Itoa(id)); err != nil {
			return err
		}
	}
	return nil
}

// OpenDir opens the directory of a cgroup in the hierarchy of controller, for syscall.SysProcAttr.CgroupFD.
func (h *Host) OpenDir(controller, path string) (*os.File, error) {
	path, err := clean(path)
	if err != nil {
		return nil, err
	}
	hi, err := h.Hierarchy(controller)
	if err != nil {
		return nil, err
	}
	return hi.open(path)
}

// Procs returns the processes in a cgroup itself, not in its children: those of all hierarchies, sorted. A hierarchy that
// does not have the cgroup adds nothing; if none has it, the error is fs.ErrNotExist.
func (h *Host) Procs(path string) ([]int, error) {
	path, err := clean(path)
	if err != nil {
		return nil, err
	}
	var out []int
	var missing error
	found := false
	for _, hi := range h.hierarchies {
		dir, err := hi.open(path)
		if err == nil {
			var pids []int
			pids, err = procs(dir)
			dir.Close()
			out = append(out, pids...)
		}
		switch {
		case err == nil:
			found = true
		case gone(err):
			missing = err
		default:
			return nil, err
		}
	}
	if !found {
		return nil, missing
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func procs(dir *os.File) ([]int, error) {
	file := "cgroup.procs"
	s, err := readAt(dir, file)
	if errors.Is(err, unix.EOPNOTSUPP) { // a threaded cgroup of v2
		file = "cgroup.threads"
		s, err = readAt(dir, file)
	}
	if err != nil {
		return nil, err
	}
	return parsePids(filepath.Join(dir.Name(), file), s)
}

func parsePids(file, s string) ([]int, error) {
	var out []int
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		pid, err := strconv.Atoi(line)
		if err != nil || pid < 0 { // 0 is a process outside of our pid namespace
			return nil, &ValueError{file, line, "a process id"}
		}
		out = append(out, pid)
	}
	return out, nil
}

// CPULimit returns how many CPUs a cgroup may use, 0 for any.
func (h *Host) CPULimit(path string) (limit float64, err error) {
	path, err = clean(path)
	if err != nil {
		return 0, err
	}
	err = h.readPart(path, "cpu", func(dir *os.File, unified bool) (err error) {
		limit, err = cpuLimit(dir, unified)
		return err
	})
	return limit, err
}

// MemoryLimit returns how many bytes of memory a cgroup may use, NoLimit for any.
func (h *Host) MemoryLimit(path string) (uint64, error) {
	file := "memory.limit_in_bytes"
	hi, path, err := h.locate("memory", path, file)
	if err != nil {
		return 0, err
	}
	dir, err := hi.open(path)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	if hi.Unified {
		file = "memory.max"
	}
	return readLimit(dir, file)
}
