package reaper

import (
	"context"
	"slices"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

// Scopes lists the agents, by their work_dir, of which an engine has anything: of the executor with this id, or with "" of any.
// They are sorted.
func Scopes(ctx context.Context, e Engine, executor string) ([]string, error) {
	var found []string
	add := func(l map[string]string) {
		if scope := l[labels.Scope]; scope != "" && (executor == "" || l[labels.Executor] == executor) {
			found = append(found, scope)
		}
	}
	containers, err := e.List(ctx, labels.Scope)
	if err != nil {
		return nil, err
	}
	for _, c := range containers {
		add(c.Labels)
	}
	for _, kind := range []engine.Kind{engine.KindNetwork, engine.KindVolume} {
		objects, err := e.Objects(ctx, kind, labels.Scope)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			add(o.Labels)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}
