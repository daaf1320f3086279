package podlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// service is what the containers of one service share: its file, open while one of them is followed, and its tail.
type service struct {
	name string
	dir  string
	log  logrus.FieldLogger
	tail tail

	mu     sync.Mutex
	users  int
	file   *os.File
	failed bool // said so
}

func (s *service) open() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users++
	if s.file != nil {
		return
	}
	var err error
	if s.file, err = openLog(s.dir, s.name); err != nil {
		s.complain(err)
	}
}

func (s *service) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users--; s.users > 0 || s.file == nil {
		return
	}
	if err := s.file.Close(); err != nil {
		s.complain(err)
	}
	s.file = nil
}

// write appends to the file. Output that can't be stored is no reason to end a pod: it is said once.
func (s *service) write(data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return
	}
	if _, err := s.file.Write(data); err != nil {
		s.complain(err)
	}
}

func (s *service) complain(err error) {
	if !s.failed {
		s.log.WithError(err).Warn("The output of a service can't be stored in its file; it is on stdout all the same.")
	}
	s.failed = true
}

// openLog opens <dir>/<service>.log for appending, making what is missing. The sandbox may be writable for containers, so
// neither the directory nor the file may be a link, and the file must be a regular one.
func openLog(dir, service string) (*os.File, error) {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	path := filepath.Join(dir, fileName(service))
	parent, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(parent)
	const flags = unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC // a FIFO must not block
	fd, err := unix.Openat(parent, fileName(service), flags, 0o644)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil || stat.Mode&unix.S_IFMT != unix.S_IFREG {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("%s is no regular file: remove it", path)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// fileName is a name that stays inside of its directory, whatever a service is called.
func fileName(service string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, service)
	return safe + ".log"
}
