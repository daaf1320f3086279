package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/reaper"
)

// kernel knows what came with which release (kernel.org's changelogs).
func kernel(f Facts) Finding {
	if f.Kernel.Err != nil {
		return f.notSeen(f.Kernel.Err)
	}
	release := f.Kernel.Value.Release
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return unknown("look at uname -r", "the release %q is no version", release)
	}
	at := func(a, b int) bool { return major > a || major == a && minor >= b }
	switch unified := f.Cgroups.Err == nil && f.Cgroups.Value.Version == cgroup.V2; {
	case !at(3, 10):
		return fail("upgrade it", "%s, and Docker needs 3.10", release)
	case !at(4, 3):
		return warn("upgrade it to 4.19 or newer", "%s: before 4.3 there is no pids controller, and cgroups with limits leak memory", release)
	case unified && !at(5, 2):
		return warn("upgrade it to 5.2 or newer, or boot with systemd.unified_cgroup_hierarchy=0", "%s: on cgroup v2 before 5.2 there is no freezer, and Docker does not run well", release)
	}
	return ok("%s", release)
}

const (
	clockSkew = 5 * time.Second // beyond it, times of engine and executor can't be compared
	day       = 24 * time.Hour
)

func clock(f Facts) Finding {
	if f.Clock.Err != nil {
		return f.notSeen(f.Clock.Err)
	}
	const fix = "set up chrony or systemd-timesyncd"
	c := f.Clock.Value
	var p problems
	if c.Built.Sub(c.Now) > day {
		p.add(warn(fix, "it says %s, but this program was written on %s: it is behind", c.Now.Format(time.DateTime), c.Built.Format(time.DateTime)))
	}
	if e := f.Engine.Value; f.Engine.Err == nil && !e.Info.Time.IsZero() {
		// The engine read its clock somewhere between the question and its answer.
		if skew := e.Info.Time.Sub(e.Asked.Add(e.Took / 2)); skew.Abs() > clockSkew+e.Took {
			p.add(warn(fix+" on both hosts", "the engine's is %s off this one", skew.Abs().Round(time.Second)))
		}
	}
	if !c.Synchronized {
		p.add(warn(fix, "no NTP service keeps it, says the kernel (adjtimex)"))
	}
	return p.or(ok("kept by NTP, %s off at most", c.MaxError.Round(time.Millisecond)))
}

// How much must be free. A pod needs room for its sandbox, its logs and what its containers write.
const (
	leastBytes  = 100 << 20
	leastInodes = 1000
	fewBytes    = 1 << 30
	fewPercent  = 5
)

func disk(f Facts) Finding {
	var p problems
	var fine []string
	for _, d := range []struct {
		what string
		Seen[Disk]
	}{{"the agent's work_dir", f.WorkDir}, {"Docker's root", f.DockerDir}} {
		switch {
		case errors.Is(d.Err, errNoEngine):
		case d.Err != nil:
			p.add(f.notSeen(d.Err))
		default:
			if found := room(d.what, d.Value); found.Level != OK {
				p.add(found)
			} else {
				fine = append(fine, found.Saw)
			}
		}
	}
	return p.or(ok("%s", strings.Join(fine, "; ")))
}

func room(what string, d Disk) Finding {
	where := what + " " + d.Wanted
	if d.Path != d.Wanted {
		where += " (to be made below " + d.Path + ")"
	}
	size := func(n uint64) string { return units.BytesSize(float64(n)) }
	const fix = "free some (docker system prune, the agent's --gc_disk_headroom), or enlarge it"
	switch {
	case d.ReadOnly:
		return fail("mount it writable: mount -o remount,rw "+d.Path, "the file system of %s is read-only", where)
	case d.Free < leastBytes:
		return fail(fix, "%s has %s left of %s", where, size(d.Free), size(d.Total))
	case d.Inodes > 0 && d.FreeInodes < leastInodes:
		return fail("remove files: there are too many for the file system (df -i "+d.Path+")", "%s has %d inodes left of %d", where, d.FreeInodes, d.Inodes)
	case d.Free < fewBytes || d.Free*100 < d.Total*fewPercent:
		return warn(fix, "%s has only %s left of %s", where, size(d.Free), size(d.Total))
	case d.Inodes > 0 && d.FreeInodes*100 < d.Inodes*fewPercent:
		return warn("remove files: there are too many for the file system (df -i "+d.Path+")", "%s has only %d inodes left of %d", where, d.FreeInodes, d.Inodes)
	}
	return ok("%s has %s free of %s", where, size(d.Free), size(d.Total))
}

func network(f Facts) Finding {
	if f.Kernel.Err != nil {
		return f.notSeen(f.Kernel.Err)
	}
	k := f.Kernel.Value
	bridges := "bridge traffic passes iptables"
	if k.Bridges != "1" {
		bridges = "bridge traffic does not pass iptables (--icc=false of Docker then separates nothing)"
	}
	switch k.Forwards {
	case "1":
		return ok("IPv4 is forwarded; %s", bridges)
	case "":
		return unknown("look at sysctl net.ipv4.ip_forward", "whether IPv4 is forwarded can't be read")
	}
	return warn("sysctl -w net.ipv4.ip_forward=1, for good in /etc/sysctl.d, and start dockerd without --ip-forward=false",
		"net.ipv4.ip_forward is 0: pods reach nothing outside of this host, and published ports are not reached from outside")
}

// leastFiles is what the agent needs: a few for each executor, and the executors inherit the limit.
const (
	leastFiles = 1024
	fullFrom   = 80 // percent
)

func limits(f Facts) Finding {
	if f.Limits.Err != nil {
		return f.notSeen(f.Limits.Err)
	}
	l := f.Limits.Value
	var p problems
	if l.OpenFiles > 0 && l.OpenFiles < leastFiles {
		p.add(warn("raise it (LimitNOFILE= of the agent's unit, ulimit -n)", "%s may have only %d files open", l.Of, l.OpenFiles))
	}
	if most := lesser(l.MaxPIDs, l.Threads); most > 0 && l.Processes*100 >= most*fullFrom {
		p.add(warn("raise kernel.pid_max and kernel.threads-max, or end what runs away", "the host has %d processes and threads of at most %d", l.Processes, most))
	}
	for _, g := range l.Groups {
		switch {
		case g.Now >= g.Max:
			p.add(fail("raise it (TasksMax= of the agent's unit)", "%s is %d and reached: no executor can be started", g.File, g.Max))
		case g.Now*100 >= g.Max*fullFrom:
			p.add(warn("raise it (TasksMax= of the agent's unit)", "%s is %d, of which %d are there", g.File, g.Max, g.Now))
		}
	}
	files := fmt.Sprint(l.OpenFiles)
	if l.OpenFiles == 0 {
		files = "any number of"
	}
	return p.or(ok("%s may have %s files open; the host has %d processes and threads of %d", l.Of, files, l.Processes, lesser(l.MaxPIDs, l.Threads)))
}

func lesser(a, b uint64) uint64 {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

func executor(f Facts) Finding {
	p, err := f.Executor.Value, f.Executor.Err
	const build = "build it with make build"
	switch {
	case missing(err) && f.Asked.Executor == "":
		return warn("install it beside dce or in PATH, or have each task fetch it", "dce-executor is neither beside dce nor in PATH")
	case missing(err):
		return fail("name the program with --executor", "there is no file %s", f.Asked.Executor)
	case unseen(err):
		return f.notSeen(err)
	case err != nil:
		return fail(build, "%v", err)
	case p.Mode&0o111 == 0:
		return fail("chmod 755 "+p.Path, "%s may not be executed (mode %03o)", p.Path, p.Mode)
	case p.Machine != machine():
		return fail(build+" on this kind of machine", "%s is for another machine (%v)", p.Path, p.Machine)
	case !strings.HasSuffix(p.Main, "/go/cmd/dce-executor"): // Go writes it into every program, also without symbols
		return fail("name dce's with --executor", "%s is another program%s", p.Path, strings.TrimSuffix(" ("+p.Main+")", " ()"))
	case !p.Static:
		return warn("build it with make build, which links it statically", "%s needs shared libraries, which a sandbox on another host may lack", p.Path)
	}
	return ok("%s, static", p.Path)
}

func settings(f Facts) Finding {
	switch err := f.Settings.Err; {
	case unseen(err):
		return f.notSeen(err)
	case err != nil:
		return fail("mend it: no task of this host runs before", "%v", err)
	}
	return ok("what /etc/dce/dce.yaml and the environment set is valid (use_hierarchy=%s)", cmp.Or(f.Settings.Value.UseHierarchy, "enforce"))
}

func leftovers(f Facts) Finding {
	if f.Leftovers.Err != nil {
		return f.notSeen(f.Leftovers.Err)
	}
	l := f.Leftovers.Value
	reap := "dce reap --dry-run lists them, dce reap removes them"
	switch {
	case len(l.Scopes) == 1:
		reap = fmt.Sprintf("dce reap --work-dir %[1]s --dry-run lists them, dce reap --work-dir %[1]s removes them", l.Scopes[0])
	case len(l.Scopes) > 1:
		reap = "dce reap --all --dry-run lists them, dce reap --all removes them"
	}
	switch left, foreign := kinds(l.Counts), kinds(l.Foreign); {
	case left != "":
		return warn(reap, "%s of dead executors (--work_dir %s)", left, strings.Join(l.Scopes, ", "))
	case foreign != "":
		return warn("look at them, and remove by hand what is not needed (docker rm, docker network rm, docker volume rm)", "%s with dce's labels that are not proved to be a pod's, such as %s", foreign, l.Example)
	}
	if young := kinds(l.Young); young != "" {
		return ok("nothing that dead executors left; %s of no living one, younger than %s, may be coming to life", young, f.Asked.Age)
	}
	return ok("nothing that dead executors left")
}

// kinds counts for people: "2 containers, 1 network".
func kinds(counts map[engine.Kind]int) string {
	var out []string
	for _, kind := range []engine.Kind{engine.KindContainer, engine.KindNetwork, engine.KindVolume, reaper.KindCgroup} {
		if n := counts[kind]; n > 0 {
			out = append(out, count(n, string(kind)))
		}
	}
	return strings.Join(out, ", ")
}
