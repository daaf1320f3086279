package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/qos"
)

const mb = 1 << 20

// On a kernel before 5.11 with cgroup v1, where nobody has set memory.use_hierarchy.
var v1 = []check{
	{"v1: the kernel's default is memory.use_hierarchy 0", func(h *cgroup.Host) (string, error) {
		got, err := h.Read("memory", "/", "memory.use_hierarchy")
		if err != nil {
			return "", err
		}
		return "the root has " + got, expect(map[string]bool{"0 at the root": got == "0", "v1": h.Version() == cgroup.V1})
	}},
	{"v1: 0 without children is enforced", func(h *cgroup.Host) (string, error) {
		if err := h.Create("/mesos"); err != nil {
			return "", err
		}
		checked := h.CheckHierarchy("/mesos")
		if err := h.EnforceHierarchy("/mesos"); err != nil {
			return "", err
		}
		got, err := h.Read("memory", "/mesos", "memory.use_hierarchy")
		return fmt.Sprintf("before: %v; after: %s", checked, got), errors.Join(err,
			expect(map[string]bool{"it was found to be 0": checked != nil, "it is 1": got == "1", "the check is content": h.CheckHierarchy("/mesos") == nil}))
	}},
	{"v1: children inherit 1", func(h *cgroup.Host) (string, error) {
		if err := h.Create("/mesos/task/container"); err != nil {
			return "", err
		}
		got, err := h.Read("memory", "/mesos/task/container", "memory.use_hierarchy")
		return "two levels below: " + got, errors.Join(err, expect(map[string]bool{"1 is inherited": got == "1"}))
	}},
	{"v1: 0 with children is refused", func(h *cgroup.Host) (string, error) {
		if err := h.Create("/late/child"); err != nil {
			return "", err
		}
		err := h.EnforceHierarchy("/late")
		var he *cgroup.HierarchyError
		named := errors.As(err, &he) && slices.Equal(he.Children, []string{"child"})
		werr := h.Write("memory", "/late", "memory.use_hierarchy", "1")
		got, rerr := h.Read("memory", "/late", "memory.use_hierarchy")
		return fmt.Sprint(err), errors.Join(rerr, expect(map[string]bool{"the child is named": named, "the kernel refuses, too": werr != nil, "it still is 0": got == "0"}))
	}},
	{"v1: the pod's own tree is limited, follows updates, says whose it is, and goes", ownTree},
	{"v1: without hierarchy the sum of two children exceeds the parent's limit", func(h *cgroup.Host) (string, error) {
		if err := h.Create("/loose"); err != nil {
			return "", err
		}
		survived, killed, used, err := two(h, "/loose", 48*mb, 36)
		return fmt.Sprintf("%d MB used by two, limit 48 MB", used/mb), errors.Join(err,
			expect(map[string]bool{"both survive": survived == 2, "more is used than the limit": used > 48*mb, "nothing is killed": len(killed) == 0}))
	}},
	{"v1: with hierarchy it does not, and the kill is attributed to the pod's limit", enforced("/bound", bound)},
	{"v1: a container at its own limit is told apart", enforced("/roomy", ownLimit)},
	{"v1: usage of the pod is the sum of its containers", enforced("/usage", usage)},
	{"v1: who goes beyond its request is killed before one that uses more", enforced("/burstable", scores(qos.Burstable, "web"))},
	{"v1: the executor outlives guaranteed containers", enforced("/guaranteed", scores(qos.Guaranteed, "web", "db"))},
	{"v1: nothing is left", func(h *cgroup.Host) (string, error) {
		return removeAll(h, "/mesos", "/late", "/loose", "/bound", "/roomy", "/usage", "/burstable", "/guaranteed")
	}},
}

// On a kernel with cgroup v2 alone.
var v2 = []check{
	{"v2: the host is classified", func(h *cgroup.Host) (string, error) {
		return string(h.Version()), expect(map[string]bool{"v2": h.Version() == cgroup.V2})
	}},
	{"v2: hierarchy is always there", func(h *cgroup.Host) (string, error) {
		return "", errors.Join(h.EnforceHierarchy("/"), h.CheckHierarchy("/"))
	}},
	{"v2: the pod's own tree is limited, follows updates, says whose it is, and goes", ownTree},
	{"v2: an update of the agent reaches the pod's own tree, and usage() is what that uses", updated},
	{"v2: a sibling tree takes limits and containers", func(h *cgroup.Host) (string, error) {
		if err := h.Create("/dce/c1", "memory", "cpu", "pids", "io"); err != nil {
			return "", err
		}
		var errs []error
		for file, value := range map[string]string{"memory.max": "50331648", "cpu.weight": "50", "cpu.max": "20000 100000", "pids.max": "100"} {
			got := ""
			err := h.Write("memory", "/dce/c1", file, value)
			if err == nil {
				got, err = h.Read("memory", "/dce/c1", file)
			}
			errs = append(errs, err, expect(map[string]bool{file + " is " + value: got == value}))
		}
		errs = append(errs, h.CheckParent(cgroup.DriverCgroupfs, "/dce/c1"), h.Create("/dce/c1/web", "memory", "cpu", "pids", "io"))
		_, err := h.Read("memory", "/dce/c1/web", "memory.max")
		return "/dce/c1", errors.Join(append(errs, err)...)
	}},
	{"v2: the pod's limit binds the sum, and the kill is attributed to it", created("/dce/bound", "a", bound, "memory", "pids")},
	{"v2: a pod that is killed as one is told at its limit, with each container", created("/dce/group", "a", killedAsOne, "memory", "pids")},
	{"v2: a container at its own limit is told apart", created("/dce/roomy", "web", ownLimit, "memory", "pids")},
	{"v2: a container is told of whose cgroup is gone at once", created("/dce/gone", "first", goneAtOnce, "memory", "pids")},
	{"v2: usage of the pod is the sum of its containers", created("/dce/usage", "a", usage, "memory", "cpu", "pids", "io")},
	{"v2: the CPU limit of the pod binds the sum", func(h *cgroup.Host) (string, error) {
		if err := errors.Join(h.Create("/dce/cpu/a", "cpu"), h.Create("/dce/cpu/b", "cpu"),
			h.Write("cpu", "/dce/cpu", "cpu.max", "20000 100000")); err != nil {
			return "", err
		}
		for _, name := range []string{"a", "b"} {
			e, err := newEater(h, "/dce/cpu/"+name, "spin")
			if err != nil {
				return "", err
			}
			defer e.end()
		}
		before, err := h.Usage("/dce/cpu")
		if err != nil {
			return "", err
		}
		time.Sleep(4 * time.Second)
		after, err := h.Usage("/dce/cpu")
		if err != nil {
			return "", err
		}
		// Against the kernel's own count of periods: an emulated CPU stands still at times.
		share := float64(after.CPU.Time-before.CPU.Time) / (float64(after.CPU.Periods-before.CPU.Periods) * float64(100*time.Millisecond))
		return fmt.Sprintf("%.3f CPUs of 0.2", share), expect(map[string]bool{
			"at most 5 % over": share <= 0.21, "they got some": share > 0.05, "it was throttled": after.CPU.Throttled > before.CPU.Throttled, "the limit is read": after.CPU.Limit == 0.2,
		})
	}},
	{"v2: who goes beyond its request is killed before one that uses more", created("/dce/burstable", "db", scores(qos.Burstable, "web"), "memory")},
	{"v2: kill ends what runs in a pod, and nothing is left", func(h *cgroup.Host) (string, error) {
		if err := h.Create("/dce/kill/a"); err != nil {
			return "", err
		}
		e, err := newEater(h, "/dce/kill/a", "eat", "1")
		if err != nil {
			return "", err
		}
		go func() { _ = e.cmd.Wait() }()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		found, err := h.Kill(ctx, "/dce/kill")
		detail, rerr := removeAll(h, "/dce")
		return detail, errors.Join(err, rerr, expect(map[string]bool{"it was found": found}))
	}},
}

// enforced makes a cgroup on v1 whose limits bind the sum of what is below, and looks at that.
func enforced(path string, look func(*cgroup.Host, string) (string, error)) func(*cgroup.Host) (string, error) {
	return func(h *cgroup.Host) (string, error) {
		if err := errors.Join(h.Create(path), h.EnforceHierarchy(path)); err != nil {
			return "", err
		}
		return look(h, path)
	}
}

// created makes a cgroup on v2 with a child that has these controllers, and looks at that.
func created(path, child string, look func(*cgroup.Host, string) (string, error), controllers ...string) func(*cgroup.Host) (string, error) {
	return func(h *cgroup.Host) (string, error) {
		if err := h.Create(path+"/"+child, controllers...); err != nil {
			return "", err
		}
		return look(h, path)
	}
}

// bound: two that are below the limit alone and above it together.
func bound(h *cgroup.Host, path string) (string, error) {
	survived, killed, used, err := two(h, path, 48*mb, 36)
	if err != nil || len(killed) == 0 {
		return fmt.Sprintf("%d survived", survived), errors.Join(err, errors.New("no kill was seen"))
	}
	o := killed[0]
	// A slow machine may take so long to free the memory of the first that the kernel kills the other one, too.
	return fmt.Sprintf("%s was killed, it used %d MB, the pod %d of %d MB", o.Name, o.Peak/mb, o.Usage/mb, o.Limit/mb), expect(map[string]bool{
		"not both survive": survived <= 1, "no more is used than the limit": used <= 48*mb, "each kill is told": len(killed) == 2-survived && o.Kills == 1,
		"the pod's limit": o.Level == cgroup.LevelParent && o.Cgroup == path && o.Limit == 48*mb, "it was reached": o.Usage > 46*mb,
		"one of the two": o.Name == "a" || o.Name == "b",
	})
}

// killedAsOne: with memory.oom.group the kernel ends all that is below the cgroup whose limit was hit.
func killedAsOne(h *cgroup.Host, path string) (string, error) {
	if err := h.Write("memory", path, "memory.oom.group", "1"); err != nil {
		return "", err
	}
	survived, killed, _, err := two(h, path, 48*mb, 36)
	that := map[string]bool{"none survives": survived == 0, "both are told": len(killed) == 2}
	for _, o := range killed {
		that[o.Name+" at the pod's limit"] = o.Level == cgroup.LevelParent && o.Cgroup == path && o.Kills > 0 // which counts the first one twice
	}
	return fmt.Sprintf("%d survived, %d told", survived, len(killed)), errors.Join(err, expect(that))
}

// ownLimit: one container with a limit in a pod that has more.
func ownLimit(h *cgroup.Host, path string) (string, error) {
	if err := errors.Join(limitMemory(h, path, 80*mb), h.Create(path+"/web"), limitMemory(h, path+"/web", 24*mb)); err != nil {
		return "", err
	}
	told := make(chan cgroup.OOM, 8)
	watch, err := h.WatchOOM(path, func(o cgroup.OOM) { told <- o }, func(error) {})
	if err != nil {
		return "", err
	}
	defer watch.Close()
	e, err := newEater(h, path+"/web", "eat", "36")
	if err != nil {
		return "", err
	}
	defer e.end()
	survived := e.fill()
	select {
	case o := <-told:
		return fmt.Sprintf("%s used %d of its %d MB", o.Name, o.Usage/mb, o.Limit/mb), expect(map[string]bool{
			"it was killed": !survived, "its own limit": o.Level == cgroup.LevelOwn && o.Cgroup == path+"/web" && o.Limit == 24*mb, "web": o.Name == "web",
		})
	case <-time.After(5 * time.Second):
		return "", fmt.Errorf("no kill was seen, survived: %v", survived)
	}
}

// goneAtOnce: while the first kill is being told, a second container is killed, and its cgroup removed, as systemd does.
func goneAtOnce(h *cgroup.Host, path string) (string, error) {
	told, goOn := make(chan cgroup.OOM, 8), make(chan struct{})
	watch, err := h.WatchOOM(path, func(o cgroup.OOM) { told <- o; <-goOn }, func(error) {})
	if err != nil {
		return "", err
	}
	defer watch.Close()
	var got []cgroup.OOM
	for _, name := range []string{"first", "second"} {
		if err := errors.Join(h.Create(path+"/"+name), limitMemory(h, path+"/"+name, 24*mb)); err != nil {
			return "", err
		}
		e, err := newEater(h, path+"/"+name, "eat", "36")
		if err != nil {
			return "", err
		}
		e.fill()
		e.end()
		if name == "second" {
			if err := h.Remove(context.Background(), path+"/"+name); err != nil {
				return "", err
			}
			close(goOn)
		}
		select {
		case o := <-told:
			got = append(got, o)
		case <-time.After(5 * time.Second):
			return "", fmt.Errorf("the kill in %s is not told", name)
		}
	}
	o := got[1]
	return fmt.Sprintf("%s was killed at the limit of %s", o.Name, o.Cgroup), expect(map[string]bool{
		"the second": o.Name == "second", "one kill": o.Kills == 1, "not twice": len(told) == 0,
		"its own limit": o.Level == cgroup.LevelOwn,
	})
}

// usage: two containers, one with more memory than the other, and one that is idle.
func usage(h *cgroup.Host, path string) (string, error) {
	survived := true
	for name, mb := range map[string]string{"a": "24", "b": "10", "idle": ""} {
		if err := h.Create(path + "/" + name); err != nil {
			return "", err
		}
		if mb == "" {
			continue
		}
		e, err := newEater(h, path+"/"+name, "eat", mb)
		if err != nil {
			return "", err
		}
		defer e.end()
		survived = e.fill() && survived
	}
	all, children, err := h.UsageBelow(path)
	if err != nil {
		return "", err
	}
	a, b, idle := children["a"], children["b"], children["idle"]
	for _, u := range []cgroup.Usage{all, a, b, idle} {
		if u.CPU == nil || u.Memory == nil || u.Pids == nil {
			return "", fmt.Errorf("a part is missing: %+v", u)
		}
	}
	// The pod was read before its containers, and they go on: their counters may be some pages ahead.
	about := func(x, y, by uint64) bool { return max(x, y)-min(x, y) <= by }
	return fmt.Sprintf("%d = %d + %d MB, %v, %d threads", all.Memory.Usage/mb, a.Memory.Usage/mb, b.Memory.Usage/mb, all.CPU.Time, all.Pids.Now), expect(map[string]bool{
		"they live": survived, "memory of one": a.Memory.Usage > 24*mb && a.Memory.Anon > 20*mb, "and of the other": b.Memory.Usage > 10*mb && b.Memory.Usage < 20*mb,
		"none of the idle one": idle.Memory.Usage < mb && idle.Pids.Now == 0,
		"memory of both":       about(all.Memory.Usage, a.Memory.Usage+b.Memory.Usage, mb), "anonymous memory of both": about(all.Memory.Anon, a.Memory.Anon+b.Memory.Anon, mb),
		"CPU time of both": b.CPU.Time > time.Millisecond && about(uint64(all.CPU.Time), uint64(a.CPU.Time+b.CPU.Time), uint64(50*time.Millisecond)),
		"processes":        about(all.Pids.Now, a.Pids.Now+b.Pids.Now, 2) && b.Pids.Now > 0,
	})
}

func removeAll(h *cgroup.Host, paths ...string) (string, error) {
	err := remove(h, paths...)
	left, lerr := h.List("/")
	return fmt.Sprintf("left: %v", left), errors.Join(err, lerr, expect(map[string]bool{"none is left": len(left) == 0}))
}

func remove(h *cgroup.Host, paths ...string) error {
	var errs []error
	for _, p := range paths {
		errs = append(errs, h.Remove(context.Background(), p))
	}
	return errors.Join(errs...)
}
