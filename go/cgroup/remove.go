package cgroup

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The waits between two tries of Remove where the kernel has no event to wait for.
const (
	firstWait = time.Millisecond
	longWait  = 64 * time.Millisecond
)

// Remove removes a cgroup and everything below it in every hierarchy, deepest first, by rmdir alone, and nothing above it.
// What does not exist is no error. A cgroup that has processes is left; those that are ending get Options.Patience to
// do so, and *BusyError names the rest. Whatever can be removed is, also beside what can't.
func (h *Host) Remove(ctx context.Context, path string) error {
	path, err := cleanOwn(path)
	if err != nil {
		return err
	}
	until := time.Now().Add(h.patience)
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		var busy []Busy
		var errs []error
		for _, hi := range h.hierarchies {
			b, err := hi.remove(path)
			busy, errs = append(busy, b...), append(errs, err)
		}
		if err := errors.Join(errs...); err != nil || len(busy) == 0 {
			return err
		}
		left := time.Until(until)
		if ctx.Err() != nil || left <= 0 {
			slices.SortFunc(busy, func(a, b Busy) int { return cmp.Compare(a.Dir, b.Dir) })
			return &BusyError{Path: path, Busy: busy}
		}
		h.await(ctx, busy, min(wait, left), left)
	}
}

// remove tries once, in one hierarchy.
func (hi Hierarchy) remove(p string) ([]Busy, error) {
	rel, err := hi.inside(p)
	if err != nil || rel == "" || rel == "/" {
		return nil, nil // the mount does not show it: not ours to remove from here
	}
	parent, err := hi.open(filepath.Dir(p))
	if err != nil {
		if gone(err) {
			return nil, nil
		}
		return nil, err
	}
	defer parent.Close()
	return rmtree(parent, filepath.Base(p))
}

// rmtree removes the cgroup name in parent and all below it. It goes on beside what it can't remove.
func rmtree(parent *os.File, name string) (busy []Busy, err error) {
	full := filepath.Join(parent.Name(), name)
	err = rmdir(parent, name)
	if err == nil || gone(err) {
		return nil, nil
	}
	dir, operr := openat(int(parent.Fd()), name, full, unix.O_DIRECTORY, true)
	if operr != nil {
		if gone(operr) {
			return nil, nil
		}
		return nil, operr
	}
	defer dir.Close()
	names, listErr := subdirs(dir)
	if listErr != nil && !gone(listErr) {
		return nil, listErr
	}
	var errs []error
	for _, n := range names {
		b, err := rmtree(dir, n)
		busy, errs = append(busy, b...), append(errs, err)
	}
	if len(busy) > 0 || errors.Join(errs...) != nil {
		return busy, errors.Join(errs...) // a parent of what is left can't go
	}
	err = rmdir(parent, name)
	switch {
	case err == nil || gone(err):
		return nil, nil
	case errors.Is(err, unix.EBUSY):
		pids, perr := procs(dir)
		if perr != nil && !gone(perr) {
			return nil, perr
		}
		return []Busy{{Dir: full, Pids: pids}}, nil
	}
	return nil, &FileError{"remove", full, err}
}

func rmdir(parent *os.File, name string) error {
	_, err := retry(func() (int, error) { return 0, unix.Unlinkat(int(parent.Fd()), name, unix.AT_REMOVEDIR) })
	return err
}

// await waits until the next try makes sense. The unified hierarchy tells when a cgroup empties (a poll of cgroup.events
// returns); v1 does not, and its directories are tried again after wait. It never takes longer than left.
func (h *Host) await(ctx context.Context, busy []Busy, wait, left time.Duration) {
	var polled []unix.PollFd
	for _, b := range busy {
		if !slices.ContainsFunc(h.hierarchies, func(hi Hierarchy) bool {
			return hi.Unified && strings.HasPrefix(b.Dir, hi.Dir+"/")
		}) {
			continue
		}
		f, err := os.Open(filepath.Join(b.Dir, "cgroup.events"))
		if err != nil {
			continue // it went away
		}
		defer f.Close()
		now, err := io.ReadAll(f) // arms the event
		if err != nil || !bytes.Contains(now, []byte("populated 1")) {
			continue
		}
		polled = append(polled, unix.PollFd{Fd: int32(f.Fd()), Events: unix.POLLPRI})
	}
	if len(polled) < len(busy) {
		left = wait
	}
	if len(polled) == 0 {
		select {
		case <-ctx.Done():
		case <-time.After(left):
		}
		return
	}
	if end, ok := ctx.Deadline(); ok {
		left = max(0, min(left, time.Until(end)))
	}
	_, _ = unix.Poll(polled, int(left.Milliseconds())+1) // an interrupted poll is only an early try
}

// RemoveAround removes a cgroup and everything below it like Remove, but only in the hierarchies where this process is
// not inside of it: there the engine has made what the agent, which knows its own hierarchies alone, leaves behind.
func (h *Host) RemoveAround(ctx context.Context, path string) error {
	self, err := h.Self()
	if err != nil {
		return err
	}
	around := *h
	around.hierarchies = slices.DeleteFunc(slices.Clone(h.hierarchies), func(hi Hierarchy) bool {
		own := self[""]
		for _, controller := range hi.Controllers {
			own = self[controller]
		}
		return own == path || strings.HasPrefix(own, strings.TrimSuffix(path, "/")+"/")
	})
	return around.Remove(ctx, path)
}
