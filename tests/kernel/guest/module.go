package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/core"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/tree"
)

// module is the core of the agent module, opened with this use_hierarchy for the agent's --cgroups_root, on a host without an engine.
func module(root, mode string) (*core.Core, error) {
	config, err := json.Marshal(map[string]string{"cgroups_root": root, "use_hierarchy": mode, "runtime_dir": "/run/mesos", "work_dir": "/var/lib/mesos",
		"log_level": "error"})
	if err != nil {
		return nil, err
	}
	return core.Open(config, core.Options{Log: os.Stderr, Connect: func(context.Context) (engine.Gateway, error) { return nil, errors.New("there is no engine") }})
}

// ask has the core do an operation, and returns its JSON object, or its sentence for an error.
func ask(c *core.Core, op string, input any) (core.Status, string) {
	text, err := json.Marshal(input)
	if err != nil {
		return core.Invalid, err.Error()
	}
	type end struct {
		status core.Status
		text   string
	}
	ended := make(chan end, 1)
	if s := c.Submit(op, text, 30*time.Second, func(s core.Status, out []byte) { ended <- end{s, string(out)} }); s != core.OK {
		return s, "not taken"
	}
	e := <-ended
	return e.status, e.text
}

// prepareContainer has the core prepare the container of an executor, as the isolator does.
func prepareContainer(c *core.Core, container string) (core.Status, string) {
	return ask(c, "prepare", map[string]any{"container": container, "config": map[string]any{
		"directory":     "/var/lib/mesos/slaves/s/frameworks/f/executors/e/runs/" + container,
		"executor_info": map[string]any{"executor_id": map[string]string{"value": "e"}, "framework_id": map[string]string{"value": "f"}},
		"command_info":  map[string]string{"value": "./dce-executor"},
	}})
}

// enforcedMetric is whether the core says that it knows cgroups_root to be hierarchical.
func enforcedMetric(c *core.Core) bool {
	_, text := ask(c, "metrics", map[string]string{})
	return strings.Contains(text, `"hierarchy_enforced":1`)
}

// use is memory.use_hierarchy of a cgroup, or why it can't be read.
func use(h *cgroup.Host, p string) string {
	got, err := h.Read("memory", p, "memory.use_hierarchy")
	if err != nil {
		return err.Error()
	}
	return got
}

// modules are the modes of use_hierarchy of the agent module, on a kernel whose default is 0.
var modules = []check{
	{"v1: the module makes cgroups_root with use_hierarchy 1, and sets it where it is there", func(h *cgroup.Host) (string, error) {
		if err := h.Create("/there", "memory"); err != nil {
			return "", err
		}
		that := map[string]bool{}
		for _, root := range []string{"made", "there"} {
			c, err := module(root, "enforce")
			if err != nil {
				return "", err
			}
			that["/"+root+" has 1"] = use(h, "/"+root) == "1"
			that["the metric says so of /"+root] = enforcedMetric(c)
			c.Close()
		}
		return "", errors.Join(remove(h, "/made", "/there"), expect(that))
	}},
	{"v1: the module in a root that is too late: enforce sets the task's cgroup or refuses", late("enforce", map[string]outcome{
		"child": {core.Refused, "has children (other)", "0"}, "fresh": {core.OK, "DCE_CGROUP_PARENT", "1"},
	})},
	{"v1: require refuses, and changes nothing", late("require", map[string]outcome{
		"child": {core.Refused, "has children (other)", "0"}, "fresh": {core.Refused, "is 0, so that the limit does not bind", "0"},
	})},
	{"v1: warn launches, changes nothing, and the metric says so", late("warn", map[string]outcome{
		"child": {core.OK, `"DCE_CGROUP_USE_HIERARCHY","value":"warn"`, "0"}, "fresh": {core.OK, "DCE_CGROUP_PARENT", "0"},
	})},
}

// updated: what an agent says of a container's resources reaches the pod's own tree through the module, and usage() is what that uses.
func updated(h *cgroup.Host) (string, error) {
	const container = "c-9"
	t, err := tree.New(h, cgroup.DriverCgroupfs, container)
	if err != nil {
		return "", err
	}
	c, err := module("mesos", "enforce")
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := t.Make(context.Background(), tree.Limits{Memory: 64 * mb, MemoryLow: 64 * mb, CPUs: 0.5}); err != nil {
		return "", err
	}
	that := map[string]bool{}
	scalar := func(v float64) map[string]float64 { return map[string]float64{"value": v} }
	for _, step := range []struct{ cpus, mem, cpuLimit, memLimit float64 }{{1, 96, 1.5, 128}, {0.25, 64, 0.75, 100}} {
		status, text := ask(c, "update", map[string]any{"container": container, "config": map[string]any{
			"resources": []any{map[string]any{"name": "cpus", "scalar": scalar(step.cpus)}, map[string]any{"name": "mem", "scalar": scalar(step.mem)}},
			"limits":    map[string]any{"cpus": scalar(step.cpuLimit), "mem": scalar(step.memLimit)},
		}})
		that["the update is taken: "+text] = status == core.OK
		for file, want := range map[string]string{
			"memory.max": fmt.Sprint(128 * mb), // the second is less, and a pod's memory is not lowered under it
			"memory.low": fmt.Sprint(int(step.mem) * mb), "cpu.weight": fmt.Sprint(100 * step.cpus), "cpu.max": fmt.Sprintf("%d 100000", int(100_000*step.cpuLimit)),
		} {
			got, err := h.Read("memory", t.Path, file)
			that[fmt.Sprintf("%s is %s: %s %v", file, want, got, err)] = got == want
		}
	}
	if err := h.Create(t.Path+"/web", "memory"); err != nil {
		return "", err
	}
	e, err := newEater(h, t.Path+"/web", "eat", "24")
	if err != nil {
		return "", err
	}
	that["it lives"] = e.fill()
	status, text := ask(c, "usage", map[string]string{"container": container})
	var used struct {
		Total     uint64  `json:"mem_total_bytes"`
		Limit     uint64  `json:"mem_limit_bytes"`
		CPUs      float64 `json:"cpus_limit"`
		Processes int     `json:"processes"`
	}
	err = json.Unmarshal([]byte(text), &used)
	that["usage is told"] = status == core.OK && used.Total > 24*mb && used.Limit == 128*mb && used.CPUs == 0.75 && used.Processes == 1
	e.end()
	return text, errors.Join(err, t.Remove(context.Background()), h.Remove(context.Background(), tree.Root), expect(that))
}

// outcome is how a prepare ends.
type outcome struct {
	status core.Status
	says   string
	after  string // memory.use_hierarchy
}

// late opens the core in an agent's root that has 0 and children, and has it prepare containers there: one that has a child of its
// own, and one that has none.
func late(mode string, want map[string]outcome) func(*cgroup.Host) (string, error) {
	return func(h *cgroup.Host) (string, error) {
		root := "/late-" + mode
		if err := errors.Join(h.Create(path.Join(root, "child", "other"), "memory"), h.Create(path.Join(root, "fresh"), "memory")); err != nil {
			return "", err
		}
		c, err := module(root[1:], mode)
		if err != nil {
			return "", err
		}
		that := map[string]bool{"the root is left at 0": use(h, root) == "0", "the metric does not claim it": !enforcedMetric(c)}
		var said []string
		for _, container := range slices.Sorted(maps.Keys(want)) {
			w := want[container]
			status, text := prepareContainer(c, container)
			said = append(said, container+": "+text)
			that[fmt.Sprintf("%s ends with %d, and says %q", container, w.status, w.says)] = status == w.status && strings.Contains(text, w.says)
			that[container+" has "+w.after] = use(h, path.Join(root, container)) == w.after
		}
		that["the metric still does not claim it"] = !enforcedMetric(c)
		c.Close()
		return strings.Join(said, "; "), errors.Join(remove(h, root), expect(that))
	}
}
