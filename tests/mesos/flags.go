package mesos

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
)

// The names of our modules.
const (
	hookModule     = "org_apache_mesos_ComposePodCleanupHook"
	isolatorModule = "org_apache_mesos_ComposePodIsolator"
)

// site is where a test's master and agent live.
type site struct {
	dir        string // all their folders and files are below
	root       string // --cgroups_root
	masterPort int
	agentPort  int
	engine     string // docker host
	module     string // libmesos_dce.so
	posix      bool   // the posix launcher and no cgroups, as on hosts that have none
}

func (s site) workDir() string    { return filepath.Join(s.dir, "agent") }
func (s site) runtimeDir() string { return filepath.Join(s.dir, "run") }
func (s site) modules() string    { return filepath.Join(s.dir, "modules.json") }

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// modulesJSON is the file for --modules, as module-cpp/dce.json.in has it.
func (s site) modulesJSON() ([]byte, error) {
	type parameter struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	type module struct {
		Name       string      `json:"name"`
		Parameters []parameter `json:"parameters"`
	}
	type library struct {
		File    string   `json:"file"`
		Modules []module `json:"modules"`
	}
	parameters := []parameter{{"cgroups_root", s.root}, {"runtime_dir", s.runtimeDir()}, {"docker_host", s.engine}, {"grace", "0secs"}, {"log_level", "debug"}}
	return json.Marshal(struct {
		Libraries []library `json:"libraries"`
	}{[]library{{s.module, []module{{hookModule, parameters}, {isolatorModule, parameters}}}}})
}

func (s site) masterFlags() []string {
	return []string{
		"--ip=127.0.0.1", fmt.Sprintf("--port=%d", s.masterPort), "--hostname=localhost", "--no-hostname_lookup",
		"--work_dir=" + filepath.Join(s.dir, "master"), "--registry=in_memory", "--allocation_interval=100ms",
	}
}

func (s site) agentFlags() []string {
	launcher, isolation := "linux", "filesystem/posix,cgroups/cpu,cgroups/mem,"+isolatorModule
	if s.posix {
		launcher, isolation = "posix", "filesystem/posix,posix/cpu,posix/mem,"+isolatorModule
	}
	return []string{
		"--master=" + address(s.masterPort), "--ip=127.0.0.1", fmt.Sprintf("--port=%d", s.agentPort), "--hostname=localhost", "--no-hostname_lookup",
		"--work_dir=" + s.workDir(), "--runtime_dir=" + s.runtimeDir(), "--fetcher_cache_dir=" + filepath.Join(s.dir, "fetch"),
		"--resources=cpus:4;mem:1024;disk:1024;ports:[31000-31099]",
		"--containerizers=mesos", "--launcher=" + launcher, "--isolation=" + isolation, "--cgroups_root=" + s.root, "--cgroups_enable_cfs",
		"--no-systemd_enable_support", "--registration_backoff_factor=10ms",
		"--modules=file://" + s.modules(), "--hooks=" + hookModule,
	}
}
