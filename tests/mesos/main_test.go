//go:build mesos

package mesos

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/dce-go/dce/tests/box"
	"github.com/dce-go/dce/tests/harness"
	"github.com/dce-go/dce/tests/program"
)

// world is what all scenarios share.
var world struct {
	*harness.Engine
	mesos    installation
	executor string // dce-executor
}

func TestMain(m *testing.M) { harness.Main(m, "mesos", run) }

func run(m *testing.M) (code int, err error) {
	checkout, err := box.Checkout()
	if err != nil {
		return 1, err
	}
	if world.mesos, err = find(os.Getenv, checkout); err != nil {
		return 1, err
	}
	var remove func() error
	if world.executor, remove, err = program.Executor(checkout); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if world.Engine, err = harness.Start(context.Background(), box.Options{Name: "mesos", LiveRestore: true}); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, world.Stop()) }()
	return m.Run(), nil
}
