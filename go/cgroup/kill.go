package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Kill ends every process in a cgroup and below it with SIGKILL and returns when none is left there, or ctx ends. found says
// whether any hierarchy shows the cgroup. A process is held by a pidfd and its membership is read again before the signal, so
// that one which left the cgroup, or whose pid was taken over, is spared; so is this process, wherever it lives. Processes
// that this pid namespace does not show are an error.
func (h *Host) Kill(ctx context.Context, path string) (found bool, err error) {
	if path, err = cleanOwn(path); err != nil {
		return false, err
	}
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		var pids, alive []int
		for _, hi := range h.hierarchies {
			there, own, err := hi.procsBelow(path)
			if err != nil {
				return found, err
			}
			found = found || there
			pids = append(pids, own...)
		}
		slices.Sort(pids)
		for _, pid := range slices.Compact(pids) {
			lives, err := h.killIn(path, pid)
			if err != nil {
				return found, err
			}
			if lives {
				alive = append(alive, pid)
			}
		}
		if len(alive) == 0 {
			return found, nil
		}
		select {
		case <-ctx.Done():
			return found, fmt.Errorf("processes %v in cgroup %s did not end after SIGKILL: %w", alive, path, ctx.Err())
		case <-time.After(wait): // v1 has no event for a cgroup that empties
		}
	}
}

// Processes counts the processes in a cgroup and below it, in the hierarchy that limits memory.
func (h *Host) Processes(path string) (int, error) {
	path, err := clean(path)
	if err != nil {
		return 0, err
	}
	hi, err := h.Hierarchy("memory")
	if err != nil {
		return 0, err
	}
	_, pids, err := hi.procsBelow(path)
	return len(pids), err
}

// procsBelow lists the processes in a cgroup and below it. What goes away meanwhile has none.
func (hi Hierarchy) procsBelow(p string) (there bool, pids []int, err error) {
	if _, err := hi.inside(p); err != nil {
		return false, nil, nil // the mount does not show it
	}
	dir, err := hi.open(p)
	if gone(err) {
		return false, nil, nil
	}
	if err != nil {
		return false, nil, err
	}
	defer dir.Close()
	groups := []string{p}
	if err := walk(dir, p, func(below string) { groups = append(groups, below) }); err != nil {
		return true, nil, err
	}
	for _, group := range groups {
		in, err := hi.open(group)
		if err == nil {
			var own []int
			own, err = procs(in)
			in.Close()
			pids = append(pids, own...)
		}
		if err != nil && !gone(err) {
			return true, nil, err
		}
	}
	return true, pids, nil
}

// killIn signals one process if it is still in the cgroup or below it, and says whether it was and lived.
func (h *Host) killIn(path string, pid int) (alive bool, err error) {
	if pid == 0 {
		return false, fmt.Errorf("cgroup %s has processes that are outside of this pid namespace, so they can't be ended from here", path)
	}
	if pid == os.Getpid() {
		return false, nil
	}
	fd, err := retry(func() (int, error) { return unix.PidfdOpen(pid, 0) })
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) { // it has ended
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("process %d in cgroup %s can't be held: %w", pid, path, err)
	}
	defer func() { _ = unix.Close(fd) }()
	ended, err := retry(func() (int, error) { return unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0) })
	if err != nil || ended > 0 { // older kernels list what nobody has waited for yet
		return false, err
	}
	of, err := h.OfPid(strconv.Itoa(pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, at := range of {
		if at == path || strings.HasPrefix(at, path+"/") {
			err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return true, fmt.Errorf("process %d in cgroup %s can't be ended: %w", pid, path, err)
			}
			return true, nil
		}
	}
	return false, nil
}
