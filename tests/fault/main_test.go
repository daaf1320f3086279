// Package fault runs dce-executor under the embedded agent against private Docker engines that are restarted, stopped, killed
// and lied about, in every state of a pod, and looks at what Mesos is told and at what is left.
package fault

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/dce-go/dce/tests/box"
	"github.com/dce-go/dce/tests/harness"
	"github.com/dce-go/dce/tests/program"
)

// engine is a private engine that all tests of this package share; each leaves it up and empty.
type engine struct {
	*harness.Engine
	box    *box.Box       // of the engine
	docker *client.Client // of the engine
	live   bool           // with live-restore
}

var (
	plain, live *engine
	registry    *box.Registry
	executor    string // path of dce-executor
)

func TestMain(m *testing.M) { harness.Main(m, "fault", run) }

func run(m *testing.M) (code int, err error) {
	checkout, err := box.Checkout()
	if err != nil {
		return 1, err
	}
	var remove func() error
	if executor, remove, err = program.Executor(checkout); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	for _, e := range []struct {
		is   **engine
		name string
		live bool
	}{{&plain, "fault", false}, {&live, "fault-live", true}} {
		started, startErr := harness.Start(context.Background(), box.Options{Name: e.name, LiveRestore: e.live})
		if startErr != nil {
			return 1, startErr
		}
		defer func() { err = errors.Join(err, started.Stop()) }()
		*e.is = &engine{started, started.Box, started.Docker, e.live}
	}
	dir, err := os.MkdirTemp("", "dce-registry")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if registry, err = box.StartRegistry(context.Background(), dir); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, registry.Stop()) }()
	return m.Run(), nil
}

// progress reads what an engine says of a pull or push to its end.
func progress(r io.ReadCloser) error {
	return errors.Join(jsonmessage.DisplayJSONMessagesStream(r, io.Discard, 0, false, nil), r.Close())
}
