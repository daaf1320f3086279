package doctor

import (
	"errors"
	"io/fs"
	"path"

	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/cgroup"
)

// What pods use of the controllers: to be bound, to be measured, and, for the agent's launcher, to be ended.
var (
	controllers1 = []string{"memory", "cpu", "cpuacct", "pids", "blkio", "freezer"}
	controllers2 = []string{"memory", "cpu", "pids", "io"}
)

func readCgroups(o Options) (Cgroups, error) {
	host, err := cgroup.Open(o.Cgroups)
	if err != nil {
		return Cgroups{}, err
	}
	out := Cgroups{Version: host.Version(), Agent: o.CgroupsRoot, Missing: map[string]error{}}
	used := controllers1
	if out.Version == cgroup.V2 {
		used = controllers2
	}
	for _, c := range used {
		hi, err := host.Hierarchy(c)
		if err == nil && hi.Unified && out.Version == cgroup.Hybrid && c == "memory" {
			err = errors.New("it is in the unified hierarchy of a hybrid host, which neither Mesos nor Docker uses there")
		}
		if err != nil {
			out.Missing[c] = err
		}
	}
	for _, hi := range host.Hierarchies() {
		var s unix.Statfs_t
		if err := unix.Statfs(hi.Dir, &s); err == nil && s.Flags&unix.ST_RDONLY != 0 {
			out.ReadOnly = append(out.ReadOnly, hi.Dir)
		}
	}
	out.RootErr = host.CheckHierarchy("/")
	out.AgentErr = host.CheckHierarchy(out.Agent)
	out.SwapLimit, out.SwapFile, err = swapLimit(host)
	return out, err
}

// swapLimit says whether the kernel accounts for swap, and by which file. On v2 the root has none, so a child is asked; "" where none
// can tell.
func swapLimit(host *cgroup.Host) (limits bool, file string, err error) {
	where, file := "/", "memory.memsw.limit_in_bytes"
	hi, err := host.Hierarchy("memory")
	if err != nil {
		return false, file, nil // said by another check
	}
	if hi.Unified {
		file = "memory.swap.max"
		children, err := host.Children("/")
		if err != nil {
			return false, file, err
		}
		for _, c := range children { // the first that has the controller
			if _, err := host.Read("memory", "/"+c, "memory.max"); err == nil {
				where = path.Join("/", c)
				break
			}
		}
		if where == "/" {
			return false, "", nil
		}
	}
	_, err = host.Read("memory", where, file)
	file = path.Join(hi.Dir, where, file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, file, nil
	}
	return err == nil, file, err
}
