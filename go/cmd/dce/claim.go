package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/go/reaper"
)

// claimFile is in the directory of every agent whose dce lives or was killed. Its dce holds a lock on it, which goes with the
// process however that ends; so a claim that can be locked is that of a dce that died before it had cleaned up.
const claimFile = ".dce-run"

// claim is what the next dce must know of this one to clean up behind it.
type claim struct {
	Engine string `json:"engine"` // address
	Keep   bool   `json:"keep"`   // the sandbox is to stay
}

// write puts a claim into a directory that nobody else uses yet. It holds until release.
func (c claim) write(dir string) (release func() error, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(dir, claimFile+"-") // whoever finds it by its name finds it locked
	if err != nil {
		return nil, err
	}
	if err = json.NewEncoder(file).Encode(c); err == nil {
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
	}
	if err == nil {
		err = os.Rename(file.Name(), filepath.Join(dir, claimFile))
	}
	if err != nil {
		file.Close()
		return nil, errors.Join(err, os.Remove(file.Name()))
	}
	return file.Close, nil
}

// deadClaims calls f for every agent's directory below a work directory whose dce was killed. Nobody else does meanwhile.
func deadClaims(workDir string, f func(dir string, c claim)) error {
	files, err := filepath.Glob(filepath.Join(workDir, "slaves", "*", claimFile))
	if err != nil {
		return err
	}
	for _, path := range files {
		if err := ifDead(path, f); err != nil {
			return err
		}
	}
	return nil
}

func ifDead(path string, f func(dir string, c claim)) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	} else if err != nil {
		return err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil // another dce was faster
	}
	var c claim
	if err := json.NewDecoder(file).Decode(&c); err != nil {
		return fmt.Errorf("%s is damaged: %w; remove its directory", path, err)
	}
	f(filepath.Dir(path), c)
	return nil
}

// sweepDead removes what killed runs of dce left in this work directory and this engine. An executor that outlived its dce is
// left to end its pod by itself.
func (s *session) sweepDead(ctx context.Context) {
	err := deadClaims(s.agent.WorkDir(), func(dir string, c claim) {
		if c.Engine != s.engine.Host() {
			return
		}
		removed, done, err := s.sweepAgent(ctx, dir)
		if text := summary(removed); text != "" {
			s.screen.note("removed what a killed dce run had left: %s", text)
		}
		switch {
		case err != nil:
			s.screen.note("what a killed dce run had left in %s can't be removed: %v", dir, err)
			return
		case !done:
			return
		case c.Keep:
			err = os.Remove(filepath.Join(dir, claimFile))
		default:
			err = os.RemoveAll(dir)
		}
		if err != nil {
			s.screen.note("what a killed dce run had left can't be removed: %v", err)
		}
	})
	if err != nil {
		s.screen.note("what killed runs of dce left can't be looked for: %v", err)
	}
}

// sweepAgent removes what the runs of a dead agent left. It is done unless an executor lives.
func (s *session) sweepAgent(ctx context.Context, dir string) (removed []reaper.Removal, done bool, err error) {
	sandboxes, err := filepath.Glob(filepath.Join(dir, "frameworks/*/executors/*/runs/*-*"))
	if err != nil {
		return nil, false, err
	}
	done = true
	for _, sandbox := range sandboxes {
		run, ok := reaper.ParseSandbox(sandbox)
		if !ok {
			continue
		}
		m := s.match(run.Framework, run.Container, "its dce run was killed")
		sweeper := reaper.Sweeper{Engine: s.engine, Cgroups: s.host, Patience: 2 * settling,
			Live: func(ctx context.Context, seen reaper.Observed) (reaper.Live, error) {
				live, err := reaper.LiveRuns(ctx, "/proc", s.host, m, seen)
				done = done && !live[run.Container]
				return live, err
			},
		}
		report, err := sweeper.Sweep(ctx, m)
		removed = append(removed, report.Removed...)
		if err != nil {
			return removed, false, err
		}
	}
	return removed, done, nil
}

// match is all of a run of an agent in this work directory.
func (s *session) match(framework, container, cause string) reaper.Match {
	return reaper.Match{
		Scope: s.agent.WorkDir(), Framework: framework, Container: container,
		CgroupRoots: []string{"/" + localagent.CgroupsRoot, localagent.PodRoot}, Cause: cause,
	}
}

// interruptible cancels a clean-up that takes long when the user asks for it, and says before that this can be done.
func (s *session) interruptible(ctx context.Context, signals <-chan os.Signal) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-time.After(cleanUpIsLong):
		case <-ctx.Done():
			return
		}
		for len(signals) > 0 { // those that were meant for the task
			<-signals
		}
		s.screen.note("what is left can't be removed yet; press Ctrl-C to leave it to the next dce run")
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		<-ended
	}
}
