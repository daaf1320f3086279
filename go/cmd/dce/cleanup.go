package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dce-go/dce/go/engine"
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
		errs = append(errs, s.sweep(ctx))
	}
	errs = append(errs, s.agent.Close())
	if !s.flags.keep {
		if err := os.RemoveAll(filepath.Join(s.agent.WorkDir(), "slaves", s.agent.ID())); err != nil {
			errs = append(errs, fmt.Errorf("the sandbox can't be removed: %w", err))
		}
	}
	return errors.Join(errs...)
}

// settling is how long an engine may take to learn that containers have ended which were killed behind its back. Until then
// they seem to run outside of the cgroup that is gone, which is in doubt and left, and their volumes are in use.
const settling = 5 * time.Second

func (s *session) sweep(ctx context.Context) error {
	match := reaper.Match{
		Scope: s.agent.WorkDir(), Framework: s.agent.FrameworkID(), Container: s.container.ID,
		CgroupRoots: []string{"/" + localagent.CgroupsRoot, localagent.PodRoot}, Cause: "dce run has ended",
	}
	var removed []reaper.Removal
	for begin, wait := time.Now(), 50*time.Millisecond; ; wait *= 2 {
		report, err := reaper.Sweep(ctx, s.engine, s.host, match)
		removed = append(removed, report.Removed...)
		if (err != nil || len(report.Left) > 0) && time.Since(begin)+wait < settling {
			time.Sleep(wait)
			continue
		}
		if text := summary(removed); text != "" {
			s.screen.note("removed what the executor had left: %s", text)
		}
		for _, left := range report.Left {
			s.screen.note("%s", left)
		}
		return err
	}
}

// summary counts what was removed, for people: "2 containers, 1 network". Cgroups are not worth a word: engines leave them.
func summary(removed []reaper.Removal) string {
	counts := map[engine.Kind]int{}
	for _, r := range removed {
		counts[r.Kind]++
	}
	var parts []string
	for _, kind := range []engine.Kind{engine.KindContainer, engine.KindNetwork, engine.KindVolume} {
		switch n := counts[kind]; {
		case n == 1:
			parts = append(parts, "1 "+string(kind))
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %ss", n, kind))
		}
	}
	return strings.Join(parts, ", ")
}
