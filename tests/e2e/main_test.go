// Package e2e runs dce-executor under the embedded agent against a real Docker engine of its own, and looks at what Mesos is
// told and at what is left: always by a full listing of engine and cgroups, never by our own labels.
package e2e

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

// world is what all tests of this package share.
var world struct {
	box      *box.Box
	docker   *client.Client
	executor string // path of dce-executor
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var remove func() error
	checkout, err := box.Checkout()
	if err == nil {
		world.executor, remove, err = program.Executor(checkout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	defer func() { _ = remove() }()
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
