package doctor

import (
	"context"
	"strings"
	"time"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/go/reaper"
)

// gatherEngine asks the engine, and then what only it knows.
func gatherEngine(ctx context.Context, f *Facts, o Options) {
	f.Leftovers.Err, f.DockerDir.Err = errNoEngine, errNoEngine
	where := engine.ConnectOptions{Host: o.DockerHost, HostFrom: "--docker-host", Timeout: o.Patience}
	if where.Host == "" {
		where.Host, where.HostFrom = f.Settings.Value.EngineHost, f.Settings.Value.EngineFrom
	}
	host, source, err := engine.Locate(where)
	if f.Engine.Value = (Engine{Host: host, Source: source}); err != nil {
		f.Engine.Err = err
		return
	}
	// The gateway bounds each call; what hangs before that, such as a lookup of a name, is bounded here.
	asked := within(ctx, 2*o.Patience, "the Docker engine at "+host, func(ctx context.Context) (answered, error) { return ask(ctx, where) })
	if f.Engine.Err = asked.Err; asked.Err != nil {
		return
	}
	docker := asked.Value.docker
	defer docker.Close()
	f.Engine.Value.Info, f.Engine.Value.Asked, f.Engine.Value.Took = asked.Value.info, asked.Value.at, asked.Value.took
	f.Engine.Value.Local = strings.HasPrefix(host, "unix:")
	var g group
	if f.Engine.Value.Local {
		look(ctx, &g, o.Patience, "the file system of "+asked.Value.info.RootDir, &f.DockerDir, func(context.Context) (Disk, error) { return readDisk(asked.Value.info.RootDir) })
	}
	look(ctx, &g, o.Patience, "what dead executors left", &f.Leftovers, func(ctx context.Context) (Leftovers, error) { return findLeftovers(ctx, docker, o) })
	g.Wait()
}

type answered struct {
	docker *engine.Docker
	info   engine.Info
	at     time.Time
	took   time.Duration
}

func ask(ctx context.Context, where engine.ConnectOptions) (answered, error) {
	docker, err := engine.Connect(ctx, where)
	if err != nil {
		return answered{}, err
	}
	a := answered{docker: docker, at: time.Now()}
	if a.info, err = docker.Info(ctx); err != nil {
		_ = docker.Close()
		return answered{}, err
	}
	a.took = time.Since(a.at)
	return a, nil
}

// findLeftovers asks the reaper what it would remove.
func findLeftovers(ctx context.Context, docker *engine.Docker, o Options) (Leftovers, error) {
	out := Leftovers{Counts: map[engine.Kind]int{}, Foreign: map[engine.Kind]int{}, Young: map[engine.Kind]int{}}
	host, err := cgroup.Open(o.Cgroups)
	if err != nil {
		return out, err
	}
	scopes, err := reaper.Scopes(ctx, docker, "")
	if err != nil {
		return out, err
	}
	for _, scope := range scopes {
		m := reaper.Match{Scope: scope, CgroupRoots: cgroupRoots(o), Grace: o.Age}
		s := reaper.Sweeper{Engine: docker, Cgroups: host, Attempt: o.Patience,
			Live: func(ctx context.Context, seen reaper.Observed) (reaper.Live, error) {
				return reaper.LiveRuns(ctx, o.Proc, host, m, seen)
			}}
		plan, err := s.Plan(ctx, m)
		if err != nil {
			return out, err
		}
		for _, r := range plan.Removals {
			out.Counts[r.Kind]++
		}
		for _, l := range plan.Left {
			if !l.Until.IsZero() {
				out.Young[l.Kind]++
				continue
			}
			out.Foreign[l.Kind]++
			out.Example = l.What() + ": " + l.Cause
		}
		if len(plan.Removals) > 0 {
			out.Scopes = append(out.Scopes, scope)
		}
	}
	return out, nil
}

// cgroupRoots are those of `dce reap`, and the agent's.
func cgroupRoots(o Options) []string {
	roots := []string{o.CgroupsRoot, "/" + localagent.CgroupsRoot, reaper.OwnRoot}
	if o.CgroupsRoot == roots[1] || o.CgroupsRoot == roots[2] {
		roots = roots[1:]
	}
	return roots
}
