package doctor

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/reaper"
)

// healthy is a host on which nothing is wrong: an agent with the module, Docker, cgroup v1.
func healthy() Facts {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	version := uint32(2)
	const so, coreSO = "/usr/lib/mesos/modules/libmesos_dce.so", "/usr/lib/mesos/modules/libdcecore.so"
	library := Library{Path: so, Machine: machine(), Class: elf.ELFCLASS64, Shared: true, Version: &version, Mesos: "1.11.0",
		Symbols: map[string]bool{hookName: true, isolatorName: true}}
	theCore := Library{Path: coreSO, Machine: machine(), Class: elf.ELFCLASS64, Shared: true, Version: &version, Symbols: map[string]bool{},
		Go: &GoProgram{coreSO, "go1.26", "github.com/dce-go/dce/cgo-bridge"}}
	for _, f := range coreFunctions {
		theCore.Symbols[f] = true
	}
	parameters := []Parameter{{"cgroups_root", "mesos"}, {"runtime_dir", "/var/run/mesos"}}
	f := Facts{User: 0}
	f.Agents.Value = []Agent{{PID: 7, Flags: map[string]string{
		"work_dir": "/var/lib/mesos", "cgroups_root": "mesos", "containerizers": "docker,mesos", "hooks": hookName, "isolation": "cgroups/mem," + isolatorName,
	}, Programs: []GoProgram{*theCore.Go}}}
	f.Asked = Options{}.complete(&f.Agents.Value[0])
	f.Settings.Value = Settings{UseHierarchy: "enforce"}
	f.Engine.Value = Engine{Host: "unix:///var/run/docker.sock", Source: "Docker's default", Local: true, Asked: now, Took: 2 * time.Millisecond,
		Info: engine.Info{Version: "28.5.2", APIVersion: "1.51", CgroupDriver: "cgroupfs", CgroupVersion: "1", RootDir: "/var/lib/docker", LiveRestore: true,
			Storage: "overlay2", StorageStatus: map[string]string{"Supports d_type": "true"}, Time: now}}
	f.Cgroups.Value = Cgroups{Version: cgroup.V1, Agent: "/mesos", SwapLimit: true, SwapFile: "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", Missing: map[string]error{}}
	f.Systemd.Value = "252"
	f.Kernel.Value = Kernel{Release: "6.1.0-13-amd64", SwapKB: 1 << 20, Forwards: "1", Bridges: "1"}
	f.Clock.Value = Clock{Now: now, Synchronized: true, MaxError: time.Millisecond, Built: now.Add(-time.Hour)}
	f.WorkDir.Value = Disk{Path: "/var/lib/mesos", Wanted: "/var/lib/mesos", Free: 50 << 30, Total: 100 << 30, FreeInodes: 900_000, Inodes: 1_000_000}
	f.DockerDir.Value = Disk{Path: "/var/lib/docker", Wanted: "/var/lib/docker", Free: 50 << 30, Total: 100 << 30}
	f.Limits.Value = Limits{Of: "the agent, process 7", OpenFiles: 65536, Processes: 300, MaxPIDs: 32768, Threads: 60000, Groups: []PIDGroup{{"/sys/fs/cgroup/pids/x/pids.max", 100, 5000}}}
	f.Executor.Value = Program{Path: "/usr/local/bin/dce-executor", Mode: 0o755, Static: true, Machine: machine(), Main: "github.com/dce-go/dce/go/cmd/dce-executor"}
	f.Modules.Value = Modules{
		Manifests: []Manifest{{Source: "/etc/mesos/modules/dce.json", Libraries: []Entry{{Path: so, File: Seen[Library]{Value: library}, Modules: []Module{{hookName, parameters}, {isolatorName, slices.Clone(parameters)}}}}}},
		Cores:     map[string]Seen[Library]{coreSO: {Value: theCore}},
	}
	return f
}

func TestNothingIsWrong(t *testing.T) {
	r := Decide(healthy())
	require.Len(t, r.Findings, len(Checks))
	for i, one := range r.Findings {
		require.Equal(t, Checks[i].Name, one.Check)
		require.Equal(t, OK, one.Level, "%s: %s", one.Check, one)
		require.NotEmpty(t, one.Saw)
		require.Empty(t, one.Fix)
	}
	require.Equal(t, "a pod would run here", r.Verdict)
	require.True(t, r.PodRuns)
}

// entry is the library of the healthy host, and its modules.
func (f *Facts) entry() *Entry { return &f.Modules.Value.Manifests[0].Libraries[0] }

func (f *Facts) core(change func(*Seen[Library])) {
	for path, l := range f.Modules.Value.Cores {
		l.Value.Symbols = maps.Clone(l.Value.Symbols)
		change(&l)
		f.Modules.Value.Cores[path] = l
	}
}

var (
	errSilent  = fmt.Errorf("the Docker engine did not answer within 5s (Ping): it hangs or is overloaded, look into dockerd's log%w", wordless{errdefs.ErrUnavailable})
	errLate    = &lateError{"the thing", 5 * time.Second}
	errDenied  = &fs.PathError{Op: "open", Path: "/proc/1/environ", Err: fs.ErrPermission}
	errMissing = &fs.PathError{Op: "open", Path: "/nowhere", Err: fs.ErrNotExist}
	hierarchy  = func(children ...string) error {
		return &cgroup.HierarchyError{File: "/sys/fs/cgroup/memory/mesos/memory.use_hierarchy", Children: children}
	}
)

// wordless is the class of an error without its text.
type wordless struct{ error }

func (wordless) Error() string   { return "" }
func (w wordless) Unwrap() error { return w.error }

// wrong is one thing that is wrong with a host, and what the check of that name says then.
type wrong struct {
	check  string
	change func(*Facts)
	level  Level
	says   string // "|" separates what the sentence has in it
}

var wrongs = []wrong{
	{"agent", func(f *Facts) { f.Agents.Value = nil }, OK, "none runs here|--cgroups_root mesos|--work_dir /var/lib/mesos"},
	{"agent", func(f *Facts) { f.Agents.Err = errMissing }, Unknown, "/nowhere"},
	{"agent", func(f *Facts) { f.Asked.WorkDir = "/else" }, Warn, "no agent with --work_dir /else|process 7 with /var/lib/mesos|give the --work-dir"},
	{"agent", func(f *Facts) { f.Agents.Value = append(f.Agents.Value, Agent{PID: 8}) }, Warn, "2 agents run here|process 7"},
	{"agent", func(f *Facts) { f.Agents.Value[0].Partly = true; f.User = 1000 }, Unknown, "process 7|user 1000|as root"},
	{"agent", func(f *Facts) {
		f.Agents.Value[0].Flags["containerizers"] = "docker"
		f.Agents.Value = append(f.Agents.Value, Agent{PID: 8})
	}, Warn, "2 agents run here|--containerizers=docker|add mesos"},
	{"agent", func(f *Facts) { f.Asked.CgroupsRoot = "/else" }, Warn, "--cgroups_root=mesos|/else|correct it"},

	{"engine", func(f *Facts) { f.Engine.Err = errSilent }, Fail, "unix:///var/run/docker.sock|Docker's default|within 5s|look into dockerd's log"},
	{"engine", func(f *Facts) { f.Engine.Err = errors.New("it failed: API 404: http://x") }, Fail, "silent|it failed: API 404: http://x; look into dockerd's log, and"},
	{"engine", func(f *Facts) {
		f.Engine.Err = fmt.Errorf("none answers at unix:///var/run/docker.sock: lookup x: no such host; correct it%w", wordless{errdefs.ErrUnavailable})
	}, Fail, "lookup x: no such host; correct it"},
	{"engine", func(f *Facts) { f.Engine.Value.Local = false }, Warn, "another host's|unix:// socket"},
	{"engine", func(f *Facts) { f.Engine.Value.Rootless = true }, Fail, "without root|run dockerd as root"},

	{"api-version", func(f *Facts) { f.Engine.Value.APIVersion = "1.23" }, Fail, "1.23|1.24|upgrade Docker"},
	{"api-version", func(f *Facts) { f.Engine.Value.APIVersion = "1.40" }, Warn, "1.40|upgrade Docker"},
	{"api-version", func(f *Facts) { f.Engine.Err = errSilent }, Unknown, "engine does not answer|see engine"},

	{"storage-driver", func(f *Facts) { f.Engine.Value.Storage = "vfs" }, Warn, "vfs copies|overlay2"},
	{"storage-driver", func(f *Facts) { f.Engine.Value.Storage = "aufs" }, Warn, "aufs|do not have|overlay2"},
	{"storage-driver", func(f *Facts) { f.Engine.Value.Storage = "new" }, Warn, "new|not known"},
	{"storage-driver", func(f *Facts) { f.Engine.Value.StorageStatus["Supports d_type"] = "false" }, Warn, "no d_type|ftype=1"},
	{"storage-driver", func(f *Facts) { f.Engine.Err = errSilent }, Unknown, "see engine"},

	{"live-restore", func(f *Facts) { f.Engine.Value.LiveRestore = false }, Warn, `off|"live-restore": true`},
	{"live-restore", func(f *Facts) { f.Engine.Err = errSilent }, Unknown, "see engine"},

	{"cgroup-version", func(f *Facts) { f.Engine.Value.CgroupVersion = "2" }, Fail, "v1 here|v2|engine's host"},
	{"cgroup-version", func(f *Facts) { f.Cgroups.Value.Version = cgroup.V2 }, Fail, "v2 here|v1"},
	{"cgroup-version", func(f *Facts) { f.Cgroups.Value.ReadOnly = []string{"/sys/fs/cgroup/memory"} }, Fail, "/sys/fs/cgroup/memory is mounted read-only|writable"},
	{"cgroup-version", func(f *Facts) {
		f.Cgroups.Value.ReadOnly, f.Engine.Err = []string{"/a", "/b"}, errSilent
	}, Fail, "/a, /b are mounted"},
	{"cgroup-version", func(f *Facts) { f.Cgroups.Err = &cgroup.NotMountedError{File: "/proc/self/mountinfo"} }, Fail, "/proc/self/mountinfo|mount the cgroup"},
	{"cgroup-version", func(f *Facts) { f.Cgroups.Err = errDenied }, Unknown, "/proc/1/environ"},
	{"cgroup-version", func(f *Facts) { f.Engine.Err = errSilent }, OK, "v1 here|not known"},
	{"cgroup-version", func(f *Facts) {
		f.Cgroups.Value.Version, f.Engine.Value.CgroupVersion = cgroup.V2, "2"
	}, OK, "v2 here"},

	{"cgroup-driver", func(f *Facts) {
		f.Engine.Value.CgroupDriver, f.Systemd.Err = "systemd", errors.New("no bus")
	}, Fail, "only slices|no bus|native.cgroupdriver=cgroupfs"},
	{"cgroup-driver", func(f *Facts) { f.Engine.Value.CgroupDriver = "systemd" }, OK, "systemd (252 here)|/dce.slice and not /mesos"},
	{"cgroup-driver", func(f *Facts) {
		f.Engine.Value.CgroupDriver, f.Cgroups.Value.Version = "systemd", cgroup.V2
	}, OK, "below /dce.slice"},
	{"cgroup-driver", func(f *Facts) { f.Cgroups.Value.Version = cgroup.V2 }, OK, "/dce, beside the agent's /mesos"},
	{"cgroup-driver", func(f *Facts) { f.Agents.Value[0].Flags["isolation"] = "posix/cpu,posix/mem" }, OK, "below /dce,|no cgroups/mem"},
	{"cgroup-driver", func(f *Facts) { f.Agents.Value[0].Flags["isolation"] = "cgroups/all" }, OK, "below /mesos,"},
	{"cgroup-driver", func(f *Facts) { f.Agents.Value = nil }, OK, "below /mesos,"},
	{"cgroup-driver", func(f *Facts) { f.Engine.Value.CgroupDriver = "none" }, Fail, `"none"|cgroupfs`},
	{"cgroup-driver", func(f *Facts) { f.Engine.Err = errSilent }, Unknown, "see engine"},

	{"controllers", func(f *Facts) { f.Cgroups.Value.Missing["memory"] = errors.New("why") }, Fail, "memory can't be used|why|cgroup_enable=memory"},
	{"controllers", func(f *Facts) {
		f.Cgroups.Value.Missing["pids"], f.Cgroups.Value.Missing["blkio"] = errors.New("why"), errors.New("why")
	}, Warn, "pids can't be used|blkio can't be used|cgroup_enable=pids|cgroup_enable=blkio"},
	{"controllers", func(f *Facts) {
		f.Cgroups.Value.Missing["pids"] = &cgroup.NotMountedError{Controller: "pids", File: "/proc/self/mountinfo"}
	}, Warn,
		"it: the cgroup controller pids is not mounted, says /proc/self/mountinfo; enable it"},
	{"controllers", func(f *Facts) { f.Cgroups.Err = &cgroup.NotMountedError{File: "/proc/self/mountinfo"} }, Unknown, "mountinfo; see cgroup-version"},
	{"controllers", func(f *Facts) { f.Cgroups.Err = errMissing }, Unknown, "/nowhere"},
	{"controllers", func(f *Facts) { f.Cgroups.Value.Version = cgroup.V2 }, OK, "memory, cpu, pids, io"},

	{"use-hierarchy", func(f *Facts) { f.Cgroups.Value.AgentErr = hierarchy() }, Warn, "mesos/memory.use_hierarchy is 0|echo 1 > /sys/fs"},
	{"use-hierarchy", func(f *Facts) { f.Cgroups.Value.AgentErr = hierarchy("a", "b", "c", "d") }, Warn, "children (a, b, c and 1 other)|stop the agent"},
	{"use-hierarchy", func(f *Facts) {
		f.Cgroups.Value.AgentErr, f.Settings.Value.UseHierarchy = hierarchy(), "require"
	}, Fail, "use_hierarchy=require refuses|enforce"},
	{"use-hierarchy", func(f *Facts) {
		f.Cgroups.Value.AgentErr = hierarchy()
		m := &f.entry().Modules[0]
		m.Parameters = append(m.Parameters, Parameter{"use_hierarchy", "require"})
	}, Fail, "require"},
	{"use-hierarchy", func(f *Facts) { f.Cgroups.Value.AgentErr = errMissing }, OK, "the /mesos to come"},
	{"use-hierarchy", func(f *Facts) {
		f.Cgroups.Value.AgentErr, f.Cgroups.Value.RootErr = errMissing, hierarchy()
	}, Warn, "is 0"},
	{"use-hierarchy", func(f *Facts) {
		f.Cgroups.Value.AgentErr, f.Cgroups.Value.RootErr = errMissing, errMissing
	}, Unknown, "not there|mount"},
	{"use-hierarchy", func(f *Facts) { f.Cgroups.Value.AgentErr = errDenied; f.User = 9 }, Unknown, "user 9|as root"},
	{"use-hierarchy", func(f *Facts) { f.Cgroups.Err = errMissing }, Unknown, "/nowhere"},
	{"use-hierarchy", func(f *Facts) { f.Cgroups.Value.Version = cgroup.V2 }, OK, "v2"},

	{"swap-accounting", func(f *Facts) { f.Cgroups.Value.SwapLimit = false }, Warn, "memory.memsw.limit_in_bytes|1024 MB of swap|swapaccount=1"},
	{"swap-accounting", func(f *Facts) { f.Cgroups.Value.SwapLimit, f.Kernel.Value.SwapKB = false, 0 }, OK, "no swap"},
	{"swap-accounting", func(f *Facts) {
		f.Cgroups.Value.SwapLimit = false
		f.Agents.Value[0].Flags["cgroups_limit_swap"] = "true"
	}, Fail, "--cgroups_limit_swap|swapaccount=1"},
	{"swap-accounting", func(f *Facts) { f.Cgroups.Value.SwapLimit, f.Cgroups.Value.SwapFile = false, "" }, Unknown, "no cgroup has the memory controller yet|when a container runs"},
	{"swap-accounting", func(f *Facts) { f.Kernel.Err = errMissing }, Unknown, "/nowhere"},

	{"kernel", func(f *Facts) { f.Kernel.Value.Release = "2.6.32-754.el6" }, Fail, "2.6.32|3.10|upgrade"},
	{"kernel", func(f *Facts) { f.Kernel.Value.Release = "3.10.0-1160.el7.x86_64" }, Warn, "3.10.0-1160|pids controller|upgrade"},
	{"kernel", func(f *Facts) {
		f.Kernel.Value.Release, f.Cgroups.Value.Version = "4.19.0", cgroup.V2
	}, Warn, "before 5.2|unified_cgroup_hierarchy=0"},
	{"kernel", func(f *Facts) { f.Kernel.Value.Release = "4.19.0" }, OK, "4.19.0"},
	{"kernel", func(f *Facts) { f.Kernel.Value.Release = "next" }, Unknown, `"next"|uname -r`},
	{"kernel", func(f *Facts) { f.Kernel.Err = errMissing }, Unknown, "/nowhere"},

	{"modules", func(f *Facts) { f.Modules = Seen[Modules]{} }, Warn, "no modules JSON|--modules|dce reap"},
	{"modules", func(f *Facts) { f.Modules.Err = errMissing }, Fail, "/nowhere|--modules_dir"},
	{"modules", func(f *Facts) { f.Modules.Err = errLate }, Unknown, "the thing could not be looked at within 5s; see why it hangs|--timeout"},
	{"modules", func(f *Facts) { f.Modules.Value.Manifests[0].Err = errMissing }, Fail, "there is no file /etc/mesos/modules/dce.json|does not start"},
	{"modules", func(f *Facts) { f.Modules.Value.Manifests[0].Err = errDenied; f.User = 9 }, Unknown, "user 9|as root"},
	{"modules", func(f *Facts) { f.Modules.Value.Manifests[0].Err = errors.New("line 3: what") }, Fail, "/etc/mesos/modules/dce.json: line 3: what|mend it"},
	{"modules", func(f *Facts) { f.Modules.Value.Manifests[0].Strange = errors.New(`json: unknown field "module"`) }, Warn, `dce.json: unknown field "module", which Mesos passes over|correct`},
	{"modules", func(f *Facts) { f.entry().Modules = f.entry().Modules[:1] }, Warn, "no " + isolatorName + "|add it"},
	{"modules", func(f *Facts) { f.entry().Modules = f.entry().Modules[1:] }, Warn, "no " + hookName + "|add it"},
	{"modules", func(f *Facts) { f.entry().Modules = []Module{{Name: "other"}} }, Warn, "neither " + hookName},
	{"modules", func(f *Facts) { f.entry().Modules[0].Name = "" }, Fail, "has no name"},
	{"modules", func(f *Facts) { f.Agents.Value[0].Flags["hooks"] = "" }, Warn, "not in --hooks=|add it to the agent's --hooks"},
	{"modules", func(f *Facts) { f.Agents.Value[0].Flags["isolation"] = "cgroups/mem" }, Warn, "not in --isolation=cgroups/mem|last"},

	{"module-libraries", func(f *Facts) { f.Modules = Seen[Modules]{} }, OK, "nothing to look at"},
	{"module-libraries", func(f *Facts) { f.Modules.Err = errMissing }, Unknown, "can't be read|see modules"},
	{"module-libraries", func(f *Facts) {
		f.Modules.Value.Manifests = []Manifest{{Source: "/m.json", Err: errMissing}}
	}, Unknown, "/m.json can't be read|see modules"},
	{"module-libraries", func(f *Facts) { f.entry().File.Err = errMissing }, Fail, "there is no file /usr/lib/mesos/modules/libmesos_dce.so|correct the path"},
	{"module-libraries", func(f *Facts) { f.entry().File.Err = errDenied }, Unknown, "libmesos_dce.so may not be read|root"},
	{"module-libraries", func(f *Facts) { f.entry().File.Err = errors.New("input/output error") }, Fail, "input/output error|again"},
	{"module-libraries", func(f *Facts) { f.entry().File.Value.Flaw = "it is truncated" }, Fail, "it is truncated|install it again"},
	{"module-libraries", func(f *Facts) { f.entry().File.Value.Machine = elf.EM_SPARC }, Fail, "another machine (EM_SPARC|for this machine"},
	{"module-libraries", func(f *Facts) { f.entry().File.Value.Needs, f.Modules.Value.CLibrary = "2.34", "2.9" }, Fail, "needs glibc 2.34, and this host has 2.9|older"},
	{"module-libraries", func(f *Facts) { f.entry().File.Value.Needs, f.Modules.Value.CLibrary = "2.34", "2.34" }, OK, "libmesos_dce.so"},
	{"module-libraries", func(f *Facts) { f.entry().File.Value.Needs, f.Modules.Value.CLibrary = "2.34", "" }, OK, "libmesos_dce.so"},
	{"module-libraries", func(f *Facts) { f.entry().File.Value.Shared = false }, Fail, "no shared library"},
	{"module-libraries", func(f *Facts) { f.entry().Path = "libmesos_dce.so" }, Warn, "dynamic linker|absolute path"},

	{"module-names", func(f *Facts) { f.entry().Modules[0].Name = "typo" }, Fail, "libmesos_dce.so has no module typo|correct the name"},
	{"module-names", func(f *Facts) { f.entry().File.Err = errMissing }, Unknown, "see module-libraries"},
	{"module-names", func(f *Facts) {}, OK, hookName + " for Mesos 1.11.0"},

	{"module-core", func(f *Facts) { f.core(func(l *Seen[Library]) { l.Err = errMissing }) }, Fail, "there is no file /usr/lib/mesos/modules/libdcecore.so|in the parameter core"},
	{"module-core", func(f *Facts) { f.core(func(l *Seen[Library]) { l.Value.Flaw = "it is truncated" }) }, Fail, "libdcecore.so can't be loaded: it is truncated"},
	{"module-core", func(f *Facts) { f.core(func(l *Seen[Library]) { delete(l.Value.Symbols, "dce_core_submit") }) }, Fail, "no core of dce: it lacks dce_core_submit"},
	{"module-core", func(f *Facts) { f.core(func(l *Seen[Library]) { l.Value.Version = new(uint32(7)) }) }, Fail, "version 7 of the interface, and /usr/lib/mesos/modules/libmesos_dce.so needs 2|belongs to the module"},
	{"module-core", func(f *Facts) { f.core(func(l *Seen[Library]) { l.Value.Version = nil }) }, Unknown, "libdcecore.so (nothing)|libmesos_dce.so (2)|build both again"},
	{"module-core", func(f *Facts) { f.entry().File.Value.Version = nil }, Unknown, "libdcecore.so (2)|libmesos_dce.so (nothing)"},
	{"module-core", func(f *Facts) { f.entry().Modules = []Module{{Name: "other"}} }, OK, "none is needed"},
	{"module-core", func(f *Facts) { f.Modules = Seen[Modules]{} }, OK, "nothing to look at"},

	{"module-parameters", func(f *Facts) { f.entry().Modules[0].Parameters[0].Value = "other" }, Fail, `differ in the parameter cgroups_root ("other" in|"mesos" in|give both the same`},
	{"module-parameters", func(f *Facts) { f.both("cgroups_root", "other") }, Warn, `cgroups_root "other", and the agent /mesos|--cgroups_root`},
	{"module-parameters", func(f *Facts) { f.entry().Modules[0].Parameters = nil }, Fail, "differ in the parameter cgroups_root|give both the same"},
	{"module-parameters", func(f *Facts) { f.entry().Modules[1].Parameters[0].Key = "cgroup_root" }, Fail, `"cgroup_root" is unknown|docs/module.md`},
	{"module-parameters", func(f *Facts) {
		m := &f.entry().Modules[0]
		m.Parameters = append(m.Parameters, m.Parameters[0])
	}, Fail, "cgroups_root twice|leave one"},
	{"module-parameters", func(f *Facts) { f.both("runtime_dir", "/run/other") }, Warn, "runtime_dir /run/other, and the agent /var/run/mesos"},
	{"module-parameters", func(f *Facts) { f.both("docker_host", "unix:///other.sock") }, Warn, "docker_host unix:///other.sock|unix:///var/run/docker.sock|one engine"},
	{"module-parameters", func(f *Facts) { f.entry().Modules = []Module{{hookName, nil}} }, OK, "all defaults"},
	{"module-parameters", func(f *Facts) {
		f.entry().Modules = []Module{{hookName, nil}}
		f.Asked.CgroupsRoot = "/own"
	}, Warn, `cgroups_root "mesos", and the agent /own`},
	{"module-parameters", func(f *Facts) { f.entry().Modules = []Module{{Name: "other"}} }, OK, "no module of dce"},
	{"module-parameters", func(f *Facts) { f.Modules = Seen[Modules]{} }, OK, "nothing to look at"},

	{"go-runtime", func(f *Facts) { f.entry().File.Value.Go = &GoProgram{"/x.so", "go1.20", "example.com/x"} }, Warn, "/x.so (go1.20, a library of the modules JSON)|take one of the two out"},
	{"go-runtime", func(f *Facts) {
		f.Agents.Value[0].Programs = append(f.Agents.Value[0].Programs, GoProgram{"/y.so", "go1.20", "example.com/y"})
	}, Warn, "/y.so (go1.20, in the agent, process 7)"},
	{"go-runtime", func(f *Facts) { f.Agents.Value[0].MapsErr = errDenied; f.User = 5 }, Unknown, "user 5|as root"},
	{"go-runtime", func(f *Facts) { f.Modules.Err = errMissing }, Unknown, "see modules"},

	{"executor", func(f *Facts) { f.Executor = Seen[Program]{Err: fs.ErrNotExist} }, Warn, "neither beside dce nor in PATH|fetch it"},
	{"executor", func(f *Facts) {
		f.Asked.Executor = "/x"
		f.Executor = Seen[Program]{Err: fs.ErrNotExist}
	}, Fail, "no file /x|--executor"},
	{"executor", func(f *Facts) { f.Executor = Seen[Program]{Err: errDenied} }, Unknown, "/proc/1/environ"},
	{"executor", func(f *Facts) { f.Executor = Seen[Program]{Err: errLate} }, Unknown, "within 5s"},
	{"executor", func(f *Facts) { f.Executor.Err = errors.New("/x is no program") }, Fail, "/x is no program|make build"},
	{"executor", func(f *Facts) { f.Executor.Value.Mode = 0o644 }, Fail, "mode 644|chmod 755"},
	{"executor", func(f *Facts) { f.Executor.Value.Machine = elf.EM_SPARC }, Fail, "another machine (EM_SPARC"},
	{"executor", func(f *Facts) { f.Executor.Value.Main = "example.com/x" }, Fail, "another program (example.com/x)"},
	{"executor", func(f *Facts) { f.Executor.Value.Main = "" }, Fail, "/usr/local/bin/dce-executor is another program;"},
	{"executor", func(f *Facts) { f.Executor.Value.Static = false }, Warn, "shared libraries|statically"},

	{"settings", func(f *Facts) { f.Settings.Err = errors.New("DCE_X is unknown") }, Fail, "DCE_X is unknown|mend it"},
	{"settings", func(f *Facts) { f.Settings.Err = errDenied; f.User = 9 }, Unknown, "user 9|as root"},
	{"settings", func(*Facts) {}, OK, "use_hierarchy=enforce"},

	{"clock", func(f *Facts) { f.Clock.Value.Synchronized = false }, Warn, "no NTP|chrony"},
	{"clock", func(f *Facts) { f.Clock.Value.Built = f.Clock.Value.Now.Add(48 * time.Hour) }, Warn, "2026-01-04|behind|chrony"},
	{"clock", func(f *Facts) { f.Engine.Value.Info.Time = f.Engine.Value.Asked.Add(-time.Minute) }, Warn, "1m0s off|both hosts"},
	{"clock", func(f *Facts) { f.Engine.Err = errSilent; f.Engine.Value.Info.Time = time.Time{} }, OK, "NTP"},
	{"clock", func(f *Facts) { f.Clock.Err = errors.New("adjtimex failed") }, Unknown, "adjtimex"},

	{"disk", func(f *Facts) { f.WorkDir.Value.Free = 50 << 20 }, Fail, "the agent's work_dir /var/lib/mesos has 50MiB left of 100GiB|free some"},
	{"disk", func(f *Facts) { f.DockerDir.Value.Free = 4 << 30 }, Warn, "Docker's root /var/lib/docker has only 4GiB"},
	{"disk", func(f *Facts) { f.DockerDir.Value.Free, f.DockerDir.Value.Total = 500<<20, 1<<30 }, Warn, "only 500MiB"},
	{"disk", func(f *Facts) { f.WorkDir.Value.FreeInodes = 5 }, Fail, "5 inodes left of 1000000|df -i"},
	{"disk", func(f *Facts) { f.WorkDir.Value.FreeInodes = 5000 }, Warn, "only 5000 inodes"},
	{"disk", func(f *Facts) { f.WorkDir.Value.ReadOnly = true }, Fail, "read-only|remount,rw"},
	{"disk", func(f *Facts) { f.WorkDir.Value.Path = "/var" }, OK, "/var/lib/mesos (to be made below /var)"},
	{"disk", func(f *Facts) { f.WorkDir.Err = errors.New("could not be looked at within 5s") }, Unknown, "within 5s"},
	{"disk", func(f *Facts) { f.DockerDir = Seen[Disk]{Err: errNoEngine} }, OK, "work_dir"},

	{"network", func(f *Facts) { f.Kernel.Value.Forwards = "0" }, Warn, "ip_forward is 0|sysctl -w net.ipv4.ip_forward=1"},
	{"network", func(f *Facts) { f.Kernel.Value.Forwards = "" }, Unknown, "can't be read|sysctl"},
	{"network", func(f *Facts) { f.Kernel.Value.Bridges = "" }, OK, "does not pass iptables"},
	{"network", func(f *Facts) { f.Kernel.Err = errMissing }, Unknown, "/nowhere"},

	{"limits", func(f *Facts) { f.Limits.Value.OpenFiles = 256 }, Warn, "process 7 may have only 256 files|LimitNOFILE"},
	{"limits", func(f *Facts) { f.Limits.Value.OpenFiles = 0 }, OK, "any number of files"},
	{"limits", func(f *Facts) { f.Limits.Value.Processes = 30000 }, Warn, "30000 processes and threads of at most 32768|pid_max"},
	{"limits", func(f *Facts) { f.Limits.Value.Groups[0].Now = 4500 }, Warn, "pids.max is 5000, of which 4500|TasksMax"},
	{"limits", func(f *Facts) { f.Limits.Value.Groups[0].Now = 5000 }, Fail, "5000 and reached|TasksMax"},
	{"limits", func(f *Facts) { f.Limits.Err = errMissing }, Unknown, "/nowhere"},

	{"leftovers", func(f *Facts) {
		f.Leftovers.Value = Leftovers{Scopes: []string{"/w"}, Counts: map[engine.Kind]int{engine.KindContainer: 2, engine.KindVolume: 1, reaper.KindCgroup: 1}}
	}, Warn, "2 containers, 1 volume, 1 cgroup of dead executors (--work_dir /w)|dce reap --work-dir /w removes"},
	{"leftovers", func(f *Facts) {
		f.Leftovers.Value = Leftovers{Scopes: []string{"/v", "/w"}, Counts: map[engine.Kind]int{engine.KindNetwork: 2}}
	}, Warn, "2 networks|/v, /w|dce reap --all"},
	{"leftovers", func(f *Facts) {
		f.Leftovers.Value = Leftovers{Foreign: map[engine.Kind]int{engine.KindContainer: 1}, Example: "container x: why"}
	}, Warn, "1 container with dce's labels|container x: why|by hand"},
	{"leftovers", func(*Facts) {}, OK, "nothing that dead executors left"},
	{"leftovers", func(f *Facts) {
		f.Asked.Age, f.Leftovers.Value = 10*time.Second, Leftovers{Young: map[engine.Kind]int{engine.KindContainer: 2}}
	}, OK, "nothing that dead executors left|2 containers of no living one, younger than 10s"},
	{"leftovers", func(f *Facts) { f.Leftovers.Err = errDenied; f.User = 5 }, Unknown, "user 5|as root"},
	{"leftovers", func(f *Facts) { f.Leftovers.Err = errNoEngine }, Unknown, "see engine"},
}

// both gives a parameter to both modules.
func (f *Facts) both(key, value string) {
	for i := range f.entry().Modules {
		m := &f.entry().Modules[i]
		m.Parameters = slices.DeleteFunc(slices.Clone(m.Parameters), func(p Parameter) bool { return p.Key == key })
		m.Parameters = append(m.Parameters, Parameter{key, value})
	}
}

func TestDecisions(t *testing.T) {
	seen := map[string]bool{}
	for i, w := range wrongs {
		t.Run(fmt.Sprintf("%s %d", w.check, i), func(t *testing.T) {
			f := healthy()
			w.change(&f)
			r := Decide(f)
			at := slices.IndexFunc(r.Findings, func(found Finding) bool { return found.Check == w.check })
			require.GreaterOrEqual(t, at, 0)
			found := r.Findings[at]
			require.Equal(t, w.level, found.Level, "%s", found)
			for part := range strings.SplitSeq(w.says, "|") {
				require.Contains(t, found.String(), part)
			}
			require.Equal(t, w.level == OK, found.Fix == "", "what is not as it should be has a fix: %s", found)
			require.NotContains(t, found.String(), "\n")
			seen[w.check] = seen[w.check] || w.level != OK
			require.Equal(t, !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level == Fail }), r.PodRuns)
		})
	}
	for _, c := range Checks {
		require.True(t, seen[c.Name], "no case shows what %s finds", c.Name)
	}
}

func TestVerdict(t *testing.T) {
	r := newReport([]Finding{{Check: "a", Level: Fail}, {Check: "b", Level: Warn}, {Check: "c", Level: Warn}, {Check: "d", Level: Unknown}, {Check: "e", Level: Fail}})
	require.False(t, r.PodRuns)
	require.Equal(t, "a pod would not run here: mend a, e; 2 warnings; 1 check could not be made", r.Verdict)
	r = newReport([]Finding{{Check: "a", Level: OK}, {Check: "b", Level: Warn}})
	require.True(t, r.PodRuns)
	require.Equal(t, "a pod would run here; 1 warning", r.Verdict)
}
