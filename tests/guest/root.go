package guest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/tests/kernel"
)

// The system of the guest.
const (
	suite  = "bookworm"
	series = "6.1"
	size   = "3G" // of its disk, which is sparse
)

var packages = []string{"systemd", "systemd-sysv", "dbus", "docker.io", "apparmor", "iptables", "kmod", "iproute2", "busybox-static"}

// files are put over what the packages bring.
var files = map[string]string{
	"etc/hostname": "guest\n",
	"etc/hosts":    "127.0.0.1 localhost guest\n",
	// There is no udev to load what the port needs, nor to announce the disks.
	"etc/modules-load.d/port.conf": "virtio_pci\nvirtio_console\n",
	"etc/systemd/system/inside.service": `[Unit]
Description=Commands of the test
[Service]
ExecStartPre=mount -o ro /dev/nvme0n2 /test
ExecStart=/test/inside
[Install]
WantedBy=multi-user.target
`,
	"etc/systemd/system/multi-user.target.wants/inside.service": "-> ../inside.service",
	"etc/systemd/journald.conf":                                 "[Journal]\nStorage=volatile\nForwardToConsole=yes\nMaxLevelConsole=warning\n",
}

// unwanted costs time when the guest starts, which an emulated one does not have. The tests start Docker.
var unwanted = []string{
	"etc/systemd/system/multi-user.target.wants/docker.service", "etc/systemd/system/multi-user.target.wants/containerd.service",
	"etc/systemd/system/multi-user.target.wants/e2scrub_reap.service", "etc/systemd/system/getty.target.wants",
	"etc/systemd/system/timers.target.wants", "var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale",
}

// System is what a guest is booted from.
type System struct {
	Kernel string // vmlinuz
	Root   string // a disk with an ext4 file system, for many guests: none writes to it
}

// Make returns the system, which is made by debootstrap from the mirror that this machine is set up for, with its suite changed,
// and kept below build/cache. Only root can make it.
func Make(ctx context.Context, checkout string) (System, error) {
	cache := filepath.Join(checkout, "build", "cache")
	name := filepath.Join(cache, "guest-"+recipe())
	out := System{Kernel: name + ".vmlinuz", Root: name + ".img"}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return out, err
	}
	unlock, err := lock(filepath.Join(cache, ".guest.lock"))
	if err != nil {
		return out, err
	}
	defer unlock()
	if _, err := os.Stat(out.Root); err == nil { // it is renamed last
		return out, nil
	}
	if os.Geteuid() != 0 {
		return out, errors.New("only root can make the root of the guest (debootstrap): run this as root")
	}
	for _, program := range []string{"debootstrap", "mke2fs", "dpkg-deb", "chroot"} {
		if _, err := exec.LookPath(program); err != nil {
			return out, fmt.Errorf("%w: it makes the root of the guest; run `tests/setup.sh all`, which installs it", err)
		}
	}
	if err := removeAll(cache, "guest-*", ".guest-*[0-9]"); err != nil { // of other recipes, and of a killed run
		return out, err
	}
	dir, err := os.MkdirTemp(cache, ".guest-")
	if err != nil {
		return out, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := build(ctx, dir); err != nil {
		return out, err
	}
	return out, errors.Join(os.Rename(filepath.Join(dir, "vmlinuz"), out.Kernel), os.Rename(filepath.Join(dir, "img"), out.Root))
}

// recipe tells what a root was made of.
func recipe() string {
	sum := sha256.Sum256(fmt.Append(nil, suite, series, size, packages, files, unwanted))
	return hex.EncodeToString(sum[:6])
}

func lock(name string) (unlock func(), err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { _ = file.Close() }, nil
}

func removeAll(dir string, patterns ...string) error {
	for _, p := range patterns {
		found, err := filepath.Glob(filepath.Join(dir, p))
		if err != nil {
			return err
		}
		for _, f := range found {
			if err := os.RemoveAll(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// build makes vmlinuz and img in dir.
func build(ctx context.Context, dir string) error {
	uri, keyring, err := kernel.Mirror(suite)
	if err != nil {
		return err
	}
	deb, err := kernel.Package(ctx, dir, suite, series)
	if err != nil {
		return err
	}
	root, unpacked := filepath.Join(dir, "root"), filepath.Join(dir, "kernel")
	args := []string{"debootstrap", "--variant=minbase", "--include=" + strings.Join(packages, ",")}
	if keyring != "" {
		args = append(args, "--keyring="+keyring)
	}
	if err := runApart(ctx, append(args, suite, root, uri)...); err != nil {
		return err
	}
	if err := run(ctx, "dpkg-deb", "-x", deb, unpacked); err != nil {
		return err
	}
	versions, err := filepath.Glob(filepath.Join(unpacked, "lib", "modules", "*"))
	if err != nil || len(versions) != 1 {
		return fmt.Errorf("%s has no lib/modules: %w", deb, errors.Join(err, fs.ErrNotExist))
	}
	version := filepath.Base(versions[0])
	if err := os.Rename(filepath.Join(unpacked, "boot", "vmlinuz-"+version), filepath.Join(dir, "vmlinuz")); err != nil {
		return err
	}
	if err := os.Rename(filepath.Dir(versions[0]), filepath.Join(root, "usr", "lib", "modules")); err != nil {
		return err
	}
	if err := run(ctx, "chroot", root, "/usr/sbin/depmod", version); err != nil {
		return err
	}
	if err := furnish(root); err != nil {
		return err
	}
	return run(ctx, "mke2fs", "-q", "-t", "ext4", "-d", root, filepath.Join(dir, "img"), size)
}

// furnish puts our files into a root.
func furnish(root string) error {
	for _, name := range unwanted {
		if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(root, "test"), 0o755); err != nil {
		return err
	}
	for name, content := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		err := os.WriteFile(file, []byte(content), 0o644)
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = errors.Join(os.Remove(file), os.Symlink(target, file))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, argv ...string) error { return runAs(ctx, nil, argv) }

// runApart is run for a program that mounts, and starts processes: both end with it, however it ends.
func runApart(ctx context.Context, argv ...string) error {
	return runAs(ctx, &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Cloneflags: syscall.CLONE_NEWPID}, argv)
}

func runAs(ctx context.Context, as *syscall.SysProcAttr, argv []string) error {
	cmd := exec.CommandContext(ctx, "nice", append([]string{"-n", "10"}, argv...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	cmd.SysProcAttr = as
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", argv[0], err, tail(string(said), 2000))
	}
	return nil
}

// tail is the end of a text.
func tail(text string, most int) string { return text[max(0, len(text)-most):] }
