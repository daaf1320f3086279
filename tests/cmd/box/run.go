package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/tests/box"
	"github.com/dce-go/dce/tests/images"
)

type runner struct {
	private, images, clean bool
	name                   string
	patience               time.Duration // with what seems to be left
}

// run returns the exit code of the command, and what went wrong around it.
func (r runner) run(args []string) (code int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	checkout, err := box.Checkout()
	if err != nil {
		return 1, err
	}
	if !r.private {
		host, err := engineThere(ctx)
		if err != nil {
			return 1, err
		}
		if host != "" {
			return r.with(ctx, checkout, host, args)
		}
		fmt.Println("No Docker engine answers, so a private one is started.")
	}
	before := box.LookAtHost()
	b, err := box.Start(ctx, box.Options{Name: r.name, Checkout: checkout})
	if err != nil {
		return 1, err
	}
	code, err = r.with(ctx, checkout, b.Host(), args)
	errs := []error{err}
	var left []string
	if r.clean {
		left, err = b.Left(context.WithoutCancel(ctx))
		errs = append(errs, err)
	}
	errs = append(errs, b.Stop())
	_, err = box.Clean(checkout)
	errs = append(errs, err)
	if r.clean {
		left = append(left, settled(r.patience, func() []string { return before.Left(b) })...)
	}
	before.Tidy()
	if len(left) > 0 {
		errs = append(errs, fmt.Errorf("%s left behind:\n  %s", args[0], strings.Join(left, "\n  ")))
	}
	return code, errors.Join(errs...)
}

// settled looks until nothing is left, or until patience is over, and returns what every look has found. What belongs to tests
// of another checkout comes and goes, and the kernel lets go of cgroups a moment after their processes.
func settled(patience time.Duration, look func() []string) []string {
	left := look()
	for deadline := time.Now().Add(patience); len(left) > 0 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		found := look()
		left = slices.DeleteFunc(left, func(one string) bool { return !slices.Contains(found, one) })
	}
	return left
}

// engineThere finds the engine as the docker command line does. It is "" where none answers and none was asked for by name.
func engineThere(ctx context.Context) (host string, err error) {
	docker, err := engine.Connect(ctx, engine.ConnectOptions{})
	if err == nil {
		return docker.Host(), docker.Close()
	}
	if errdefs.IsUnavailable(err) && os.Getenv("DOCKER_HOST") == "" && os.Getenv("DOCKER_CONTEXT") == "" {
		return "", nil
	}
	return "", fmt.Errorf("%w; without DOCKER_HOST and DOCKER_CONTEXT a private engine is started", err)
}

// with runs the command with an engine, which has the images if they are asked for.
func (r runner) with(ctx context.Context, checkout, host string, args []string) (code int, err error) {
	if r.images {
		if err := load(ctx, checkout, host); err != nil {
			return 1, err
		}
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+host, box.EnvHost+"="+host)
	// A group of its own: a Ctrl-C on the terminal reaches us alone, and we pass it on once, to all of the group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 127, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = syscall.Kill(-cmd.Process.Pid, s.(syscall.Signal))
		case err := <-ended:
			return result(err)
		}
	}
}

// result is the exit code as a shell gives it.
func result(err error) (code int, other error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return 0, err
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return exit.ExitCode(), nil
}

func load(ctx context.Context, checkout, host string) error {
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	defer func() { _ = cli.Close() }()
	loaded, err := images.Load(ctx, cli, checkout)
	if len(loaded) > 0 {
		fmt.Println("Images made and loaded:", strings.Join(loaded, ", "))
	}
	return err
}
