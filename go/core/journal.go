package core

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/moby/sys/atomicwriter"
)

// journal is the file that remembers what is owed: causes and pauses. What it names is removed only where the labels of the
// engine's own list, and what lives, say the same.
type journal struct{ path string }

const journalVersion = 1

// page is the file's content.
type page struct {
	Version   int               `json:"version"`
	Executors []removedExecutor `json:"executors"`
	Runs      []debt            `json:"runs"`
}

func (j journal) read() (page, error) {
	text, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return page{Version: journalVersion}, nil
	}
	if err != nil {
		return page{}, err
	}
	var p page
	if err := json.Unmarshal(text, &p); err != nil {
		return page{}, fmt.Errorf("%s can't be understood: %w", j.path, err)
	}
	if p.Version != journalVersion {
		return page{}, fmt.Errorf("%s has version %d, and this is version %d", j.path, p.Version, journalVersion)
	}
	return p, nil
}

// write replaces the file at once, so that there is always a whole one.
func (j journal) write(p page) error {
	p.Version = journalVersion
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o755); err != nil {
		return err
	}
	return atomicwriter.WriteFile(j.path, append(text, '\n'), 0o600)
}

func (l *ledger) page() (page, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := page{Executors: []removedExecutor{}, Runs: []debt{}}
	for _, e := range l.executors {
		p.Executors = append(p.Executors, e)
	}
	for _, d := range l.runs {
		p.Runs = append(p.Runs, *d)
	}
	slices.SortFunc(p.Executors, func(a, b removedExecutor) int {
		return cmp.Or(cmp.Compare(a.Framework, b.Framework), cmp.Compare(a.Executor, b.Executor))
	})
	slices.SortFunc(p.Runs, func(a, b debt) int { return cmp.Compare(a.Container, b.Container) })
	return p, l.version
}

// resume takes over what an earlier life owed.
func (c *Core) resume() {
	p, err := c.journal.read()
	if err != nil {
		c.log.WithError(err).Warn("dce: the journal is left aside; what is owed is found by its labels")
		return
	}
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	for _, e := range p.Executors {
		e.resumed = true
		c.ledger.executors[[2]string{e.Framework, e.Executor}] = e
	}
	for _, d := range p.Runs {
		d.Next = time.Time{} // the engine may be another by now
		c.ledger.runs[d.Container] = &d
	}
}

// keepJournal writes the journal after changes; those that come meanwhile are written together.
func (c *Core) keepJournal() error {
	for {
		select {
		case <-c.ctx.Done():
			return c.saveJournal()
		case <-c.ledger.dirty:
		}
		if err := c.saveJournal(); err != nil && c.said.first("journal "+err.Error()) {
			c.log.WithError(err).Warn("dce: the journal can't be written; what is owed is found by its labels all the same")
		}
	}
}

func (c *Core) saveJournal() error {
	c.inject("journal")
	p, version := c.ledger.page()
	var err error
	if !c.dryRun {
		err = c.journal.write(p)
	}
	c.ledger.mu.Lock()
	defer c.ledger.mu.Unlock()
	c.ledger.written = version
	close(c.ledger.saved)
	c.ledger.saved = make(chan struct{})
	return err
}

// awaitJournal returns when the journal holds a version, or could not be written.
func (c *Core) awaitJournal(version int, done <-chan struct{}) {
	for {
		c.ledger.mu.Lock()
		written, saved := c.ledger.written, c.ledger.saved
		c.ledger.mu.Unlock()
		if written >= version {
			return
		}
		select {
		case <-saved:
		case <-done:
			return
		}
	}
}
