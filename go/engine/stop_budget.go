package engine

import (
	"cmp"
	"slices"
	"time"
)

const (
	// defaultGrace is Docker's own between stop signal and SIGKILL.
	defaultGrace = 10 * time.Second
	// killReserve is how much of a long stop is kept for what must be killed in the end.
	killReserve = 500 * time.Millisecond
)

// grace is how long c may take to end by itself.
func (c *ContainerSpec) grace() time.Duration {
	if c.Grace < 0 {
		return defaultGrace
	}
	return c.Grace
}

// FullGrace is the time that the stop of a pod takes at most when every service may use all of its grace.
func FullGrace(spec PodSpec) time.Duration {
	var sum time.Duration
	for _, level := range stopLevels(&spec) {
		sum += longest(level)
	}
	return sum + killReserve
}

// stopLevels is the order of a stop: those that nobody needs first. All containers of one level stop at the same time.
func stopLevels(spec *PodSpec) [][]*ContainerSpec {
	levels, err := spec.levels()
	if err != nil { // nothing of it can have been started
		return nil
	}
	slices.Reverse(levels)
	out := make([][]*ContainerSpec, len(levels))
	for i, level := range levels {
		for j := range spec.Services {
			if c := &spec.Services[j]; slices.Contains(level, c.Service) {
				out[i] = append(out[i], c)
			}
		}
	}
	return out
}

func longest(level []*ContainerSpec) time.Duration {
	var most time.Duration
	for _, c := range level {
		most = max(most, c.grace())
	}
	return most
}

// budget divides what is left until a deadline over the levels of a stop that are still to come, in order, given what each
// asks for. All get what they ask for if there is enough; else those that ask for less than an equal share get all of it,
// and the others share the rest. A part of the time is kept back for the kill of what overruns.
func budget(left time.Duration, asks []time.Duration) []time.Duration {
	out := make([]time.Duration, len(asks))
	if left <= 0 {
		return out
	}
	left -= min(killReserve, left/5)
	order := make([]int, len(asks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(asks[a], asks[b]) })
	for i, at := range order {
		out[at] = min(asks[at], left/time.Duration(len(order)-i))
		left -= out[at]
	}
	return out
}
