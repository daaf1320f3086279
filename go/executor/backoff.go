package executor

import "time"

// Bounds of the pause between two attempts. An agent that restarts waits only --executor_reregistration_timeout (2 s) for its
// executors, so the pause stays well below that, however long the agent was away.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 800 * time.Millisecond
)

// backoff is the pause before the given attempt (0, 1, …): random between half of a bound and the bound, which doubles up to
// longestPause and never exceeds limit. random is in [0, 1); executors that lost one agent must not come back in step.
// (src/executor/executor.cpp, MesosProcess::backoff, picks between 0 and limit.)
func backoff(attempt int, limit time.Duration, random float64) time.Duration {
	bound := longestPause
	if attempt < 3 {
		bound = firstPause << attempt
	}
	bound = min(bound, limit)
	return bound/2 + time.Duration(random*float64(bound/2))
}
