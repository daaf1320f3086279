package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// Level is what a finding means for pods.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Warn    Level = "warn"    // pods run, but not as well or as safely as they could
	Fail    Level = "fail"    // a pod would not run
	Unknown Level = "unknown" // it could not be seen
)

// Finding is what a check came to.
type Finding struct {
	Check string `json:"check"` // its name
	Level Level  `json:"level"`
	Saw   string `json:"saw"` // what is where, a clause
	Fix   string `json:"fix"` // what to do, an imperative clause; "" where nothing is to be done
}

// String is the finding as a sentence.
func (f Finding) String() string {
	if f.Fix == "" {
		return f.Saw
	}
	return f.Saw + "; " + f.Fix
}

func ok(format string, args ...any) Finding {
	return Finding{Level: OK, Saw: fmt.Sprintf(format, args...)}
}

func warn(fix, format string, args ...any) Finding {
	return Finding{Level: Warn, Saw: fmt.Sprintf(format, args...), Fix: fix}
}

func fail(fix, format string, args ...any) Finding {
	return Finding{Level: Fail, Saw: fmt.Sprintf(format, args...), Fix: fix}
}

func unknown(fix, format string, args ...any) Finding {
	return Finding{Level: Unknown, Saw: fmt.Sprintf(format, args...), Fix: fix}
}

// problems collects what several parts of one check come to.
type problems struct{ list []Finding }

func (p *problems) add(f Finding) { p.list = append(p.list, f) }

// or is the worst of the problems, with all that are as bad, or the finding where there is none.
func (p *problems) or(fine Finding) Finding {
	if len(p.list) == 0 {
		return fine
	}
	worst := slices.MaxFunc(p.list, func(a, b Finding) int { return severity(a.Level) - severity(b.Level) }).Level
	out := Finding{Level: worst}
	var saw, fixes []string
	for _, f := range p.list {
		if f.Level != worst {
			continue
		}
		if !slices.Contains(saw, f.Saw) {
			saw = append(saw, f.Saw)
		}
		if f.Fix != "" && !slices.Contains(fixes, f.Fix) {
			fixes = append(fixes, f.Fix)
		}
	}
	out.Saw, out.Fix = strings.Join(saw, ", and "), strings.Join(fixes, "; ")
	return out
}

func severity(l Level) int { return slices.Index([]Level{OK, Unknown, Warn, Fail}, l) }

// Report is all findings, in the order of Checks.
type Report struct {
	PodRuns  bool      `json:"pod_runs"` // no check failed
	Verdict  string    `json:"verdict"`  // one sentence
	Findings []Finding `json:"findings"`
}

// newReport is the findings with what they come to.
func newReport(findings []Finding) Report {
	var failed []string
	counts := map[Level]int{}
	for _, f := range findings {
		counts[f.Level]++
		if f.Level == Fail {
			failed = append(failed, f.Check)
		}
	}
	r := Report{Findings: findings, PodRuns: len(failed) == 0, Verdict: "a pod would run here"}
	if !r.PodRuns {
		r.Verdict = "a pod would not run here: mend " + strings.Join(failed, ", ")
	}
	if n := counts[Warn]; n > 0 {
		r.Verdict += fmt.Sprintf("; %s", count(n, "warning"))
	}
	if n := counts[Unknown]; n > 0 {
		r.Verdict += fmt.Sprintf("; %s could not be made", count(n, "check"))
	}
	return r
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
