package guest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/tests/guest/wire"
)

// Machine is a guest that runs.
type Machine struct {
	port    net.Conn
	console *os.File // what kernel and services say
	cancel  context.CancelFunc
	ended   chan struct{} // closed when qemu has ended
	err     error         // of qemu; read after ended

	mu      sync.Mutex
	last    int
	waiting map[int]chan wire.Answer
}

// Boot starts a guest with a second disk for /test, and returns when it takes commands. What it says goes to the file console.
func Boot(ctx context.Context, s System, disk, console string) (*Machine, error) {
	const qemu = "qemu-system-x86_64"
	if _, err := exec.LookPath(qemu); err != nil {
		return nil, fmt.Errorf("%w: it runs the guest; run `tests/setup.sh all`, which installs it", err)
	}
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	m := &Machine{port: ours, ended: make(chan struct{}), waiting: map[int]chan wire.Answer{}}
	if m.console, err = os.Create(console); err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.cancel = cancel
	// Without an initial RAM disk: of the disks that qemu has, Debian's kernel for clouds has NVMe built in.
	cmd := exec.CommandContext(life, "nice", "-n", "10", qemu, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048",
		"-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", s.Kernel,
		"-drive", "if=none,id=root,format=raw,snapshot=on,file="+s.Root, "-drive", "if=none,id=test,format=raw,readonly=on,file="+disk,
		"-device", "nvme,id=nvme,serial=dce", "-device", "nvme-ns,drive=root,nsid=1", "-device", "nvme-ns,drive=test,nsid=2",
		"-chardev", "socket,id=port,fd=3", "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=port,nr=1",
		"-append", "console=ttyS0 root=/dev/nvme0n1 rw quiet panic=-1 random.trust_cpu=on tsc=reliable systemd.unified_cgroup_hierarchy=1")
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = m.console, m.console, []*os.File{theirs}
	// It ends with this process, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the signal comes when the thread ends that started it
		defer runtime.UnlockOSThread()
		defer close(m.ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			m.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, errors.Join(err, m.Close())
	}
	up := make(chan wire.Answer, 1)
	m.waiting[0] = up
	go m.read()
	if _, err := m.await(ctx, up); err != nil {
		return nil, errors.Join(fmt.Errorf("the guest does not come up: %w", err), m.Close())
	}
	return m, nil
}

// socketpair returns one end to read and write here, and one to hand over.
func socketpair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "port"), os.NewFile(uintptr(fds[1]), "port of the guest")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, nil, errors.Join(err, theirs.Close())
	}
	return conn, theirs, nil
}

// read hands out the answers until the port is closed.
func (m *Machine) read() {
	for in := json.NewDecoder(m.port); ; {
		var a wire.Answer
		if in.Decode(&a) != nil {
			return
		}
		m.mu.Lock()
		to := m.waiting[a.ID]
		delete(m.waiting, a.ID)
		m.mu.Unlock()
		if to != nil {
			to <- a
		}
	}
}

// Run runs a command in the guest and waits for its end. The error says that this could not be had, with the end of what the
// guest's console says; a command that fails is none.
func (m *Machine) Run(ctx context.Context, c wire.Command) (wire.Answer, error) {
	to := make(chan wire.Answer, 1)
	m.mu.Lock()
	m.last++
	c.ID = m.last
	m.waiting[c.ID] = to
	line, err := json.Marshal(c)
	if err == nil {
		_, err = m.port.Write(append(line, '\n'))
	}
	m.mu.Unlock()
	if err != nil {
		return wire.Answer{}, fmt.Errorf("%q can't be run in the guest: %w\n%s", c.Argv, err, m.Console())
	}
	a, err := m.await(ctx, to)
	if err == nil && a.Failure != "" {
		err = errors.New(a.Failure)
	}
	if err != nil {
		err = fmt.Errorf("%q in the guest: %w", c.Argv, err)
	}
	return a, err
}

func (m *Machine) await(ctx context.Context, to <-chan wire.Answer) (wire.Answer, error) {
	select {
	case a := <-to:
		return a, nil
	case <-m.ended:
		return wire.Answer{}, fmt.Errorf("qemu has ended: %w\n%s", errors.Join(m.err, io.EOF), m.Console())
	case <-ctx.Done():
		return wire.Answer{}, fmt.Errorf("%w\n%s", ctx.Err(), m.Console())
	}
}

// Console is the end of what kernel and services said.
func (m *Machine) Console() string {
	all, err := os.ReadFile(m.console.Name())
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("the guest's console (%s) ends with:\n%s", m.console.Name(), strings.ReplaceAll(tail(string(all), 4000), "\r", ""))
}

// Close ends the guest as a power cut does. Nothing of it stays.
func (m *Machine) Close() error {
	m.cancel()
	<-m.ended
	return errors.Join(m.port.Close(), m.console.Close())
}
