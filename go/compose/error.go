package compose

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Error is what is wrong with a compose file, where, and the way out. It is one sentence.
type Error struct {
	File    string // as the user named it, relative to the sandbox; several are separated by ", "
	Service string // empty where it is not about one service
	Key     string // path of the key below the service, or from the top: "ports", "networks.back.driver"
	Problem string // what is wrong, as the rest of a sentence
	Fix     string // what to do, as an order
}

// Error returns "compose.yaml, service web, key ports: <problem>; <fix>".
func (e *Error) Error() string {
	var where []string
	if e.File != "" {
		where = append(where, e.File)
	}
	if e.Service != "" {
		where = append(where, "service "+e.Service)
	}
	if e.Key != "" {
		where = append(where, "key "+e.Key)
	}
	sentence := e.Problem
	if len(where) > 0 {
		sentence = strings.Join(where, ", ") + ": " + sentence
	}
	if e.Fix != "" {
		sentence += "; " + e.Fix
	}
	return oneLine(sentence)
}

// Reason is the reason that Mesos is told: the task was asked for wrongly.
func (e *Error) Reason() string { return "REASON_TASK_INVALID" }

// in returns the error with files as its file, where it has none.
func (e *Error) in(dir string, files []string) *Error {
	if e.File == "" {
		names := make([]string, len(files))
		for i, file := range files {
			names[i] = relative(dir, file)
		}
		e.File = strings.Join(names, ", ")
	}
	return e
}

func badService(service, key, fix, problem string, args ...any) *Error {
	return &Error{Service: service, Key: key, Fix: fix, Problem: fmt.Sprintf(problem, args...)}
}

// oneLine folds a text of several lines into one.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// relative shortens a path inside dir to how the user knows it.
func relative(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}
