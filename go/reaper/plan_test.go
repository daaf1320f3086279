package reaper

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

var noon = time.Date(2024, 8, 1, 12, 0, 0, 0, time.UTC)

func identity(run string) labels.Identity {
	return labels.Identity{Scope: "/var/lib/mesos", Agent: "a", Framework: "f", Executor: "e", Container: run, Task: "web"}
}

// ctr is a container of a pod; name is what follows the pod id.
func ctr(id string, who labels.Identity, name string, status engine.Status) engine.Container {
	service, number, numbered := strings.Cut(strings.TrimPrefix(name, "-"), "-")
	role := labels.RoleService
	if !numbered {
		role, number = labels.RoleInfra, "1"
	}
	all := labels.ForService(who.Labels("1"), service, role, number)
	return engine.Container{ID: id, Name: who.PodID() + name, Labels: all, Status: status, Created: noon}
}

func obj(kind engine.Kind, who labels.Identity, name string) engine.Object {
	return engine.Object{Kind: kind, ID: "id" + name, Name: who.PodID() + name, Labels: who.Labels("1"), Created: noon}
}

func TestPlan(t *testing.T) {
	c1, c2 := identity("c1"), identity("c2")
	everything := Observed{
		Containers: []engine.Container{
			ctr("111", c1, "-web-1", engine.StatusRunning), ctr("112", c1, "-infra", engine.StatusPaused), ctr("113", c1, "-db-1", engine.StatusCreated),
			ctr("211", c2, "-web-1", engine.StatusRunning),
		},
		Networks: []engine.Object{obj(engine.KindNetwork, c1, "_default")},
		Volumes:  []engine.Object{obj(engine.KindVolume, c1, "_data")},
		Cgroups:  []string{"/mesos/c1", "/mesos/c1/111", "/mesos/c1/112", "/mesos/c2", "/mesos/c2/211", "/mesos/c3"},
	}
	other := c1
	other.Agent = "b"
	short := strings.NewReplacer(c1.PodID(), "POD1", c2.PodID(), "POD2", identity("..").PodID(), "PODUP", other.PodID(), "PODB")
	match := Match{Scope: "/var/lib/mesos", CgroupRoots: []string{"/mesos", "/dce"}, Cause: "the executor was removed"}
	with := func(change func(*Match, *Observed)) (Match, Observed) {
		m, o := match, everything
		change(&m, &o)
		return m, o
	}
	foreign := func(change func(*engine.Container)) func(*Match, *Observed) {
		return func(_ *Match, o *Observed) {
			c := ctr("999", c1, "-x-1", engine.StatusExited)
			change(&c)
			*o = Observed{Containers: []engine.Container{c}, Cgroups: []string{"/other/c1/999"}}
		}
	}
	for name, c := range map[string]struct {
		change func(*Match, *Observed)
		live   Live
		now    time.Time
		want   string
	}{
		"everything of the scope": {want: `
run c1
  remove container POD1-db-1 (created): the executor was removed
  remove container POD1-infra (paused): the executor was removed
  remove container POD1-web-1 (running): the executor was removed
  remove network POD1_default: the executor was removed
  remove volume POD1_data: the executor was removed
  remove cgroup /mesos/c1: the executor was removed
run c2
  remove container POD2-web-1 (running): the executor was removed
  remove cgroup /mesos/c2: the executor was removed
`},
		"what lives stays": {live: Live{"c1": true}, want: `
run c2
  remove container POD2-web-1 (running): the executor was removed
  remove cgroup /mesos/c2: the executor was removed
`},
		"one run, its cgroup alone is left": {change: func(m *Match, o *Observed) { m.Container = "c3" }, want: `
run c3
  remove cgroup /mesos/c3: the executor was removed
`},
		"a run that lives, named": {change: func(m *Match, o *Observed) { m.Container = "c3" }, live: Live{"c3": true}},
		"another framework":       {change: func(m *Match, o *Observed) { m.Framework = "g" }},
		"another scope":           {change: func(m *Match, o *Observed) { m.Scope = "/elsewhere" }},
		"no cgroups in use": {change: func(m *Match, o *Observed) {
			m.CgroupRoots, m.Container, m.Cause = nil, "c2", ""
		}, want: `
run c2
  remove container POD2-web-1 (running): nothing that lives owns it
`},
		"a run that began after the reason": {change: func(m *Match, o *Observed) {
			m.Before = noon.Add(time.Minute)
			o.Containers = append(o.Containers[:0:0], o.Containers...)
			o.Containers[3].Created = noon.Add(59*time.Second + 500*time.Millisecond)
		}, want: `
run c1
  remove container POD1-db-1 (created): the executor was removed
  remove container POD1-infra (paused): the executor was removed
  remove container POD1-web-1 (running): the executor was removed
  remove network POD1_default: the executor was removed
  remove volume POD1_data: the executor was removed
  remove cgroup /mesos/c1: the executor was removed
leave container POD2-web-1 (running): its run began after the reason for this sweep
`},
		"the oldest thing tells a run's age": {change: func(m *Match, o *Observed) {
			m.Before = noon.Add(time.Minute)
			m.Container = "c1"
			o.Volumes = []engine.Object{obj(engine.KindVolume, c1, "_late")}
			o.Volumes[0].Created = noon.Add(time.Hour)
			o.Containers, o.Networks = o.Containers[2:3], nil
		}, want: `
run c1
  remove container POD1-db-1 (created): the executor was removed
  remove volume POD1_late: the executor was removed
  remove cgroup /mesos/c1: the executor was removed
`},
		"just created": {change: func(m *Match, o *Observed) { m.Grace, m.Container = 30*time.Second, "c2" }, now: noon.Add(30 * time.Second), want: `
leave container POD2-web-1 (running): its run is younger than 30s
`},
		"no longer just created": {change: func(m *Match, o *Observed) { m.Grace, m.Container = 30*time.Second, "c2" }, now: noon.Add(31 * time.Second), want: `
run c2
  remove container POD2-web-1 (running): the executor was removed
  remove cgroup /mesos/c2: the executor was removed
`},
		"systemd's scopes": {change: func(m *Match, o *Observed) {
			m.Container, o.Cgroups = "c2", []string{"/mesos/c2", "/mesos/c2/docker-211.scope"}
		}, want: `
run c2
  remove container POD2-web-1 (running): the executor was removed
  remove cgroup /mesos/c2: the executor was removed
`},
		"proof: labels that are not whole": {change: foreign(func(c *engine.Container) { delete(c.Labels, labels.Task) }), want: `
leave container POD1-x-1 (exited): its labels are not whole
`},
		"proof: a pod that its ids do not give": {change: foreign(func(c *engine.Container) { c.Labels[labels.Agent] = "b" }), want: `
leave container POD1-x-1 (exited): its label io.dce.pod is POD1, but its ids give PODB
`},
		"proof: an image committed from a pod's container": {change: foreign(func(c *engine.Container) { c.Name = "happy_hopper" }), want: `
leave container happy_hopper (exited): it is not named after its pod POD1
`},
		"proof: the name goes on where the pod id ends": {change: foreign(func(c *engine.Container) { c.Name = c1.PodID() + "x" }), want: `
leave container POD1x (exited): it is not named after its pod POD1
`},
		"proof: a name that another service would have": {change: foreign(func(c *engine.Container) { c.Labels[labels.Service] = "y" }), want: `
leave container POD1-x-1 (exited): it is not named after its pod POD1
`},
		"proof: infra bears no number": {change: foreign(func(c *engine.Container) { c.Labels[labels.Role] = labels.RoleInfra }), want: `
leave container POD1-x-1 (exited): it is not named after its pod POD1
`},
		"proof: a network of another name": {change: func(m *Match, o *Observed) {
			n := obj(engine.KindNetwork, c1, "_x")
			n.Name = "x"
			*o = Observed{Networks: []engine.Object{n}}
		}, want: `
leave network x: it is not named after its pod POD1
`},
		"proof: running elsewhere": {change: foreign(func(c *engine.Container) { c.Status = engine.StatusRunning }), want: `
leave container POD1-x-1 (running): its cgroup is not /mesos/c1 or /dce/c1 or /dce.slice/dce-c1.slice
`},
		"proof: it ran elsewhere": {change: foreign(func(c *engine.Container) {}), want: `
leave container POD1-x-1 (exited): its cgroup is not /mesos/c1 or /dce/c1 or /dce.slice/dce-c1.slice
`},
		"proof: the engine says that it ran elsewhere": {change: func(m *Match, o *Observed) {
			foreign(func(c *engine.Container) {})(m, o)
			o.Details = map[string]engine.Details{"999": {CgroupParent: "/other"}}
		}, want: `
leave container POD1-x-1 (exited): it was put below the cgroup /other and not /mesos/c1 or /dce/c1 or /dce.slice/dce-c1.slice
`},
		"proof: the engine says that it was put nowhere": {change: func(m *Match, o *Observed) {
			foreign(func(c *engine.Container) {})(m, o)
			o.Details = map[string]engine.Details{"999": {}}
		}, want: `
leave container POD1-x-1 (exited): it was not put below the cgroup /mesos/c1 or /dce/c1 or /dce.slice/dce-c1.slice
`},
		"proof: the engine says where it was put": {change: func(m *Match, o *Observed) {
			foreign(func(c *engine.Container) { c.Status = engine.StatusRunning })(m, o)
			o.Details = map[string]engine.Details{"999": {CgroupParent: "dce/c1/"}}
		}, want: `
run c1
  remove container POD1-x-1 (running): the executor was removed
`},
		"proof: its run had a cgroup": {change: func(m *Match, o *Observed) {
			foreign(func(c *engine.Container) {})(m, o)
			o.Cgroups = []string{"/mesos/c1"}
		}, want: `
run c1
  remove container POD1-x-1 (exited): the executor was removed
  remove cgroup /mesos/c1: the executor was removed
`},
		"in the second of the reason, before it": {change: func(m *Match, o *Observed) {
			m.Before, m.Container = noon.Add(600*time.Millisecond), "c2"
			o.Details = map[string]engine.Details{"211": {Created: noon.Add(500 * time.Millisecond)}}
		}, want: `
run c2
  remove container POD2-web-1 (running): the executor was removed
  remove cgroup /mesos/c2: the executor was removed
`},
		"in the second of the reason, after it": {change: func(m *Match, o *Observed) {
			m.Before, m.Container = noon.Add(600*time.Millisecond), "c2"
			o.Details = map[string]engine.Details{"211": {Created: noon.Add(700 * time.Millisecond)}}
		}, want: `
leave container POD2-web-1 (running): its run began after the reason for this sweep
`},
		"volumes are kept": {change: func(m *Match, o *Observed) {
			m.KeepVolumes, m.Container, o.Containers, o.Networks = true, "c1", nil, nil
		}, want: `
run c1
  remove cgroup /mesos/c1: the executor was removed
`},
		"proof: running in another run's cgroup": {change: func(m *Match, o *Observed) {
			*o = Observed{Containers: []engine.Container{ctr("111", c1, "-x-1", engine.StatusRunning)}, Cgroups: []string{"/mesos/c2/111"}}
		}, want: `
leave container POD1-x-1 (running): its cgroup is not /mesos/c1 or /dce/c1 or /dce.slice/dce-c1.slice
`},
		"a run whose id is no name of a directory": {change: func(m *Match, o *Observed) {
			up := identity("..")
			*o = Observed{Containers: []engine.Container{ctr("111", up, "-x-1", engine.StatusExited)}, Cgroups: []string{"/mesos/../x", "/x"}}
		}, want: `
leave container PODUP-x-1 (exited): its label io.dce.container is "..", which can't name a cgroup
`},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change == nil {
				c.change = func(*Match, *Observed) {}
			}
			m, o := with(c.change)
			require.NoError(t, m.check())
			if c.now.IsZero() {
				c.now = noon.Add(time.Hour)
			}
			require.Equal(t, strings.TrimPrefix(c.want, "\n"), short.Replace(NewPlan(m, o, c.live, c.now).String()))
		})
	}
}

func TestMatchThatIsTooWide(t *testing.T) {
	for _, m := range []Match{{}, {Executor: "e"}, {Scope: "s", CgroupRoots: []string{"/"}}, {Scope: "s", CgroupRoots: []string{""}},
		{Scope: "s", CgroupRoots: []string{"mesos"}}, {Scope: "s", CgroupRoots: []string{"/mesos/.."}}} {
		require.Error(t, m.check(), "%+v", m)
	}
}

// Whatever is seen: what lives is never removed, each removal was seen and fits the match, and order does not matter.
func TestPlanRemovesOnlyWhatIsProved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"", "a", "b", "..", "x/y"})
		m := Match{Scope: rapid.SampledFrom([]string{"s", "t"}).Draw(t, "scope"), Executor: word.Draw(t, "match"), CgroupRoots: []string{"/r"}}
		live := Live{word.Draw(t, "live"): true}
		var seen Observed
		byID := map[string]engine.Container{}
		for i := range rapid.IntRange(0, 8).Draw(t, "n") {
			who := labels.Identity{Scope: rapid.SampledFrom([]string{"s", "t"}).Draw(t, "s"), Agent: "g", Framework: "f", Executor: word.Draw(t, "e"), Container: word.Draw(t, "c"), Task: "k"}
			c := ctr(string(rune('0'+i)), who, rapid.SampledFrom([]string{"-w-1", "x-1"}).Draw(t, "name"),
				rapid.SampledFrom([]engine.Status{engine.StatusRunning, engine.StatusExited}).Draw(t, "status"))
			byID[c.ID] = c
			seen.Containers = append(seen.Containers, c)
			if rapid.Bool().Draw(t, "confined") {
				seen.Cgroups = append(seen.Cgroups, "/r/"+who.Container, "/r/"+who.Container+"/"+c.ID)
			}
		}
		slices.Sort(seen.Cgroups)
		p := NewPlan(m, seen, live, noon.Add(time.Hour))
		for _, r := range p.Removals {
			require.False(t, live[r.Run])
			if r.Kind == KindCgroup {
				require.True(t, strings.HasPrefix(r.ID, "/r/") && r.ID != "/r/.." && strings.Count(r.ID, "/") == 2, r.ID)
				continue
			}
			c := byID[r.ID]
			require.Equal(t, m.Scope, c.Labels[labels.Scope])
			require.True(t, m.Executor == "" || m.Executor == c.Labels[labels.Executor])
			require.True(t, strings.HasSuffix(c.Name, "-w-1"))
		}
		shuffled := seen
		shuffled.Containers = rapid.Permutation(seen.Containers).Draw(t, "order")
		require.Equal(t, p.String(), NewPlan(m, shuffled, live, noon.Add(time.Hour)).String())
	})
}
