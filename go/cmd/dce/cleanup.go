package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/go/reaper"
)

// cleanUp ends what still runs and removes what is left: containers, networks, volumes and cgroups that bear this run's
// labels, then the sandbox unless it is to be kept.
func (s *session) cleanUp(ctx context.Context) error {
	var errs []error
	if s.container != nil {
		// It is gone where follow has seen its end.
		_ = s.agent.Destroy(s.order.task().Executor.ExecutorID.Value)
		<-s.container.Gone()
		report, err := reaper.Sweep(ctx, s.engine, s.host, reaper.Match{
			Scope: s.agent.WorkDir(), Framework: s.agent.FrameworkID(), Container: s.container.ID,
			CgroupRoots: []string{"/" + localagent.CgroupsRoot, localagent.PodRoot}, Cause: "dce run has ended",
		})
		if text := summary(report); text != "" {
			s.screen.note("removed what the executor had left: %s", text)
		}
		for _, left := range report.Left {
			s.screen.note("%s", left)
		}
		errs = append(errs, err)
	}
	errs = append(errs, s.agent.Close())
	if !s.flags.keep {
		if err := os.RemoveAll(filepath.Join(s.agent.WorkDir(), "slaves", s.agent.ID())); err != nil {
			errs = append(errs, fmt.Errorf("the sandbox can't be removed: %w", err))
		}
	}
	return errors.Join(errs...)
}

// summary counts what was removed, for people: "2 containers, 1 network". Cgroups are not worth a word: engines leave them.
func summary(report reaper.Report) string {
	counts := map[string]int{}
	for _, r := range report.Removed {
		if r.Kind != reaper.KindCgroup {
			counts[string(r.Kind)]++
		}
	}
	var parts []string
	for kind, n := range counts {
		if n > 1 {
			kind += "s"
		}
		parts = append(parts, fmt.Sprintf("%d %s", n, kind))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}
