// Package program finds the executor that tests run: the one that `make build` built, or one with the race detector. It builds
// nothing that is shipped.
package program

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// RaceVar is set to 1 by those who want an executor with the race detector, which needs a C compiler to be built. A race ends
// it with exit status 66.
const RaceVar = "DCE_TEST_RACE"

// Executor returns the path of dce-executor, and what removes it if it was built for this call.
func Executor(checkout string) (path string, remove func() error, err error) {
	path = filepath.Join(checkout, "bin", "dce-executor")
	if os.Getenv(RaceVar) != "1" {
		if _, err := os.Stat(path); err != nil {
			return "", nil, fmt.Errorf("bin/dce-executor is not built (%w): run `make build`, or `make test` for everything", err)
		}
		return path, func() error { return nil }, nil
	}
	dir, err := os.MkdirTemp("", "dce-race")
	if err != nil {
		return "", nil, err
	}
	path = filepath.Join(dir, "dce-executor")
	build := exec.Command("go", "build", "-race", "-o", path, "./go/cmd/dce-executor")
	build.Dir, build.Env = checkout, append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, fmt.Errorf("dce-executor can't be built with the race detector: %w: %s", err, out)
	}
	return path, func() error { return os.RemoveAll(dir) }, nil
}
