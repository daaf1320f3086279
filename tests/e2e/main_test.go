// Package e2e runs dce-executor under the embedded agent against a real Docker engine of its own, and looks at what Mesos is
// told and at what is left: always by a full listing of engine and cgroups, never by our own labels.
package e2e

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
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	checkout, err := box.Checkout()
	if err == nil {
		world.executor = filepath.Join(checkout, "bin", "dce-executor")
		if _, err = os.Stat(world.executor); err != nil {
			err = fmt.Errorf("bin/dce-executor is not built (%w): run `make build`, or `make test` for everything", err)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	ctx := context.Background()
	world.box, err = box.Start(ctx, box.Options{Name: "e2e"})
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer func() {
		if err := world.box.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
		}
	}()
	world.docker, err = world.box.Client()
	if err == nil {
		_, err = images.Load(ctx, world.docker, checkout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer func() { _ = world.docker.Close() }()
	return m.Run()
}
