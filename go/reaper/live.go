package reaper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// files bounds how many goroutines of this process read files at a time: each may cost a thread, and a guest in an agent's
// process should have few.
var files = semaphore.NewWeighted(2)

// initPID is no executor's, and in a container not even root may read the environment of the host's init.
const initPID = 1

// Run is one run of an executor, as its sandbox names it.
type Run struct {
	Scope, Agent, Framework, Executor, Container string
}

// ParseSandbox reads <work_dir>/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container> (Mesos:
// src/slave/paths.cpp, getExecutorRunPath).
func ParseSandbox(dir string) (run Run, ok bool) {
	const parts = 8
	fields := strings.Split(dir, "/")
	if len(fields) <= parts {
		return Run{}, false
	}
	workDir, f := strings.Join(fields[:len(fields)-parts], "/"), fields[len(fields)-parts:]
	if f[0] != "slaves" || f[2] != "frameworks" || f[4] != "executors" || f[6] != "runs" || workDir == "" {
		return Run{}, false
	}
	run = Run{workDir, f[1], f[3], f[5], f[7]}
	return run, run.Agent != "" && run.Framework != "" && run.Executor != "" && run.Container != ""
}

// Running finds the executors that have a process, by the sandbox in its environment (Mesos: src/slave/slave.cpp,
// executorEnvironment). Processes of containers that were seen don't count: a compose file may hand the variable on.
// That it can't be read whose a process is, is an error: what lives is then unknown.
func Running(ctx context.Context, proc string, seen Observed) ([]Run, error) {
	if err := files.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer files.Release(1)
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, fmt.Errorf("the processes of this host can't be listed: %w", err)
	}
	var out []Run
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err != nil || pid == initPID {
			continue
		}
		file := filepath.Join(proc, e.Name(), "environ")
		environ, err := os.ReadFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH):
			continue // it ended meanwhile
		case errors.Is(err, fs.ErrPermission):
			return nil, fmt.Errorf("what lives can't be told, because %s may not be read; be root for that: %w", file, err)
		case err != nil:
			return nil, fmt.Errorf("what lives can't be told: %w", err)
		}
		run, ok := sandboxOf(environ)
		if ok && !slices.Contains(out, run) && !ofContainer(filepath.Join(proc, e.Name(), "cgroup"), seen) {
			out = append(out, run)
		}
	}
	return out, nil
}

func sandboxOf(environ []byte) (Run, bool) {
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if dir, ok := bytes.CutPrefix(v, []byte("MESOS_DIRECTORY=")); ok {
			return ParseSandbox(string(dir))
		}
	}
	return Run{}, false
}

// ofContainer says whether a process is in the cgroup of a container that was seen.
func ofContainer(file string, seen Observed) bool {
	text, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(seen.Containers, func(c engine.Container) bool { return bytes.Contains(text, []byte(c.ID)) })
}

// LiveRuns are the runs of a scope that may live, for those who have no agent to tell them: those of which an executor has a
// process, and those in whose own cgroup a process is.
func LiveRuns(ctx context.Context, proc string, host *cgroup.Host, m Match, seen Observed) (Live, error) {
	running, err := Running(ctx, proc, seen)
	if err != nil {
		return nil, err
	}
	live := Live{}
	for _, run := range running {
		if run.Scope == m.Scope {
			live[run.Container] = true
		}
	}
	var bearers []map[string]string
	for _, t := range seen.things() {
		bearers = append(bearers, t.labels)
	}
	for _, t := range seen.Trees {
		bearers = append(bearers, owned(t))
	}
	for _, l := range bearers {
		run := l[labels.Container]
		if live[run] || !m.fits(l) {
			continue
		}
		for _, own := range m.groups(run, seen.Cgroups) {
			for _, path := range []string{own, own + "/leaf"} { // on v2 the executor is in a leaf of its own
				pids, err := host.Procs(path)
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					return nil, err
				}
				if len(pids) > 0 {
					live[run] = true
				}
			}
		}
	}
	return live, nil
}
