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
	"github.com/dce-go/dce/go/reaper"
)

// cleanUpIsLong is when a clean-up is worth a word.
const cleanUpIsLong = 2 * time.Second

// cleanUp ends what still runs and removes what is left: containers, networks, volumes and cgroups that bear this run's
// labels, then the sandbox unless it is to be kept. What can't be removed is left to the next dce run, together with the claim.
func (s *session) cleanUp(ctx context.Context, signals <-chan os.Signal) error {
	ctx, stop := s.interruptible(ctx, signals)
	defer stop()
	var swept error
	if s.container != nil {
		// It is gone where follow has seen its end.
		_ = s.agent.Destroy(s.order.task().Executor.ExecutorID.Value)
		<-s.container.Gone()
		if swept = s.sweep(ctx); swept != nil {
			swept = fmt.Errorf("%w; the next dce run removes it", swept)
		}
	}
	errs := []error{swept, s.agent.Close()}
	switch {
	case swept != nil:
	case s.flags.keep:
		errs = append(errs, os.Remove(filepath.Join(s.agentDir(), claimFile)))
	default:
		if err := os.RemoveAll(s.agentDir()); err != nil {
			errs = append(errs, fmt.Errorf("the sandbox can't be removed: %w", err))
		}
	}
	return errors.Join(append(errs, s.release())...)
}

func (s *session) agentDir() string { return filepath.Join(s.agent.WorkDir(), "slaves", s.agent.ID()) }

// settling is how long an engine may take to learn that containers have ended which were killed behind its back. Until then
// they seem to run outside of the cgroup that is gone, which is in doubt and left, and their volumes are in use.
const settling = 5 * time.Second

func (s *session) sweep(ctx context.Context) error {
	match := s.match(s.agent.FrameworkID(), s.container.ID, "dce run has ended")
	var removed []reaper.Removal
	for begin, wait := time.Now(), 50*time.Millisecond; ; wait *= 2 {
		report, err := reaper.Sweep(ctx, s.engine, s.host, match)
		removed = append(removed, report.Removed...)
		if (err != nil || len(report.Left) > 0) && time.Since(begin)+wait < settling && ctx.Err() == nil {
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
