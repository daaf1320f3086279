package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// process is the main process of a container, held by a pidfd: it can't become another process. A nil one can be used and
// does nothing, for engines on other hosts and in other pid namespaces, and where we may not signal.
type process struct{ fd int }

// endWait is how long the kernel gets to end a process after SIGKILL.
const endWait = time.Second

var errNotHeld = errors.New("the process is not held")

// holdProcess returns nil where pid is not provably the container's process.
func holdProcess(pid int, containerID string) *process {
	if pid <= 1 || len(containerID) < 64 {
		return nil
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil
	}
	// Read after the open: it speaks of the process that is held, or of one that took over its pid after the held one ended.
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil || !bytes.Contains(groups, []byte(containerID)) {
		_ = unix.Close(fd)
		return nil
	}
	return &process{fd}
}

// kill ends the process and returns when it has ended.
func (p *process) kill() error {
	if p == nil {
		return errNotHeld
	}
	if err := unix.PidfdSendSignal(p.fd, unix.SIGKILL, nil, 0); err != nil {
		return err
	}
	until := time.Now().Add(endWait)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, int(time.Until(until).Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		case n > 0:
			return nil
		default:
			return errNotHeld
		}
	}
}

func (p *process) close() {
	if p != nil {
		_ = unix.Close(p.fd)
	}
}
