package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Labels that tasks of dce-go's predecessor (github.com/paypal/dce-go) bear.
const (
	classicFile   = "fileName" // its compose files
	classicPrefix = "config."  // before the keys of its config.yaml
)

// classicKeys translates the predecessor's keys to ours. A number without a unit is in the unit that it had there.
var classicKeys = map[string]struct {
	key   string
	value func(string) string
}{
	"launchtask.timeout":  {"launch.timeout", unit("ms")},
	"cleanpod.timeout":    {"stop.grace", unit("s")},
	"launchtask.skippull": {"image.pull", either("missing", "always")},
	"launchtask.debug":    {"log.level", either("debug", "info")},
}

// withoutEffect are the beginnings of its keys that have nothing to act on here.
var withoutEffect = []string{"launchtask.", "plugins.", "cleanpod.", "dockerdump.", "dockercomposeverbose", "infracontainer.",
	"monitor.", "foldername", "healthcheck"}

// classic applies one label of the predecessor. It ignored labels that it did not know, and so do we: "config." is nobody's
// own prefix.
func (l *loader) classic(name, value string) {
	s := Source{LayerLabel, name}
	if name == classicFile {
		k, _ := find("compose.files")
		l.set(k, s, value)
		return
	}
	key, ok := strings.CutPrefix(name, classicPrefix)
	if !ok {
		return
	}
	if k, known := find(key); known {
		l.set(k, s, value)
		return
	}
	if c, known := classicKeys[key]; known {
		k, _ := find(c.key)
		l.set(k, s, c.value(value))
		return
	}
	for _, begin := range withoutEffect {
		if strings.HasPrefix(key, begin) {
			l.config.notes = append(l.config.notes, fmt.Sprintf("the label %s has no effect any more", name))
			return
		}
	}
}

func unit(u string) func(string) string {
	return func(v string) string {
		v = strings.TrimSpace(v)
		if _, err := strconv.ParseUint(v, 10, 63); err == nil {
			return v + u
		}
		return v
	}
}

func either(yes, no string) func(string) string {
	return func(v string) string {
		b, err := strconv.ParseBool(strings.TrimSpace(v))
		switch {
		case err != nil:
			return v
		case b:
			return yes
		}
		return no
	}
}
