package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

const (
	envPrefix   = "DCE_"
	labelPrefix = "dce."
	// auroraPrefix is put before the metadata of an Aurora job (src/main/java/org/apache/aurora/scheduler/mesos/MesosTaskFactory.java).
	auroraPrefix = "org.apache.aurora.metadata."
)

// reserved variables are not settings: the agent module sets the first, test runs the others.
func reserved(variable string) bool {
	return variable == "DCE_CGROUP_PARENT" || strings.HasPrefix(variable, "DCE_TEST_")
}

// Input is everything that a configuration is made of.
type Input struct {
	Files   []string          // YAML files, each over the ones before it; those that do not exist are left out
	Environ []string          // "name=value"; an empty value is as good as none
	Labels  map[string]string // of the task
}

// DefaultFiles are the host's file and the task's own, which is over it.
func DefaultFiles(sandbox string) []string {
	return []string{"/etc/dce/dce.yaml", filepath.Join(sandbox, "dce.yaml")}
}

// Errors is everything that is wrong with an Input.
type Errors []error

func (e Errors) Error() string {
	all := make([]string, len(e))
	for i, err := range e {
		all[i] = err.Error()
	}
	return strings.Join(all, "; ")
}

// Unwrap is for errors.Is and errors.As.
func (e Errors) Unwrap() []error { return e }

// Reason is what Mesos is told.
func (e Errors) Reason() string { return "REASON_TASK_INVALID" }

// Load makes the configuration. The error, if any, is of type Errors; the Config then holds what was right, so that a
// caller can log the failure in the format that was asked for.
func Load(in Input) (Config, error) {
	l := loader{config: Config{sources: map[string]Source{}}}
	for _, k := range keys {
		l.set(k, Source{Layer: LayerDefault}, k.Default)
	}
	for _, file := range in.Files {
		l.file(file)
	}
	l.environ(in.Environ)
	l.labels(in.Labels)
	if len(l.errs) > 0 {
		return l.config, l.errs
	}
	return l.config, nil
}

type loader struct {
	config Config
	errs   Errors
}

func (l *loader) fail(s Source, format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf("%s: %s", s, fmt.Sprintf(format, args...)))
}

// set parses values (one, or the entries of a list) into the field of a key.
func (l *loader) set(k Key, s Source, values ...string) {
	if err := k.parse(&l.config, values); err != nil {
		l.fail(s, "%v", err)
		return
	}
	l.config.sources[k.Name] = s
}

func (l *loader) environ(environ []string) {
	seen := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, envPrefix) && !reserved(name) && value != "" {
			seen[name] = value // the last one counts, as in exec.Cmd
		}
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		s := Source{LayerEnv, name}
		i := slices.IndexFunc(keys, func(k Key) bool { return k.Env() == name })
		if i < 0 {
			l.fail(s, "there is no such setting%s", suggest(name, Key.Env))
			continue
		}
		l.set(keys[i], s, seen[name])
	}
}

// labels applies the task's labels: the predecessor's first, then our own, so that ours win where a task has both. Each
// may have Aurora's prefix; one without it wins.
func (l *loader) labels(labels map[string]string) {
	plain := map[string]string{}
	for name, value := range labels {
		if rest, ok := strings.CutPrefix(name, auroraPrefix); ok {
			plain[rest] = value
		}
	}
	for name, value := range labels {
		if !strings.HasPrefix(name, auroraPrefix) {
			plain[name] = value
		}
	}
	names := slices.Sorted(maps.Keys(plain))
	for _, name := range names {
		l.classic(name, plain[name])
	}
	for _, name := range names {
		key, ours := strings.CutPrefix(name, labelPrefix)
		if !ours {
			continue
		}
		s := Source{LayerLabel, name}
		k, known := find(key)
		if !known {
			l.fail(s, "there is no such setting%s", suggest(name, Key.Label))
			continue
		}
		l.set(k, s, plain[name])
	}
}
