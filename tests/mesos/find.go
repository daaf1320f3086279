package mesos

import (
	"fmt"
	"os"
	"path/filepath"
)

// The environment that names the Mesos to run against.
const (
	envBin    = "MESOS_BIN"       // folder with mesos-master and mesos-agent
	envLib    = "MESOS_LIB"       // folder with libmesos.so; the dynamic linker finds all libraries of the two there first
	envModule = "DCE_TEST_MODULE" // libmesos_dce.so built for that Mesos, libdcecore.so beside it; default: the checkout's lib/
)

// installation is a Mesos, and our module for it.
type installation struct {
	master, agent string // programs
	lib           string // folder
	module        string // libmesos_dce.so
}

// find reads the environment. An error is one sentence that says what to set or to build.
func find(getenv func(string) string, checkout string) (installation, error) {
	bin, lib := getenv(envBin), getenv(envLib)
	if bin == "" || lib == "" {
		return installation{}, fmt.Errorf("there is no Mesos to run against: set %s to the folder with mesos-master and mesos-agent and %s to "+
			"the folder with libmesos.so, and build the module for it with `make module MESOS=-DMesos_ROOT=…` (docs/module.md)", envBin, envLib)
	}
	in := installation{master: filepath.Join(bin, "mesos-master"), agent: filepath.Join(bin, "mesos-agent"), lib: lib, module: getenv(envModule)}
	if in.module == "" {
		in.module = filepath.Join(checkout, "lib", "libmesos_dce.so")
	}
	for _, one := range []struct{ path, fix string }{
		{in.master, envBin + " is the folder with mesos-master and mesos-agent"},
		{in.agent, envBin + " is the folder with mesos-master and mesos-agent"},
		{filepath.Join(lib, "libmesos.so"), envLib + " is the folder with libmesos.so"},
		{in.module, "build it for this Mesos with `make module MESOS=-DMesos_ROOT=…` (docs/module.md), or name it in " + envModule},
		{filepath.Join(filepath.Dir(in.module), "libdcecore.so"), "the core has to be beside the module: `make module` builds both"},
	} {
		if _, err := os.Stat(one.path); err != nil {
			return installation{}, fmt.Errorf("%w; %s", err, one.fix)
		}
	}
	return in, nil
}
