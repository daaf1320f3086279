package cgroup

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// begin asks the kernel for the events of the watched cgroup and of the children that it has.
func (w *OOMWatch) begin() (err error) {
	if w.inotify, err = unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK); err != nil {
		return fmt.Errorf("no inotify instance to watch the cgroup %s: %w; raise fs.inotify.max_user_instances", w.path, err)
	}
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("can't watch the cgroup %s: epoll_create1: %w", w.path, err)
	}
	if err := w.poll(w.inotify); err != nil {
		return err
	}
	if w.parent, err = w.join(w.path, true); err != nil {
		return err
	}
	dir := w.parent.dir.Name()
	_, err = unix.InotifyAddWatch(w.inotify, dir, unix.IN_CREATE|unix.IN_DELETE|unix.IN_ONLYDIR|unix.IN_DONT_FOLLOW)
	if err != nil {
		return &FileError{"watch", dir, err}
	}
	if err := w.parent.read(w.hi.Unified); err != nil {
		return err
	}
	w.parent.told = w.parent.now
	if err := w.addAll(); err != nil {
		return err
	}
	w.explained = w.ofAll()
	w.explained.kills -= min(w.explained.kills, w.parent.now.kills) // of its own processes
	for _, m := range w.children {
		if m.read(w.hi.Unified) == nil { // what was killed in it before is told, too
			w.explained.kills -= min(w.explained.kills, m.now.kills)
			m.before = m.now.kills
		}
	}
	if err := unix.SetNonblock(w.epoll, true); err != nil { // else os.NewFile does not give it to the poller
		return fmt.Errorf("can't watch the cgroup %s: %w", w.path, err)
	}
	w.wake = os.NewFile(uintptr(w.epoll), "events of "+dir)
	w.wakes, err = w.wake.SyscallConn()
	return err
}

func (w *OOMWatch) poll(fd int) error {
	if err := unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("can't watch the cgroup %s: epoll_ctl: %w", w.path, err)
	}
	return nil
}

// join opens a cgroup and asks the kernel for its events.
func (w *OOMWatch) join(p string, parent bool) (_ *member, err error) {
	m := &member{signal: -1, wd: -1, parent: parent}
	defer func() {
		if err != nil {
			w.leave(m)
		}
	}()
	if m.dir, err = w.hi.open(p); err != nil {
		return nil, err
	}
	if w.hi.Unified {
		file := filepath.Join(m.dir.Name(), m.events())
		if m.wd, err = unix.InotifyAddWatch(w.inotify, file, unix.IN_MODIFY|unix.IN_DONT_FOLLOW); err != nil {
			return nil, &FileError{"watch", file, err}
		}
		return m, nil
	}
	if m.signal, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, fmt.Errorf("no eventfd to watch the cgroup %s: %w", p, err)
	}
	control, err := openat(int(m.dir.Fd()), "memory.oom_control", filepath.Join(m.dir.Name(), "memory.oom_control"), unix.O_RDONLY, true)
	if err != nil {
		return nil, err
	}
	defer control.Close() // the kernel needs it for the registration only
	if err := writeAt(m.dir, "cgroup.event_control", fmt.Sprintf("%d %d", m.signal, control.Fd())); err != nil {
		return nil, err
	}
	return m, w.poll(m.signal)
}

// leave ends the watching of one cgroup.
func (w *OOMWatch) leave(m *member) {
	if m.wd >= 0 {
		_, _ = unix.InotifyRmWatch(w.inotify, uint32(m.wd)) // the kernel may have done so
	}
	if m.signal >= 0 {
		_ = unix.Close(m.signal) // takes it out of epoll
	}
	if m.dir != nil {
		m.dir.Close()
	}
}

func (w *OOMWatch) addAll() error {
	names, err := w.hi.children(w.path)
	if err != nil {
		return err
	}
	for _, name := range names {
		if w.children[name] == nil {
			w.add(name)
		}
	}
	return nil
}

// add begins with one child. Its counters begin at 0 when it is made, so that nothing is missed by being late.
func (w *OOMWatch) add(name string) {
	w.drop(name)
	delete(w.killed, name) // of a former run
	if m := w.gone[name]; m != nil {
		w.leave(m)
		delete(w.gone, name)
	}
	m, err := w.join(path.Join(w.path, name), false)
	switch {
	case err == nil:
		if !w.hi.Unified { // what the parent was told of before is not the child's own
			m.now.hits = w.parent.now.hits - w.parent.told.hits
		}
		w.children[name] = m
	case !gone(err):
		w.failed(err)
	}
}

func (w *OOMWatch) drop(name string) {
	if m := w.children[name]; m != nil {
		w.leave(m)
		delete(w.children, name)
	}
}

// mostSignals bounds the eventfds that are kept of children that were removed: those of services that are started again and again.
const mostSignals = 32

// keep is drop for a child that was removed, of which its last state is left, and on v1 the eventfd.
func (w *OOMWatch) keep(name string) {
	m := w.children[name]
	if m == nil {
		return
	}
	delete(w.children, name)
	if m.signal < 0 || len(w.gone) >= mostSignals {
		w.leave(m)
		m.signal = -1
	} else {
		_ = unix.EpollCtl(w.epoll, unix.EPOLL_CTL_DEL, m.signal, nil)
		m.dir.Close()
	}
	m.dir, m.wd = nil, -1
	w.gone[name] = m
}

// follow takes note of children that were made and removed.
func (w *OOMWatch) follow() {
	var buf [4096]byte
	for {
		n, err := unix.Read(w.inotify, buf[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n < unix.SizeofInotifyEvent {
			return
		}
		for rest := buf[:n]; len(rest) >= unix.SizeofInotifyEvent; {
			wd, mask := binary.NativeEndian.Uint32(rest), binary.NativeEndian.Uint32(rest[4:])
			size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(rest[12:]))
			if size > len(rest) {
				return
			}
			name, _, _ := bytes.Cut(rest[unix.SizeofInotifyEvent:size], []byte{0})
			rest = rest[size:]
			switch {
			case mask&unix.IN_Q_OVERFLOW != 0:
				if err := w.addAll(); err != nil {
					w.failed(err)
				}
			case mask&unix.IN_ISDIR == 0:
				w.noteMember(int(int32(wd)))
			case mask&unix.IN_CREATE != 0:
				w.add(string(name))
			case mask&unix.IN_DELETE != 0:
				w.left = append(w.left, string(name))
				w.keep(string(name))
			}
		}
	}
}

// noteMember is called when the events of a child change, which they do well before a kill: as often as its limit is met.
func (w *OOMWatch) noteMember(wd int) {
	for _, m := range w.children {
		if m.wd == wd {
			m.note(true)
		}
	}
}

func (w *OOMWatch) release() {
	for name := range w.children {
		w.drop(name)
	}
	for _, m := range w.gone {
		w.leave(m)
	}
	if w.parent != nil {
		w.leave(w.parent)
	}
	if w.inotify >= 0 {
		_ = unix.Close(w.inotify)
	}
	switch {
	case w.wake != nil:
		w.wake.Close()
	case w.epoll >= 0:
		_ = unix.Close(w.epoll)
	}
}
