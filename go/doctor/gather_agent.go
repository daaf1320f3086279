package doctor

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/agentflags"
	"github.com/dce-go/dce/go/config"
)

// agents finds the agents that run, by the name of their program.
func agents(proc string) ([]Agent, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, err
	}
	var out []Agent
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join(proc, e.Name())
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		args := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		if err != nil || !isAgent(args[0]) {
			continue // it ended meanwhile, or is none of ours to see
		}
		a := Agent{PID: pid}
		environ, err := os.ReadFile(filepath.Join(dir, "environ"))
		switch {
		case ended(err):
			continue
		case err != nil:
			a.Partly = true
		}
		a.Flags = agentflags.Parse(strings.Split(string(environ), "\x00"), args[1:])
		a.Programs, a.MapsErr = goLibraries(dir)
		out = append(out, a)
	}
	return out, nil
}

func ended(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) }

func denied(err error) bool { return errors.Is(err, fs.ErrPermission) }

// isAgent knows the names of the program, old and new, and that of the one in a build tree.
func isAgent(program string) bool {
	return slices.Contains([]string{"mesos-agent", "mesos-slave"}, strings.TrimPrefix(path.Base(program), "lt-"))
}

// goLibraries are the shared libraries in a process that have a Go runtime.
func goLibraries(dir string) ([]GoProgram, error) {
	f, err := os.Open(filepath.Join(dir, "maps"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var seen []string
	var out []GoProgram
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		const columns = 6 // proc(5), /proc/pid/maps
		fields := strings.SplitN(lines.Text(), " ", columns)
		if len(fields) < columns {
			continue
		}
		file := strings.TrimSpace(fields[columns-1])
		if !strings.HasPrefix(file, "/") || !strings.Contains(path.Base(file), ".so") || slices.Contains(seen, file) {
			continue
		}
		seen = append(seen, file)
		if p := goProgram(filepath.Join(dir, "root", file)); p != nil {
			p.Path = file
			out = append(out, *p)
		}
	}
	return out, lines.Err()
}

// readSettings reads what executors of this host begin with, before the task's own files and labels.
func readSettings(o Options, a *Agent) (Settings, error) {
	environ, err := o.Environ, error(nil)
	if a != nil {
		if environ, err = a.executors(); err != nil {
			return Settings{}, err
		}
	}
	c, err := config.Load(config.Input{Files: config.DefaultFiles("")[:1], Environ: environ})
	s := Settings{EngineHost: c.Engine.Host, EngineFrom: c.Source("engine.host").String(), UseHierarchy: c.Cgroup.UseHierarchy}
	if a != nil && s.EngineHost == "" {
		s.EngineHost, s.EngineFrom = variable(environ, "DOCKER_HOST"), "DOCKER_HOST in the agent's --"+executorVariables
		if s.EngineHost == "" && variable(o.Environ, "DOCKER_HOST")+variable(o.Environ, "DOCKER_CONTEXT") != "" {
			s.EngineHost, s.EngineFrom = client.DefaultDockerHost, "the agent's --"+executorVariables+", which has no DOCKER_HOST"
		}
	}
	return s, err
}

const executorVariables = "executor_environment_variables"

// executors is the environment of executors, as far as the agent names it: they have nothing of the agent's own (Mesos:
// src/slave/slave.cpp, executorEnvironment).
func (a *Agent) executors() ([]string, error) {
	text := a.Flags[executorVariables]
	if text == "" {
		return nil, nil
	}
	if file, isFile := strings.CutPrefix(text, "file://"); isFile || strings.HasPrefix(text, "/") {
		read, err := os.ReadFile(cmp.Or(file, text))
		if err != nil {
			return nil, fmt.Errorf("the agent's --%s: %w", executorVariables, err)
		}
		text = string(read)
	}
	var variables map[string]string
	var kind *json.UnmarshalTypeError
	switch err := json.Unmarshal([]byte(text), &variables); {
	case errors.As(err, &kind):
		return nil, fmt.Errorf("the agent's --%s is no JSON object of strings, it has something of the type %s", executorVariables, kind.Value)
	case err != nil:
		return nil, fmt.Errorf("the agent's --%s is no JSON object of strings: %w", executorVariables, err)
	}
	out := make([]string, 0, len(variables))
	for name, value := range variables {
		out = append(out, name+"="+value)
	}
	return out, nil
}

func variable(environ []string, name string) string {
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}
