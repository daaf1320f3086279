package core

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/nearest"
	"github.com/dce-go/dce/go/reaper"
)

// The modes of use_hierarchy.
const (
	hierarchyEnforce = "enforce" // set it where that is possible, and refuse a launch where it can't be had
	hierarchyRequire = "require" // change nothing, and refuse a launch where it is not so
	hierarchyWarn    = "warn"    // change nothing, and say where it is not so
	hierarchyOff     = "off"
)

// parameters are the module's, as dcecore.h has them.
type parameters struct {
	dockerHost        string
	roots             []string // of cgroups: the agent's, then our own
	runtimeDir        string
	workDir           string // "" where only the agent knows it
	useHierarchy      string
	grace             time.Duration
	reconcileInterval time.Duration
	reapVolumes       bool
	dryRun            bool
	level             logrus.Level
}

// parameterKeys has a function for each key, which returns what is expected where the value can't be.
var parameterKeys = map[string]func(p *parameters, value string) (expected string){
	"docker_host": func(p *parameters, v string) string {
		if p.dockerHost = v; v != "" && engine.CheckHost(v) != nil {
			return "the engine's address, such as unix:///var/run/docker.sock or tcp://host:2376"
		}
		return ""
	},
	"cgroups_root": setRoot,
	"runtime_dir":  func(p *parameters, v string) string { return setDir(&p.runtimeDir, v) },
	"work_dir":     func(p *parameters, v string) string { return setDir(&p.workDir, v) },
	"use_hierarchy": func(p *parameters, v string) string {
		p.useHierarchy = v
		return oneOf(v, hierarchyEnforce, hierarchyRequire, hierarchyWarn, hierarchyOff)
	},
	"grace": func(p *parameters, v string) string { return setDuration(&p.grace, v, 0) },
	"reconcile_interval": func(p *parameters, v string) string {
		return setDuration(&p.reconcileInterval, v, time.Second)
	},
	"reap_volumes": func(p *parameters, v string) string { p.reapVolumes = v == "true"; return oneOf(v, "true", "false") },
	"dry_run":      func(p *parameters, v string) string { p.dryRun = v == "true"; return oneOf(v, "true", "false") },
	"log_level": func(p *parameters, v string) string {
		p.level, _ = logrus.ParseLevel(v)
		return oneOf(v, "debug", "info", "warning", "error")
	},
}

func parseParameters(text []byte) (parameters, error) {
	p := parameters{
		roots: []string{"/mesos", reaper.OwnRoot}, runtimeDir: "/var/run/mesos", useHierarchy: hierarchyEnforce,
		grace: 10 * time.Second, reconcileInterval: 5 * time.Minute, reapVolumes: true, level: logrus.InfoLevel,
	}
	var given map[string]string
	if err := decode(text, &given); err != nil {
		return p, failure(Invalid, "the module's parameters are no JSON object of strings: %w", err)
	}
	for key, value := range given {
		set, known := parameterKeys[key]
		if !known {
			meant := ""
			if near := nearest.To(key, keys()); near != "" {
				meant = " (did you mean " + near + "?)"
			}
			return p, failure(Invalid, "the module's parameter %q is unknown%s; there are %s", key, meant, strings.Join(keys(), ", "))
		}
		if expected := set(&p, value); expected != "" {
			return p, failure(Invalid, "the module's parameter %s can't be %q; it takes %s", key, value, expected)
		}
	}
	return p, nil
}

func keys() []string {
	out := []string{"core"} // which the module keeps for itself
	for key := range parameterKeys {
		out = append(out, key)
	}
	slices.Sort(out)
	return out
}

func setRoot(p *parameters, v string) string {
	root := path.Clean("/" + v)
	if root == "/" || strings.Contains(v, "..") || strings.ContainsRune(v, 0) {
		return "the agent's --cgroups_root, a path below the root of the hierarchies, such as mesos"
	}
	p.roots = slices.Compact([]string{root, reaper.OwnRoot})
	return ""
}

func setDir(to *string, v string) string {
	if !filepath.IsAbs(v) || strings.ContainsRune(v, 0) {
		return "an absolute path"
	}
	*to = filepath.Clean(v)
	return ""
}

func setDuration(to *time.Duration, v string, least time.Duration) string {
	d, err := config.ParseDuration(v)
	if err != nil || d < least {
		return "a duration such as 250ms or 10secs, at least " + least.String()
	}
	*to = d
	return ""
}

func oneOf(v string, values ...string) string {
	if slices.Contains(values, v) {
		return ""
	}
	return strings.Join(values, ", ")
}

// decode reads one JSON value that has nothing unknown in it and nothing after it.
func decode(text []byte, to any) error {
	if !utf8.Valid(text) {
		return errors.New("it is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON object")
	}
	return nil
}
