package reap

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestModulesWithoutACore do not load, the agent does not start, and nothing is touched. With one that is right all goes well.
func TestModulesWithoutACore(t *testing.T) {
	h := newHost(t)
	p := h.agent().running("executor", small)
	p.die()
	p.settled()
	all := h.everything()
	whole, err := os.ReadFile(world.core)
	require.NoError(t, err)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		content []byte
		path    string
	}{
		"missing":            {nil, filepath.Join(dir, "none.so")},
		"empty":              {[]byte{}, ""},
		"truncated":          {whole[:len(whole)/2], ""},
		"truncated a little": {whole[:len(whole)-1], ""},
		"a few bytes":        {whole[:100], ""},
		"no library":         {[]byte("#!/bin/sh\n# 0123456789012345678901234567890123456789012345678901234567890123456789\n"), ""},
		"another version":    {nil, world.wrongCore},
		"another library":    {nil, world.module},
	} {
		t.Run(name, func(t *testing.T) {
			if c.path == "" {
				c.path = filepath.Join(dir, name+".so")
				require.NoError(t, os.WriteFile(c.path, c.content, 0o755))
			}
			agent, ready := spawn(t, h.workDir, []string{hook, isolator}, h.settings("core", c.path))
			require.False(t, ready)
			<-agent.gone
			require.Equal(t, 1, agent.cmd.ProcessState.ExitCode(), "an agent refuses to start, and does not crash")
			require.Contains(t, agent.said.String(), c.path)
			require.Contains(t, agent.said.String(), "name it in the parameter 'core'")
		})
	}
	require.Equal(t, all, h.everything())
	h.back()
	h.start()
	h.clean()
}

// cores are the paths of cores that tests built, by what they were built with.
var cores = map[string]string{}

// forgetCores removes them.
func forgetCores() error {
	for _, path := range cores {
		if err := os.RemoveAll(filepath.Dir(path)); err != nil {
			return err
		}
	}
	return nil
}

// buildCore builds libdcecore.so with further flags of go build.
func buildCore(t testing.TB, name string, flags ...string) string {
	t.Helper()
	if path, ok := cores[name]; ok {
		return path
	}
	dir, err := os.MkdirTemp("", "dce-core-")
	require.NoError(t, err)
	path := filepath.Join(dir, "libdcecore.so")
	build := exec.Command("go", append(append([]string{"build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", path}, flags...), "./cgo-bridge")...)
	build.Dir = world.checkout
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	cores[name] = path
	return path
}

// panics are the points at which a core with faults panics once: the operations, and what works in the background.
var panics = []struct{ name, points string }{
	{"attach", "attach,attach"}, {"prepare", "prepare"}, {"update", "update"}, {"usage", "usage"}, {"attribute", "attribute"}, {"cleanup", "cleanup"}, {"hook", "hook.removed"},
	{"recover", "recover"}, {"metrics", "metrics"}, {"submit", "submit"}, {"background", "work,search,sweep,look,journal"},
}

// TestPanics: whichever operation of the core panics, the agent goes on, what lives is left alone and what is dead goes.
func TestPanics(t *testing.T) {
	core := buildCore(t, "faults", "-tags=dcetest")
	for _, c := range panics {
		t.Run(c.name, func(t *testing.T) { panicked(t, core, c.points) })
	}
}

func panicked(t testing.TB, core, points string) {
	h := newHost(t)
	h.core = core
	module := h.start("test_panic", points, "reconcile_interval", "1secs")
	p := h.agent().running("executor", small, "dce.network.mode", "host")
	require.Empty(t, module.ask("update", p.Container.ID, 1, 64, -1, -1).Failure)
	require.Empty(t, module.ask("usage", p.Container.ID).Failure)
	if points == "metrics" {
		_ = module.ask("metrics")
	}
	h.stays(1300*time.Millisecond, p.list()...) // while everything is compared
	p.die()
	h.clean()
	require.NotZero(t, module.metric("core_panics"))
	require.Equal(t, 0, module.quit(), "the agent ends well")
}
