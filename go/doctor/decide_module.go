package doctor

import (
	"cmp"
	"debug/elf"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/versions"

	"github.com/dce-go/dce/go/core"
)

// coreFunctions are what the module binds (module-cpp/loader.cpp).
var coreFunctions = []string{"dce_core_abi_version", "dce_core_open", "dce_core_submit", "dce_core_close", "dce_core_free"}

func agent(f Facts) Finding {
	if f.Agents.Err != nil {
		return f.notSeen(f.Agents.Err)
	}
	a := f.agent()
	switch {
	case a == nil && len(f.Agents.Value) > 0:
		return warn("give the --work-dir that it has", "no agent with --work_dir %s runs here, but %s", f.Asked.WorkDir, others(f.Agents.Value))
	case a == nil:
		return ok("none runs here; taken for granted: --cgroups_root %s, --work_dir %s", strings.TrimPrefix(f.Asked.CgroupsRoot, "/"), f.Asked.WorkDir)
	case a.Partly:
		return unknown("run dce doctor as root", "process %d; its environment, and so a part of its flags, may not be read by user %d", a.PID, f.User)
	}
	var p problems
	if n := len(f.Agents.Value); n > 1 {
		p.add(warn("name another's with --work-dir", "%s run here; this is about process %d, with --work_dir %s", count(n, "agent"), a.PID, f.Asked.WorkDir))
	}
	if c := a.Flags["containerizers"]; c != "" && !slices.Contains(strings.Split(c, ","), "mesos") {
		p.add(warn("add mesos to --containerizers", "process %d has --containerizers=%s: isolators never see its executors, so that no task's cgroup binds a pod", a.PID, c))
	}
	if asked := path.Clean("/" + a.Flags["cgroups_root"]); a.Flags["cgroups_root"] != "" && asked != f.Asked.CgroupsRoot {
		p.add(warn("leave --cgroups-root out, or correct it", "process %d has --cgroups_root=%s, and this looked at %s", a.PID, a.Flags["cgroups_root"], f.Asked.CgroupsRoot))
	}
	return p.or(ok("process %d, with --cgroups_root %s, --work_dir %s", a.PID, strings.TrimPrefix(f.Asked.CgroupsRoot, "/"), f.Asked.WorkDir))
}

func others(agents []Agent) string {
	var out []string
	for _, a := range agents {
		out = append(out, fmt.Sprintf("process %d with %s", a.PID, a.Flags["work_dir"]))
	}
	return strings.Join(out, ", ")
}

// none is the finding of the checks about modules where there are none.
func (f Facts) none() (Finding, bool) {
	if f.Modules.Err != nil {
		return unknown("see modules", "not known, because the modules JSON can't be read"), true
	}
	for _, m := range f.Modules.Value.Manifests {
		if m.Err != nil && len(f.Modules.Value.entries()) == 0 {
			return unknown("see modules", "not known, because %s can't be read", m.Source), true
		}
	}
	return ok("nothing to look at: no library is named"), len(f.Modules.Value.entries()) == 0
}

func modules(f Facts) Finding {
	switch err := f.Modules.Err; {
	case unseen(err):
		return f.notSeen(err)
	case err != nil:
		return fail("name the folder that the agent's --modules_dir names", "%v", err)
	}
	if len(f.Modules.Value.Manifests) == 0 {
		return warn("name the agent's with --modules or --modules-dir, or have dce reap run by a timer", "no modules JSON was named and no agent that runs here has one: what dead executors leave stays until dce reap or a next dce run")
	}
	var p problems
	var sources, names []string
	for _, m := range f.Modules.Value.Manifests {
		sources = append(sources, m.Source)
		switch {
		case unseen(m.Err):
			p.add(f.notSeen(m.Err))
		case missing(m.Err):
			p.add(fail("install it, or correct what names it: the agent does not start", "there is no file %s", m.Source))
		case m.Err != nil:
			p.add(fail("mend it: the agent does not start", "%s: %v", m.Source, m.Err))
		}
		if m.Strange != nil {
			p.add(warn("correct it", "%s: %s, which Mesos passes over", m.Source, strings.TrimPrefix(m.Strange.Error(), "json: ")))
		}
		for _, e := range m.Libraries {
			for _, module := range e.Modules {
				names = append(names, module.Name)
				if module.Name == "" {
					p.add(fail("name it", "%s: a module of %s has no name", m.Source, e.Path))
				}
			}
		}
	}
	hook, isolator := slices.Contains(names, hookName), slices.Contains(names, isolatorName)
	const add = "add it, as in /etc/mesos/modules/dce.json of the installation"
	switch where := strings.Join(sources, ", "); {
	case len(p.list) > 0:
	case !hook && !isolator:
		p.add(warn(add, "%s has neither %s nor %s", where, hookName, isolatorName))
	case !isolator:
		p.add(warn(add, "%s has no %s: executors are cleaned up behind, but launches are not checked", where, isolatorName))
	case !hook:
		p.add(warn(add, "%s has no %s: what is removed without its container's end is found late", where, hookName))
	}
	if a := f.agent(); a != nil && hook && !listed(a.Flags["hooks"], hookName) {
		p.add(warn("add it to the agent's --hooks", "%s is loaded but not in --hooks=%s", hookName, a.Flags["hooks"]))
	}
	if a := f.agent(); a != nil && isolator && !listed(a.Flags["isolation"], isolatorName) {
		p.add(warn("put it last into the agent's --isolation", "%s is loaded but not in --isolation=%s", isolatorName, a.Flags["isolation"]))
	}
	return p.or(ok("%s names %s", strings.Join(sources, ", "), strings.Join(names, ", ")))
}

func listed(flag, name string) bool { return slices.Contains(strings.Split(flag, ","), name) }

func moduleLibraries(f Facts) Finding {
	if found, done := f.none(); done {
		return found
	}
	var p problems
	var fine []string
	for _, e := range f.Modules.Value.entries() {
		if !filepath.IsAbs(e.Path) {
			p.add(warn("give its absolute path as \"file\"", "%s is looked for by the dynamic linker in the agent's own way", e.Path))
			continue
		}
		if found := f.loadable(e.Path, e.File); found.Level != OK {
			p.add(found)
		} else {
			fine = append(fine, e.Path)
		}
	}
	return p.or(ok("%s", strings.Join(fine, ", ")))
}

// loadable says whether the dynamic linker would take a library. Of what it needs itself only the C library is looked at.
func (f Facts) loadable(file string, l Seen[Library]) Finding {
	const again = "install it again: the agent does not start without it"
	switch {
	case missing(l.Err):
		return fail("install it, or correct the path in the modules JSON", "there is no file %s", file)
	case l.Err != nil && denied(l.Err):
		return unknown("run dce doctor as root", "%s may not be read", file)
	case l.Err != nil:
		return fail(again, "%s can't be read: %v", file, l.Err)
	case l.Value.Flaw != "":
		return fail(again, "%s can't be loaded: %s", file, l.Value.Flaw)
	case l.Value.Machine != machine() || l.Value.Class != elf.ELFCLASS64:
		return fail("install the one for this machine", "%s is for another machine (%v, %v)", file, l.Value.Machine, l.Value.Class)
	case !l.Value.Shared:
		return fail(again, "%s is no shared library", file)
	case f.Modules.Value.CLibrary != "" && l.Value.Needs != "" && versions.LessThan(f.Modules.Value.CLibrary, l.Value.Needs):
		return fail("build it on this distribution or an older one", "%s needs glibc %s, and this host has %s", file, l.Value.Needs, f.Modules.Value.CLibrary)
	}
	return ok("%s", file)
}

// machine is what this program was built for, and so runs on.
func machine() elf.Machine {
	return map[string]elf.Machine{
		"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "ppc64le": elf.EM_PPC64, "s390x": elf.EM_S390, "riscv64": elf.EM_RISCV,
	}[runtime.GOARCH]
}

func moduleNames(f Facts) Finding {
	if found, done := f.none(); done {
		return found
	}
	var p problems
	var fine []string
	for _, e := range f.Modules.Value.entries() {
		if f.loadable(e.Path, e.File).Level != OK {
			continue // said already
		}
		for _, m := range e.Modules {
			if !e.File.Value.Symbols[m.Name] {
				p.add(fail("correct the name, or take the module out: the agent does not start", "%s has no module %s", e.Path, m.Name))
				continue
			}
			name := m.Name
			if v := e.File.Value.Mesos; m.ours() && v != "" {
				name += " for Mesos " + v
			}
			fine = append(fine, name)
		}
	}
	if len(fine) == 0 {
		return p.or(unknown("see module-libraries", "no library could be read"))
	}
	return p.or(ok("%s", strings.Join(fine, ", ")))
}

// moduleCore says whether the core that each of our modules opens is there, is one, and has the module's version.
func moduleCore(f Facts) Finding {
	if found, done := f.none(); done {
		return found
	}
	const install = "install the libdcecore.so that belongs to the module beside it, or name it in the parameter core"
	var p problems
	fine := map[string]bool{}
	for _, e := range f.Modules.Value.entries() {
		for _, m := range e.Modules {
			file := m.core(e.Path)
			if file == "" {
				continue
			}
			l := f.Modules.Value.Cores[file]
			found := f.loadable(file, l)
			lacks := slices.DeleteFunc(slices.Clone(coreFunctions), func(s string) bool { return l.Value.Symbols[s] })
			wants := e.File.Value.Version
			switch {
			case found.Level != OK:
				if found.Level == Fail {
					found.Fix = install
				}
				p.add(found)
			case len(lacks) > 0:
				p.add(fail(install, "%s is no core of dce: it lacks %s", file, strings.Join(lacks, ", ")))
			case l.Value.Version == nil || wants == nil:
				p.add(unknown("build both again", "%s (%s) and %s (%s) don't both say which version of the interface they have", file, said(l.Value.Version), e.Path, said(wants)))
			case *l.Value.Version != *wants:
				p.add(fail(install, "%s has version %d of the interface, and %s needs %d", file, *l.Value.Version, e.Path, *wants))
			default:
				fine[fmt.Sprintf("%s, version %d of the interface", file, *wants)] = true
			}
		}
	}
	if len(fine) == 0 {
		return p.or(ok("no module of dce, so none is needed"))
	}
	return p.or(ok("%s", strings.Join(slices.Sorted(maps.Keys(fine)), "; ")))
}

func said(version *uint32) string {
	if version == nil {
		return "nothing"
	}
	return fmt.Sprint(*version)
}

// moduleParameters says what our modules refuse to load with, and what does not fit the agent.
func moduleParameters(f Facts) Finding {
	if found, done := f.none(); done {
		return found
	}
	var p problems
	var first *Module
	for _, e := range f.Modules.Value.entries() {
		for _, m := range e.Modules {
			if !m.ours() {
				continue
			}
			if first == nil {
				first = &m
				f.checkParameters(m, &p)
			} else if key := difference(*first, m); key != "" {
				f.checkParameters(m, &p)
				p.add(fail("give both the same", "hook and isolator share one core, but differ in the parameter %s (%q in %s, %q in %s)", key, first.value(key), first.Name, m.value(key), m.Name))
			}
		}
	}
	if first == nil {
		return p.or(ok("no module of dce"))
	}
	if len(first.Parameters) == 0 {
		return p.or(ok("all defaults"))
	}
	return p.or(ok("%s", first.parameters()))
}

func (f Facts) checkParameters(m Module, p *problems) {
	given := map[string]string{}
	for _, one := range m.Parameters {
		if _, twice := given[one.Key]; twice {
			p.add(fail("leave one of them out", "%s has the parameter %s twice", m.Name, one.Key))
		}
		given[one.Key] = one.Value
	}
	delete(given, coreKey)
	text, err := json.Marshal(given)
	if err == nil {
		err = core.CheckParameters(text)
	}
	if err != nil {
		p.add(fail("correct it: the agent does not start (docs/module.md has all)", "%s: %v", m.Name, err))
		return
	}
	if root := cmp.Or(given["cgroups_root"], defaultCgroupsRoot); path.Clean("/"+root) != f.Asked.CgroupsRoot {
		p.add(warn("set it to the agent's --cgroups_root", "%s has cgroups_root %q, and the agent %s: what pods leave is then not known to be theirs, and stays", m.Name, root, f.Asked.CgroupsRoot))
	}
	if dir := given["runtime_dir"]; dir != "" && filepath.Clean(dir) != filepath.Clean(f.Asked.RuntimeDir) {
		p.add(warn("set it to the agent's --runtime_dir", "%s has runtime_dir %s, and the agent %s", m.Name, dir, f.Asked.RuntimeDir))
	}
	if host := given["docker_host"]; host != "" && f.Engine.Value.Host != "" && host != f.Engine.Value.Host {
		p.add(warn("let both name one engine (engine.host of /etc/dce/dce.yaml, or the parameter)", "%s has docker_host %s, and executors go to %s (from %s): what they leave is not found", m.Name, host, f.Engine.Value.Host, f.Engine.Value.Source))
	}
}

func (m Module) value(key string) string {
	for _, p := range m.Parameters {
		if p.Key == key {
			return p.Value
		}
	}
	return ""
}

func (m Module) parameters() string {
	var out []string
	for _, p := range m.Parameters {
		out = append(out, p.Key+"="+p.Value)
	}
	return strings.Join(out, ", ")
}

// difference is a key in which two modules differ, "" for none.
func difference(a, b Module) string {
	for _, p := range slices.Concat(a.Parameters, b.Parameters) {
		has := func(m Module) bool {
			return slices.ContainsFunc(m.Parameters, func(o Parameter) bool { return o.Key == p.Key })
		}
		if has(a) != has(b) || a.value(p.Key) != b.value(p.Key) {
			return p.Key
		}
	}
	return ""
}

// goRuntime looks for a second Go runtime in the agent, which Go does not support: it mostly works and sometimes crashes
// (github.com/golang/go/issues/65050).
func goRuntime(f Facts) Finding {
	var foreign []string
	note := func(p GoProgram, where string) {
		if !strings.HasPrefix(p.Main, "github.com/dce-go/dce/") {
			foreign = append(foreign, fmt.Sprintf("%s (%s, %s)", p.Path, p.Version, where))
		}
	}
	for _, e := range f.Modules.Value.entries() {
		if e.File.Value.Go != nil {
			note(*e.File.Value.Go, "a library of the modules JSON")
		}
	}
	a := f.agent()
	if a != nil {
		for _, p := range a.Programs {
			if !slices.ContainsFunc(foreign, func(s string) bool { return strings.HasPrefix(s, p.Path+" ") }) {
				note(p, fmt.Sprintf("in the agent, process %d", a.PID))
			}
		}
	}
	switch {
	case len(foreign) > 0:
		return warn("take one of the two out of the agent", "beside dce's core there is %s: Go does not support two of its runtimes in one process, which may crash the agent", strings.Join(foreign, ", "))
	case a != nil && a.MapsErr != nil:
		return f.notSeen(a.MapsErr)
	case f.Modules.Err != nil:
		return unknown("see modules", "not known, because the modules JSON can't be read")
	}
	return ok("none in the agent but that of dce's core")
}
