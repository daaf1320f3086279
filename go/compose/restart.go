package compose

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dce-go/dce/go/engine"
)

// restart translates restart, or deploy.restart_policy where there is one, which wins as in docker/compose
// (pkg/compose/create.go, getRestartPolicy). The engine gets none of it: whoever runs the pod honours it.
func restart(s *placed) (engine.Restart, error) {
	if s.Deploy != nil && s.Deploy.RestartPolicy != nil {
		p := s.Deploy.RestartPolicy
		r := engine.Restart{}
		var known bool
		if r.On, known = restartOn(p.Condition, "any"); !known {
			return r, badService(s.Name, "deploy.restart_policy.condition", "use none, on-failure or any", "%q is no condition", p.Condition)
		}
		if p.MaxAttempts != nil {
			r.Attempts = int(min(*p.MaxAttempts, math.MaxInt32))
		}
		if p.Delay != nil {
			r.Delay = max(0, time.Duration(*p.Delay))
		}
		if p.Window != nil {
			r.Window = max(0, time.Duration(*p.Window))
		}
		return r, nil
	}
	name, attempts, limited := strings.Cut(s.Restart, ":")
	on, known := restartOn(name, "no")
	const fix = `write "no", always, unless-stopped, on-failure or on-failure:<attempts>`
	if !known || limited && name != "on-failure" {
		return engine.Restart{}, badService(s.Name, "restart", fix, "%q is no restart policy", s.Restart)
	}
	r := engine.Restart{On: on}
	if limited {
		n, err := strconv.ParseUint(attempts, 10, 31)
		if err != nil {
			return engine.Restart{}, badService(s.Name, "restart", fix, "%q is no number of attempts", attempts)
		}
		r.Attempts = int(n)
	}
	return r, nil
}

// restartOn knows the words of both places. For us unless-stopped is always: what is stopped on request ends with its pod.
func restartOn(word, absent string) (on engine.RestartOn, known bool) {
	if word == "" {
		word = absent
	}
	switch word {
	case "no", "none":
		return engine.RestartNever, true
	case "on-failure":
		return engine.RestartOnFailure, true
	case "always", "any", "unless-stopped":
		return engine.RestartAlways, true
	}
	return engine.RestartNever, false
}
