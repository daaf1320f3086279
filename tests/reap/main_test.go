// Package reap shows that nothing of a pod is left, however its executor, its agent or the engine died, and that nothing else is
// touched. Every scenario starts from a pod that bin/dce-executor has made under the embedded agent, which tells the C++ host
// program with the agent module in it what an agent's own hook and isolator are told, in an agent's order; nobody else tells
// the core anything. Full listings of engine and cgroups before and after say what became of it.
package reap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/client"

	"github.com/dce-go/dce/tests/box"
	"github.com/dce-go/dce/tests/harness"
)

// world is what all tests of this package share.
var world struct {
	*harness.Engine
	box       *box.Box       // of the engine
	docker    *client.Client // of the engine
	registry  *box.Registry
	checkout  string
	executor  string // bin/dce-executor
	dce       string // bin/dce
	program   string // the C++ host program
	module    string // the test variant of the module
	core      string // libdcecore.so
	wrongCore string // a core of another version of the interface
}

// built are the files that this package needs, below the checkout.
var built = map[*string]string{
	&world.executor: "bin/dce-executor", &world.dce: "bin/dce", &world.program: "build/cmake/dev/tests/module/dce_module_host",
	&world.module: "build/cmake/dev/tests/double/libmesos_dce_double.so", &world.core: "build/cmake/dev/core/libdcecore.so",
	&world.wrongCore: "build/cmake/dev/tests/abi/libdcecore_version.so",
}

func TestMain(m *testing.M) { harness.Main(m, "reap", run) }

func run(m *testing.M) (code int, err error) {
	ctx := context.Background()
	if world.checkout, err = box.Checkout(); err != nil {
		return 1, err
	}
	for path, name := range built {
		*path = filepath.Join(world.checkout, name)
		if _, err := os.Stat(*path); err != nil {
			return 1, fmt.Errorf("%s is not built (%w): run `make build`, or `make test` for everything", name, err)
		}
	}
	if world.Engine, err = harness.Start(ctx, box.Options{Name: "reap", LiveRestore: true}); err != nil {
		return 1, err
	}
	world.box, world.docker = world.Box, world.Docker
	defer func() { err = errors.Join(err, world.Stop(), forgetCores()) }()
	dir, err := os.MkdirTemp("", "dce-registry")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if world.registry, err = box.StartRegistry(ctx, dir); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, world.registry.Stop()) }()
	if err := settleNeighbours(ctx); err != nil {
		return 1, err
	}
	go watchStalls()
	return m.Run(), nil
}
