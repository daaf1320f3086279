package main

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/go/reaper"
)

const reapHelp = `Remove what dead executors left on this host: containers in any state, networks,
volumes that were named for a pod, and empty cgroups. For hosts whose agents do
not load dce's module, by hand or from cron.

Nothing of an executor that may live is touched: one lives while a process has
its sandbox in its environment (MESOS_DIRECTORY), or is in the cgroup of its run.
Nothing is touched either that is not proved to be a pod's by its labels, its
name and its cgroup; it is listed with the reason.

Agents of one host are told apart by their --work_dir. Where pods of several are
on this host, --work-dir or --all says whose to look at. Where an agent has
cgroups alone, and nothing on the engine, only --work-dir finds them.

Exit code: 0 when nothing is left that could go; 1 when something could not be
seen or removed; 2 for bad input; 3 when the executor of --executor lives.`

// exitLives is the exit code where what was named lives.
const exitLives = 3

// reapFlags is what the user asked for.
type reapFlags struct {
	dryRun   bool
	executor string
	all      bool
	output   string
	workDir  string
	roots    []string
	age      time.Duration
	grace    time.Duration
	timeout  time.Duration
}

func reapCommand() *cobra.Command {
	var f reapFlags
	cmd := &cobra.Command{
		Use: "reap", Short: "Remove what dead executors left on this host", Long: reapHelp, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"executor", "work-dir"} { // an unset variable of a script does not mean all
				if flag := cmd.Flags().Lookup(name); flag.Changed && flag.Value.String() == "" {
					return badInput("--%s is empty; name one, or leave the flag out", name)
				}
			}
			if err := f.check(); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
			defer cancel()
			return failed(reap(ctx, f, report{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), json: f.output == "json", DryRun: f.dryRun}))
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be removed, and remove nothing")
	flags.StringVar(&f.executor, "executor", "", "only what the executor with this `id` left")
	flags.BoolVar(&f.all, "all", false, "what executors of all agents of this host left")
	flags.StringVar(&f.workDir, "work-dir", "", "only what executors of the agent with this --work_dir `directory` left")
	flags.StringArrayVar(&f.roots, "cgroups-root", []string{"mesos", localagent.CgroupsRoot}, "--cgroups_root of an agent, a `path`; may be repeated")
	flags.DurationVar(&f.age, "age", 10*time.Second, "leave pods alone that are younger than this")
	flags.DurationVar(&f.grace, "grace", 0, "time for what still runs between its stop signal and SIGKILL")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Minute, "give up after this time")
	flags.StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

func (f *reapFlags) check() error {
	switch {
	case f.output != "text" && f.output != "json":
		return badInput("-o %s is no format; there are text and json", f.output)
	case f.all && f.workDir != "":
		return badInput("--all and --work-dir exclude each other: leave one out")
	case f.workDir != "" && !filepath.IsAbs(f.workDir):
		return badInput("--work-dir %s is not an absolute path; give the agent's --work_dir as it has it", f.workDir)
	case f.age < 0 || f.grace < 0 || f.timeout <= 0:
		return badInput("--age, --grace and --timeout take times such as 10s, not negative ones, and --timeout not 0")
	}
	if f.workDir != "/" {
		f.workDir = strings.TrimSuffix(f.workDir, "/") // which a sandbox's path does not have
	}
	for i, root := range f.roots {
		var err error
		if f.roots[i], err = cgroupsRoot(root); err != nil {
			return err
		}
	}
	f.roots = append(f.roots, reaper.OwnRoot)
	slices.Sort(f.roots)
	f.roots = slices.Compact(f.roots)
	return nil
}

// cgroupsRoot is the cgroup that an agent's --cgroups_root names.
func cgroupsRoot(given string) (string, error) {
	root := path.Clean("/" + given)
	if root == "/" || slices.Contains(strings.Split(given, "/"), "..") {
		return "", badInput("--cgroups-root %q is no cgroup below the root; give the agent's --cgroups_root", given)
	}
	return root, nil
}

// reap looks at the scopes one after the other, and reports all.
func reap(ctx context.Context, f reapFlags, r report) error {
	host, err := cgroup.Open(cgroup.Options{})
	if err != nil {
		return err
	}
	docker, err := engine.Connect(ctx, engine.ConnectOptions{})
	if err != nil {
		return err
	}
	defer docker.Close()
	scopes, err := f.scopes(ctx, docker)
	if err != nil {
		return err
	}
	var failures []error
	for _, scope := range scopes {
		lives, err := reapScope(ctx, f, docker, host, scope, &r)
		if err != nil {
			failures = append(failures, err)
		}
		if lives {
			failures = append(failures, &exitError{exitLives, fmt.Errorf("the executor %s of the agent at %s lives, and what it has is left alone; end its task first", f.executor, scope)})
		}
	}
	return r.end(failures)
}

// scopes are the agents to clean up behind: the one that is named, or those that the engine's labels name.
func (f reapFlags) scopes(ctx context.Context, docker *engine.Docker) ([]string, error) {
	if f.workDir != "" {
		return []string{f.workDir}, nil
	}
	found, err := reaper.Scopes(ctx, docker, f.executor)
	if err != nil {
		return nil, err
	}
	if len(found) > 1 && !f.all {
		return nil, badInput("pods of %d agents are on this host, with --work_dir %s: name one with --work-dir, or give --all", len(found), strings.Join(found, ", "))
	}
	return found, nil
}

// reapScope cleans up behind one agent. lives says that the executor that was named does.
func reapScope(ctx context.Context, f reapFlags, docker *engine.Docker, host *cgroup.Host, scope string, r *report) (lives bool, err error) {
	m := reaper.Match{Scope: scope, Executor: f.executor, CgroupRoots: f.roots, Grace: f.age, Cause: "its executor has no process"}
	s := reaper.Sweeper{Engine: docker, Cgroups: host, StopGrace: f.grace, Patience: f.timeout,
		Live: func(ctx context.Context, seen reaper.Observed) (reaper.Live, error) {
			live, err := reaper.LiveRuns(ctx, "/proc", host, m, seen)
			lives = f.executor != "" && slices.ContainsFunc(seen.Containers, func(c engine.Container) bool {
				return c.Labels[labels.Executor] == f.executor && live[c.Labels[labels.Container]]
			})
			return live, err
		},
	}
	if f.dryRun {
		plan, err := s.Plan(ctx, m)
		r.plan(plan)
		return lives, err
	}
	done, err := s.Sweep(ctx, m)
	r.sweep(done)
	return lives, err
}
