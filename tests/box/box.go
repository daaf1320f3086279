// Package box starts private Docker engines for tests and for the example: each with its own containerd, data root, exec
// root, socket, bridge, address block, cgroup parent and lock, so that an engine of the host is never touched.
// It is the set-up of tests only: nothing that is shipped imports it.
package box

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"
)

// EnvHost names the private engine for the tests that run inside it: a docker host URL.
const EnvHost = "DCE_TEST_DOCKER_HOST"

// Options of a private engine. The zero value is a plain one.
type Options struct {
	// Name tells the engines of one checkout apart ("box" if empty). One name is one engine at a time: its data root
	// is kept, so that images survive and the next start costs little.
	Name string
	// Checkout is the folder below which the data is kept; empty: the Go module around the working directory.
	Checkout string
	// LiveRestore keeps containers running while dockerd is away.
	LiveRestore bool
	// Systemd makes the engine use the systemd cgroup driver (containers start only where systemd runs).
	Systemd bool
	// Fresh empties the data root first.
	Fresh bool
	// Args are further flags of dockerd; they win over ours.
	Args []string
}

// Box is a private engine that runs. Its methods are for one goroutine at a time.
type Box struct {
	opts       Options
	paths      paths
	lock       *os.File
	net        block
	containerd *process
	dockerd    *process
}

// Start starts a private engine and returns when it answers. What a killed run of the same name left is cleaned first.
func Start(ctx context.Context, opts Options) (*Box, error) {
	p, err := locate(opts.Checkout, opts.Name)
	if err != nil {
		return nil, err
	}
	if err := able(p); err != nil {
		return nil, err
	}
	b := &Box{opts: opts, paths: p}
	if b.lock, err = acquire(p); err != nil {
		return nil, err
	}
	if err := b.start(ctx); err != nil {
		return nil, errors.Join(err, b.Stop())
	}
	return b, nil
}

// ForTest is Start for a test: it fails the test instead of returning an error, and stops the engine when the test ends.
// The test's own name is the engine's.
func ForTest(t testing.TB, opts Options) *Box {
	t.Helper()
	if opts.Name == "" {
		opts.Name = t.Name()
	}
	ctx, cancel := context.WithTimeout(context.Background(), blockPatience+time.Minute)
	defer cancel()
	b, err := Start(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *Box) start(ctx context.Context) error {
	if err := sweep(b.paths); err != nil {
		return fmt.Errorf("what an earlier run of engine %q left can't be cleaned: %w", b.paths.name, err)
	}
	old := filepath.Join(b.paths.dockerRoot(), "network") // what dockerd remembers of networks, whose addresses may be another's now
	if b.opts.Fresh {
		old = b.paths.dockerRoot()
	}
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := b.paths.make(); err != nil {
		return err
	}
	var err error
	if b.net, err = awaitBlock(ctx, func() (block, error) { return claimBlock(b.paths) }); err != nil {
		return err
	}
	if b.containerd, err = startContainerd(ctx, b.paths); err != nil {
		return err
	}
	if err := b.Up(ctx); err != nil {
		return err
	}
	return b.empty() // of what a killed run left in the data root
}

// Host is the engine's address as DOCKER_HOST takes it.
func (b *Box) Host() string { return "unix://" + b.paths.socket() }

// Log is the path of dockerd's log.
func (b *Box) Log() string { return b.paths.log("dockerd") }

// Cgroup is the parent of the cgroups of containers that name none, below the root of each hierarchy.
func (b *Box) Cgroup() string { return b.paths.cgroup() }

// PID is the process id of dockerd, 0 while it is down.
func (b *Box) PID() int {
	if b.dockerd == nil {
		return 0
	}
	return b.dockerd.cmd.Process.Pid
}

// Client connects to the engine. The caller closes it.
func (b *Box) Client() (*client.Client, error) {
	return client.NewClientWithOpts(client.WithHost(b.Host()), client.WithAPIVersionNegotiation())
}

// Up starts dockerd again after Kill or Down, and returns when it answers.
func (b *Box) Up(ctx context.Context) error {
	if b.dockerd != nil {
		return nil
	}
	var err error
	b.dockerd, err = startDockerd(ctx, b.paths, b.net, b.opts)
	return err
}

// Down ends dockerd as an operator does, with SIGTERM, and waits for its end. containerd stays, as on a real host, and with
// LiveRestore the containers do too.
func (b *Box) Down() error {
	if b.dockerd == nil {
		return nil
	}
	err := b.dockerd.end(30 * time.Second)
	b.dockerd = nil
	return err
}

// Restart is Down and Up.
func (b *Box) Restart(ctx context.Context) error {
	if err := b.Down(); err != nil {
		return err
	}
	return b.Up(ctx)
}

// Kill ends dockerd with SIGKILL and waits for its end. containerd and the containers stay.
func (b *Box) Kill() error {
	if b.dockerd == nil {
		return nil
	}
	err := b.dockerd.kill()
	b.dockerd = nil
	return err
}

// Pause stops dockerd with SIGSTOP: its socket accepts connections and never answers. It returns when every thread stands.
func (b *Box) Pause() error {
	if err := b.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for !stopped(b.PID()) {
		time.Sleep(time.Millisecond)
	}
	return nil
}

// Resume ends Pause.
func (b *Box) Resume() error { return b.signal(syscall.SIGCONT) }

func (b *Box) signal(s syscall.Signal) error {
	if b.dockerd == nil {
		return fmt.Errorf("dockerd of engine %q is down: start it with Up before sending %v", b.paths.name, s)
	}
	return b.dockerd.cmd.Process.Signal(s)
}

// Stop removes all containers, networks and volumes, ends dockerd and containerd, and removes bridge, mounts and cgroups.
// The data root stays, with the images. A second call does nothing.
func (b *Box) Stop() error {
	if b.lock == nil {
		return nil
	}
	var errs []error
	if b.dockerd != nil {
		errs = append(errs, b.Resume(), b.empty(), b.Down())
	}
	if b.containerd != nil {
		errs = append(errs, b.containerd.end(10*time.Second))
		b.containerd = nil
	}
	errs = append(errs, sweep(b.paths), b.lock.Close())
	b.lock = nil
	return errors.Join(errs...)
}
