// Package reap shows that nothing of a pod is left, however its executor, its agent or the engine died, and that nothing else is
// touched. Every scenario starts from a pod that bin/dce-executor has made under the embedded agent, drives the core of the
// agent module through its operations in the agent's order, and asserts by full listings of engine and cgroups.
package reap

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/client"

	"github.com/dce-go/dce/tests/box"
	"github.com/dce-go/dce/tests/images"
)

// world is what all tests of this package share.
var world struct {
	box      *box.Box
	docker   *client.Client
	executor string // bin/dce-executor
	dce      string // bin/dce
}

func TestMain(m *testing.M) {
	if os.Getenv(childConfig) != "" {
		os.Exit(child())
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if err := start(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "reap:", err)
		return 1
	}
	defer func() {
		_ = world.docker.Close()
		if err := world.box.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "reap:", err)
		}
	}()
	return m.Run()
}

func start(ctx context.Context) (err error) {
	checkout, err := box.Checkout()
	if err != nil {
		return err
	}
	for name, path := range map[string]*string{"dce-executor": &world.executor, "dce": &world.dce} {
		*path = filepath.Join(checkout, "bin", name)
		if _, err := os.Stat(*path); err != nil {
			return fmt.Errorf("bin/%s is not built (%w): run `make build`, or `make test` for everything", name, err)
		}
	}
	if world.box, err = box.Start(ctx, box.Options{Name: "reap", LiveRestore: true}); err != nil {
		return err
	}
	if world.docker, err = world.box.Client(); err == nil {
		_, err = images.Load(ctx, world.docker, checkout)
	}
	return err
}
