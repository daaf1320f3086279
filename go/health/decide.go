package health

import "time"

// Timing says when checks are made.
type Timing struct {
	Delay    time.Duration // from the pod's start to the first check
	Interval time.Duration // from the end of a check to the next
	Timeout  time.Duration // of each check; 0 is none
}

// shortest keeps an interval of 0, which Mesos allows, from keeping the engine busy.
const shortest = 100 * time.Millisecond

// History is what decides when the next check is due.
type History struct {
	Began time.Time // when checking began
	Ended time.Time // when the last check ended; zero before the first
}

// Wait says how long after now the next check is due (src/checks/checker_process.cpp: initialize, processCheckResult).
func (t Timing) Wait(h History, now time.Time) time.Duration {
	due := h.Began.Add(t.Delay)
	if !h.Ended.IsZero() {
		due = h.Ended.Add(max(t.Interval, shortest))
	}
	return max(0, due.Sub(now))
}

// Tolerance is what a health check allows.
type Tolerance struct {
	Grace    time.Duration // from the pod's start on: failures before the first success do not count
	Failures int           // so many in a row end the pod
}

// Health is how a health check went so far.
type Health struct {
	Passed   bool // at least once
	Failures int  // in a row, those that count
}

// Verdict is what follows from a check.
type Verdict struct {
	Report  bool // Mesos is told
	Healthy bool
	Fatal   bool // the pod ends
}

// Judge takes a check that passed or failed so long after checking began (src/checks/health_checker.cpp: success, failure):
// told are the first success, a success after failures, and every failure that counts.
func (t Tolerance) Judge(h Health, passed bool, since time.Duration) (Health, Verdict) {
	if passed {
		v := Verdict{Report: !h.Passed || h.Failures > 0, Healthy: true}
		return Health{Passed: true}, v
	}
	if !h.Passed && t.Grace > 0 && since <= t.Grace {
		return h, Verdict{}
	}
	h.Failures++
	return h, Verdict{Report: true, Fatal: h.Failures >= t.Failures}
}
