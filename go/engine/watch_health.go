package engine

import (
	"context"
	"strconv"
	"strings"
)

// forgetsHealthchecks says whether an engine that restarts under containers that live on never runs their healthchecks again:
// Docker from 17.11 to 20.10 (moby, issue 41871; mended by its pull request 41935 in 23.0).
func forgetsHealthchecks(i Info) bool {
	year, rest, _ := strings.Cut(i.Version, ".")
	month, _, _ := strings.Cut(rest, ".")
	y, yErr := strconv.Atoi(year)
	m, mErr := strconv.Atoi(month)
	return i.LiveRestore && yErr == nil && mErr == nil && y < 23 && (y > 17 || y == 17 && m >= 11)
}

// remind has an engine that may have restarted go on with the pod's healthchecks. What fails is tried again with the next
// session: nothing else is lost by it than news of health.
func (f *feed) remind(ctx context.Context) {
	checked := f.checked()
	if len(checked) == 0 {
		return
	}
	info, err := f.gw.Info(ctx)
	if err != nil || !forgetsHealthchecks(info) {
		return
	}
	for _, id := range checked {
		f.mu.Lock()
		f.asked[id] = true
		f.mu.Unlock()
		if err := f.gw.RemindHealthcheck(ctx, id); err == nil {
			f.mu.Lock()
			delete(f.asked, id)
			f.mu.Unlock()
		}
	}
}

// checked are the running containers with a healthcheck, and those that were left standing by a reminder that broke off.
func (f *feed) checked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var ids []string
	for _, c := range f.seen.states() {
		if c.Status == StatusRunning && c.Health != HealthUnknown || c.Status == StatusPaused && f.asked[c.ID] {
			ids = append(ids, c.ID)
		}
	}
	return ids
}
