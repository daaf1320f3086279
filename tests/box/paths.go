package box

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"golang.org/x/sys/unix"
)

// paths are the places of one engine. hash stands for checkout and name: it proves in names of links, cgroups and process
// arguments that they are this engine's.
type paths struct {
	name string
	hash string
	data string // data roots and logs, kept
	run  string // sockets, exec root, pid files: short, because a socket's path has at most 107 bytes
}

func (p paths) socket() string           { return filepath.Join(p.run, "docker.sock") }
func (p paths) containerdSocket() string { return filepath.Join(p.run, "containerd.sock") }
func (p paths) dockerRoot() string       { return filepath.Join(p.data, "docker") }
func (p paths) containerdRoot() string   { return filepath.Join(p.data, "containerd") }
func (p paths) log(of string) string     { return filepath.Join(p.data, of+".log") }
func (p paths) bridge() string           { return "dce-" + p.hash }
func (p paths) cgroup() string           { return "dce-box-" + p.hash }
func (p paths) slice() string            { return "dcebox" + p.hash + ".slice" }

// Checkout finds the root of this project's checkout around the working directory.
func Checkout() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.EvalSymlinks(dir)
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is in no checkout of dce: there is no go.mod in it or above; change to the checkout", wd)
		}
	}
}

var unsafeName = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

func locate(checkout, name string) (paths, error) {
	if name == "" {
		name = "box"
	}
	name = unsafeName.ReplaceAllString(name, "_")
	var err error
	if checkout == "" {
		checkout, err = Checkout()
	} else {
		checkout, err = filepath.EvalSymlinks(checkout)
	}
	if err != nil {
		return paths{}, err
	}
	sum := sha256.Sum256([]byte(checkout + "\x00" + name))
	hash := hex.EncodeToString(sum[:4])
	return paths{
		name: name,
		hash: hash,
		data: filepath.Join(dataDir(checkout), name),
		run:  "/run/dce-" + hash,
	}, nil
}

// plain are the paths that overlay mount options and shims take without escaping.
var plain = regexp.MustCompile(`^[A-Za-z0-9/._-]+$`)

// dataDir is below the checkout where the engine's fast storage works there, else below /var/lib (a checkout on overlayfs, as
// in a container, or on a network file system).
func dataDir(checkout string) string {
	dir := filepath.Join(checkout, "build", "box")
	if plain.MatchString(dir) && os.MkdirAll(dir, 0o755) == nil && overlayWorks(dir) {
		return dir
	}
	sum := sha256.Sum256([]byte(checkout))
	return filepath.Join("/var/lib/dce-box", hex.EncodeToString(sum[:4]))
}

// overlayWorks mounts an overlay on dir for a moment. The answer is kept in dir.
func overlayWorks(dir string) bool {
	known := filepath.Join(dir, ".overlay-works")
	if _, err := os.Stat(known); err == nil {
		return true
	}
	try, err := os.MkdirTemp(dir, ".try-")
	if err != nil {
		return false
	}
	defer func() { _ = os.RemoveAll(try) }()
	for _, sub := range []string{"lower", "upper", "work", "merged"} {
		if os.Mkdir(filepath.Join(try, sub), 0o755) != nil {
			return false
		}
	}
	options := fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper,workdir=%[1]s/work", try)
	merged := filepath.Join(try, "merged")
	if unix.Mount("overlay", merged, "overlay", 0, options) != nil {
		return false
	}
	if unix.Unmount(merged, 0) != nil {
		return false
	}
	return os.WriteFile(known, nil, 0o644) == nil
}

func (p paths) make() error {
	for _, dir := range []string{p.dockerRoot(), p.containerdRoot(), filepath.Join(p.run, "exec"), filepath.Join(p.run, "containerd")} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return err
		}
	}
	// A file of our own: dockerd would otherwise read the host engine's /etc/docker/daemon.json.
	return os.WriteFile(filepath.Join(p.run, "daemon.json"), []byte("{}\n"), 0o644)
}

// minFree is what images, layers and logs of a whole test run need, in bytes.
const minFree = 1 << 30

// able says in one sentence why no private engine can be started here.
func able(p paths) error {
	if os.Geteuid() != 0 {
		return errors.New("a private Docker engine needs root: run this with sudo, or start Docker and set DOCKER_HOST to it where the target takes an engine that is there")
	}
	if err := os.MkdirAll(p.data, 0o711); err != nil {
		return fmt.Errorf("no folder for the private engine's data: %w; make its parent writable", err)
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(p.data, &fs); err != nil {
		return fmt.Errorf("free space of %s: %w", p.data, err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < minFree {
		return fmt.Errorf("%s has %d MiB free and the private engine needs %d: free some space on that disk", p.data, free>>20, minFree>>20)
	}
	return nil
}

// acquire takes the lock of one engine for as long as this process lives.
func acquire(p paths) (*os.File, error) {
	path := filepath.Join(p.data, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(path)
		_ = f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return nil, fmt.Errorf("the private engine %q of this checkout is in use by process %s: wait for it to end, or end it", p.name, holder)
	}
	if err := f.Truncate(0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.WriteAt([]byte(fmt.Sprint(os.Getpid())), 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
