package localagent

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// tee copies what is appended to a file to w, until stop is closed and all that is there by then was copied. The executor
// itself writes to the file, as under Mesos, and not to a pipe of ours: it must outlive us.
func tee(file *os.File, w io.Writer, stop <-chan struct{}) (wait func() error, err error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("%s can't be followed: %w", file.Name(), err)
	}
	changes := os.NewFile(uintptr(fd), "changes of "+file.Name())
	if _, err := unix.InotifyAddWatch(fd, file.Name(), unix.IN_MODIFY); err != nil {
		changes.Close()
		return nil, fmt.Errorf("%s can't be followed: %w", file.Name(), err)
	}
	from, err := os.Open(file.Name())
	if err != nil {
		changes.Close()
		return nil, err
	}
	var stopped atomic.Bool
	go func() {
		<-stop
		stopped.Store(true)
		changes.Close()
	}()
	done := make(chan error, 1)
	go func() {
		defer from.Close()
		events := make([]byte, 4096)
		for {
			last := stopped.Load() // asked before the copy, so that nothing written until then is missed
			if _, err := io.Copy(w, from); err != nil || last {
				done <- err
				return
			}
			if _, err := changes.Read(events); err != nil && !errors.Is(err, os.ErrClosed) {
				done <- err
				return
			}
		}
	}()
	return func() error { return <-done }, nil
}
