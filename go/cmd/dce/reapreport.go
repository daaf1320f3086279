package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/dce-go/dce/go/reaper"
)

// report is what `dce reap` says: a line for each thing, or with -o json all of it at the end.
type report struct {
	out, err io.Writer
	json     bool

	DryRun  bool          `json:"dry_run"`
	Removed []reapedThing `json:"removed"` // with a dry run: what would be
	Left    []reapedThing `json:"left"`
	Failed  []reapedThing `json:"failed"`
}

type reapedThing struct {
	Run    string `json:"container"` // Mesos container id
	Kind   string `json:"kind"`
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status,omitempty"`
	Cause  string `json:"cause"`
	Error  string `json:"error,omitempty"`
}

func (r *report) plan(p reaper.Plan) {
	for _, one := range p.Removals {
		r.removal("would remove", one)
	}
	r.lefts(p.Left)
}

func (r *report) sweep(done reaper.Report) {
	for _, one := range done.Removed {
		r.removal("removed", one)
	}
	r.lefts(done.Left)
	for _, one := range done.Failed {
		r.Failed = append(r.Failed, reapedThing{one.Run, string(one.Kind), one.ID, one.Name, string(one.Status), one.Cause, one.Err.Error()})
	}
}

func (r *report) removal(verb string, one reaper.Removal) {
	r.Removed = append(r.Removed, reapedThing{one.Run, string(one.Kind), one.ID, one.Name, string(one.Status), one.Cause, ""})
	r.say("%s %s: %s", verb, one.What(), one.Cause)
}

func (r *report) lefts(lefts []reaper.Left) {
	for _, one := range lefts {
		r.Left = append(r.Left, reapedThing{one.Run, string(one.Kind), one.ID, one.Name, string(one.Status), one.Cause, ""})
		r.say("left %s: %s", one.What(), one.Cause)
	}
}

func (r *report) say(format string, args ...any) {
	if !r.json {
		_, _ = fmt.Fprintf(r.out, format+"\n", args...)
	}
}

// end says what became of it all, and returns the failures as one.
func (r *report) end(failures []error) error {
	if r.json {
		for _, list := range []*[]reapedThing{&r.Removed, &r.Left, &r.Failed} {
			if *list == nil {
				*list = []reapedThing{} // an empty list, and not null
			}
		}
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(r.out, string(text)); err != nil {
			return err
		}
	} else if len(r.Removed)+len(r.Left)+len(r.Failed) == 0 && len(failures) == 0 {
		r.say("nothing is left behind on this host")
	}
	var lives *exitError
	joined := errors.Join(failures...)
	if errors.As(joined, &lives) && len(failures) > 1 {
		return &exitError{exitFailed, joined}
	}
	return joined
}
