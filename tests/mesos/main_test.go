//go:build mesos

package mesos

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/docker/docker/client"

	"github.com/dce-go/dce/tests/box"
	"github.com/dce-go/dce/tests/images"
	"github.com/dce-go/dce/tests/program"
)

// world is what all scenarios share.
var world struct {
	mesos    installation
	box      *box.Box
	docker   *client.Client
	executor string // dce-executor
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	stop, err := start(context.Background())
	defer func() {
		if err := stop(); err != nil {
			fmt.Fprintln(os.Stderr, "mesos:", err)
		}
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mesos:", err)
		return 1
	}
	return m.Run()
}

func start(ctx context.Context) (stop func() error, err error) {
	stop = func() error { return nil }
	checkout, err := box.Checkout()
	if err != nil {
		return stop, err
	}
	if world.mesos, err = find(os.Getenv, checkout); err != nil {
		return stop, err
	}
	if world.executor, stop, err = program.Executor(checkout); err != nil {
		return func() error { return nil }, err
	}
	if world.box, err = box.Start(ctx, box.Options{Name: "mesos", LiveRestore: true}); err != nil {
		return stop, err
	}
	remove := stop
	stop = func() error {
		if world.docker != nil {
			_ = world.docker.Close()
		}
		if err := world.box.Stop(); err != nil {
			return err
		}
		return remove()
	}
	if world.docker, err = world.box.Client(); err == nil {
		_, err = images.Load(ctx, world.docker, checkout)
	}
	return stop, err
}
