package health

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWait(t *testing.T) {
	began := time.Unix(1000, 0)
	timing := Timing{Delay: 15 * time.Second, Interval: 10 * time.Second}
	for _, c := range []struct {
		name string
		t    Timing
		h    History
		now  time.Duration // after began
		want time.Duration
	}{
		{"the first comes after the delay", timing, History{Began: began}, 0, 15 * time.Second},
		{"less what has passed of it", timing, History{Began: began}, 5 * time.Second, 10 * time.Second},
		{"the next an interval after the end of the last", timing, History{began, began.Add(20 * time.Second)}, 22 * time.Second, 8 * time.Second},
		{"what is overdue comes at once", timing, History{began, began.Add(20 * time.Second)}, time.Minute, 0},
		{"no delay", Timing{}, History{Began: began}, 0, 0},
		{"no interval is a short one", Timing{}, History{began, began}, 0, shortest},
	} {
		require.Equal(t, c.want, c.t.Wait(c.h, began.Add(c.now)), c.name)
	}
}

func TestJudge(t *testing.T) {
	tolerance := Tolerance{Grace: 10 * time.Second, Failures: 3}
	passed, failing := Health{Passed: true}, func(n int) Health { return Health{Passed: true, Failures: n} }
	for _, c := range []struct {
		name   string
		t      Tolerance
		h      Health
		pass   bool
		since  time.Duration
		after  Health
		report Verdict
	}{
		{"the first success", tolerance, Health{}, true, 0, passed, Verdict{Report: true, Healthy: true}},
		{"the second", tolerance, passed, true, 0, passed, Verdict{Healthy: true}},
		{"a success after failures", tolerance, failing(2), true, 0, passed, Verdict{Report: true, Healthy: true}},
		{"a failure within the grace period", tolerance, Health{}, false, 10 * time.Second, Health{}, Verdict{}},
		{"one after it", tolerance, Health{}, false, 10*time.Second + 1, Health{Failures: 1}, Verdict{Report: true}},
		{"within it, but after a success", tolerance, passed, false, time.Second, failing(1), Verdict{Report: true}},
		{"the last that is borne", tolerance, failing(1), false, time.Hour, failing(2), Verdict{Report: true}},
		{"the one too many", tolerance, failing(2), false, time.Hour, failing(3), Verdict{Report: true, Fatal: true}},
		{"no grace", Tolerance{Failures: 2}, Health{}, false, 0, Health{Failures: 1}, Verdict{Report: true}},
		{"none is borne", Tolerance{}, Health{}, false, 0, Health{Failures: 1}, Verdict{Report: true, Fatal: true}},
	} {
		after, verdict := c.t.Judge(c.h, c.pass, c.since)
		require.Equal(t, c.after, after, c.name)
		require.Equal(t, c.report, verdict, c.name)
	}
}

// TestJudgeAgainstAnotherCount judges random series, and counts in another way: by looking back over the whole series.
func TestJudgeAgainstAnotherCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tolerance := Tolerance{
			Grace:    time.Duration(rapid.IntRange(0, 10).Draw(t, "grace")) * time.Second,
			Failures: rapid.IntRange(1, 4).Draw(t, "failures"),
		}
		series := rapid.SliceOfN(rapid.Bool(), 1, 30).Draw(t, "series")
		var h Health
		var v Verdict
		told := -1 // what was told last: 0 unhealthy, 1 healthy
		for i, passed := range series {
			h, v = tolerance.Judge(h, passed, time.Duration(i)*time.Second)
			row, before := 0, false
			for j := i; j >= 0 && !series[j]; j-- {
				first := true
				for _, earlier := range series[:j] {
					first = first && !earlier
				}
				if !first || tolerance.Grace == 0 || time.Duration(j)*time.Second > tolerance.Grace {
					row++
				}
			}
			for _, earlier := range series[:i] {
				before = before || earlier
			}
			if want := !passed && row >= tolerance.Failures; v.Fatal != want {
				t.Fatalf("check %d: fatal %v, but %d failures in a row count", i, v.Fatal, row)
			}
			if v.Report {
				told = map[bool]int{false: 0, true: 1}[v.Healthy]
			}
			switch {
			case passed && told != 1:
				t.Fatalf("check %d passed, and Mesos was told %d", i, told)
			case !passed && row > 0 && told != 0:
				t.Fatalf("check %d failed, and Mesos was told %d", i, told)
			case !passed && row == 0 && !before && told != -1:
				t.Fatalf("check %d failed within the grace period, and Mesos was told %d", i, told)
			}
		}
	})
}
