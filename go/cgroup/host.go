package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"github.com/opencontainers/cgroups"
)

// Version is how a host arranges its cgroups.
type Version string

// The arrangements. Hybrid is v1 with the unified hierarchy of v2 mounted beside it.
const (
	V1     Version = "v1"
	Hybrid Version = "hybrid"
	V2     Version = "v2"
)

// Options say where things are; the zero value is this machine.
type Options struct {
	Root     string        // put before every mount point; default "/"
	Proc     string        // default <Root>/proc
	Patience time.Duration // how long Remove waits for processes that are ending; default 500ms
}

// Host is the cgroups of one machine. Its methods may be called from several goroutines.
type Host struct {
	version     Version
	hierarchies []Hierarchy
	proc        string
	patience    time.Duration
}

// Hierarchy is one mounted tree of cgroups.
type Hierarchy struct {
	Dir         string   // where it is mounted, with Options.Root
	Root        string   // which of its cgroups the mount shows: "/" but in containers
	Controllers []string // sorted; "name=systemd" for a named hierarchy, "" for the unified one
	Unified     bool
}

// Open reads what is mounted from <proc>/self/mountinfo and <proc>/self/cgroup.
func Open(o Options) (*Host, error) {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Proc == "" {
		o.Proc = filepath.Join(o.Root, "proc")
	}
	if o.Patience <= 0 {
		o.Patience = 500 * time.Millisecond
	}
	h := &Host{proc: o.Proc, patience: o.Patience}
	self, err := h.OfPid("self")
	if err != nil {
		return nil, err
	}
	table := filepath.Join(o.Proc, "self", "mountinfo")
	f, err := os.Open(table)
	if err != nil {
		return nil, &FileError{"read", table, cause(err)}
	}
	defer f.Close()
	mounts, err := mountinfo.GetMountsFromReader(f, nil)
	if err != nil {
		return nil, &FileError{"read", table, err}
	}
	h.hierarchies = hierarchies(mounts, self, o.Root)
	if h.version = classify(h.hierarchies); h.version == "" {
		return nil, &NotMountedError{File: table}
	}
	return h, nil
}

// hierarchies picks one mount for each hierarchy, that of the whole tree where there are several. Which of a mount's
// options are controllers is known from /proc/self/cgroup: the others are settings like xattr.
func hierarchies(mounts []*mountinfo.Info, self map[string]string, root string) []Hierarchy {
	var out []Hierarchy
	for i, m := range mounts {
		covered := slices.ContainsFunc(mounts[i+1:], func(later *mountinfo.Info) bool { return later.Mountpoint == m.Mountpoint })
		if covered || m.FSType != "cgroup" && m.FSType != "cgroup2" {
			continue
		}
		hi := Hierarchy{Dir: filepath.Join(root, m.Mountpoint), Root: path.Clean(m.Root), Unified: m.FSType == "cgroup2"}
		if hi.Unified {
			hi.Controllers = []string{""}
		} else {
			for option := range strings.SplitSeq(m.VFSOptions, ",") {
				if _, known := self[option]; known && option != "" {
					hi.Controllers = append(hi.Controllers, option)
				}
			}
			slices.Sort(hi.Controllers)
		}
		if len(hi.Controllers) == 0 {
			continue
		}
		same := slices.IndexFunc(out, func(o Hierarchy) bool { return o.Controllers[0] == hi.Controllers[0] })
		switch {
		case same < 0:
			out = append(out, hi)
		case out[same].Root != "/" && hi.Root == "/":
			out[same] = hi
		}
	}
	return out
}

func classify(hs []Hierarchy) Version {
	var v1, v2 bool
	for _, h := range hs {
		v2 = v2 || h.Unified
		v1 = v1 || slices.ContainsFunc(h.Controllers, func(c string) bool { return c != "" && !strings.HasPrefix(c, "name=") })
	}
	switch {
	case v1 && v2:
		return Hybrid
	case v1:
		return V1
	case v2:
		return V2
	}
	return ""
}

// Version says how the host arranges its cgroups.
func (h *Host) Version() Version { return h.version }

// Hierarchies lists what is mounted, in the order of the mount table.
func (h *Host) Hierarchies() []Hierarchy { return slices.Clone(h.hierarchies) }

// Hierarchy returns the one that controller ("memory", "name=systemd", "" for the unified one) belongs to. Where no v1
// hierarchy has it, the unified one does.
func (h *Host) Hierarchy(controller string) (Hierarchy, error) {
	unified := -1
	for i, hi := range h.hierarchies {
		if slices.Contains(hi.Controllers, controller) {
			return hi, nil
		}
		if hi.Unified {
			unified = i
		}
	}
	missing := &NotMountedError{Controller: controller, File: filepath.Join(h.proc, "self", "mountinfo")}
	if unified < 0 || controller == "" {
		return Hierarchy{}, missing
	}
	hi := h.hierarchies[unified]
	has, err := hi.read(hi.Root, "cgroup.controllers")
	if err != nil {
		return Hierarchy{}, err
	}
	if !slices.Contains(strings.Fields(has), controller) {
		missing.File = filepath.Join(hi.Dir, "cgroup.controllers")
		return Hierarchy{}, missing
	}
	return hi, nil
}

// pick returns the hierarchies of controllers, each once; all of them for none.
func (h *Host) pick(controllers []string) ([]Hierarchy, error) {
	if len(controllers) == 0 {
		return h.hierarchies, nil
	}
	var out []Hierarchy
	for _, c := range controllers {
		hi, err := h.Hierarchy(c)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(o Hierarchy) bool { return o.Dir == hi.Dir }) {
			out = append(out, hi)
		}
	}
	return out, nil
}

// Self returns the cgroup of this process for each controller; "" is the unified hierarchy.
func (h *Host) Self() (map[string]string, error) { return h.OfPid("self") }

// OfPid returns the cgroup of a process ("1234" or "self") for each controller, from <proc>/<pid>/cgroup.
func (h *Host) OfPid(pid string) (map[string]string, error) {
	file := filepath.Join(h.proc, pid, "cgroup")
	paths, err := cgroups.ParseCgroupFile(file)
	if err != nil {
		return nil, &FileError{"read", file, cause(err)}
	}
	if len(paths) == 0 {
		return nil, &ValueError{file, "", "a line for each hierarchy (hierarchy:controllers:path)"}
	}
	for c, p := range paths {
		if !strings.HasPrefix(p, "/") {
			return nil, &ValueError{file, p, fmt.Sprintf("an absolute path for controller %q", c)}
		}
	}
	return paths, nil
}

// TaskPath returns the cgroup of this process that the pod's containers belong under: where memory is limited on v1 and
// hybrid hosts, the unified one on v2. "/" means that the process has none of its own.
func (h *Host) TaskPath() (string, error) {
	self, err := h.Self()
	if err != nil {
		return "", err
	}
	hi, err := h.Hierarchy("memory")
	if err != nil {
		return "", err
	}
	key := "memory"
	if hi.Unified {
		key = ""
	}
	p, ok := self[key]
	if !ok {
		return "", &ValueError{filepath.Join(h.proc, "self", "cgroup"), "", "a line for controller memory"}
	}
	return clean(p)
}

// cause takes the path out of a system error, because FileError names it.
func cause(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
