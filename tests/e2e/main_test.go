// Package e2e runs dce-executor under the embedded agent against a real Docker engine of its own, and looks at what Mesos is
// told and at what is left: always by a full listing of engine and cgroups, never by our own labels.
package e2e

import (
	"context"
	"errors"
	"testing"

	"github.com/docker/docker/client"

	"github.com/dce-go/dce/tests/box"
	"github.com/dce-go/dce/tests/harness"
	"github.com/dce-go/dce/tests/program"
)

// world is what all tests of this package share.
var world struct {
	*harness.Engine
	box      *box.Box       // of the engine
	docker   *client.Client // of the engine
	executor string         // path of dce-executor
}

func TestMain(m *testing.M) { harness.Main(m, "e2e", run) }

func run(m *testing.M) (code int, err error) {
	checkout, err := box.Checkout()
	if err != nil {
		return 1, err
	}
	var remove func() error
	if world.executor, remove, err = program.Executor(checkout); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if world.Engine, err = harness.Start(context.Background(), box.Options{Name: "e2e"}); err != nil {
		return 1, err
	}
	world.box, world.docker = world.Box, world.Docker
	defer func() { err = errors.Join(err, world.Stop()) }()
	return m.Run(), nil
}
