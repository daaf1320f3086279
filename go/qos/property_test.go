package qos

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func amounts(t *rapid.T, what string) Resources {
	return Resources{
		CPUs:   rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0.001, 64)).Draw(t, what+" CPUs"),
		Memory: rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(1, 1<<44)).Draw(t, what+" memory"),
	}
}

func pods(t *rapid.T) Pod {
	p := Pod{Task: Bounds{amounts(t, "request"), amounts(t, "limit")}, Stated: rapid.Bool().Draw(t, "stated")}
	for i := range rapid.IntRange(0, 5).Draw(t, "services") {
		name := fmt.Sprintf("s%d", i)
		s := Service{Name: name, Init: rapid.Bool().Draw(t, name+" init"), Infra: i == 0}
		if !s.Infra {
			s.Bounds = Bounds{amounts(t, name+" request"), amounts(t, name+" limit")}
		}
		p.Services = append(p.Services, s)
	}
	return p
}

// What is derived can be asked for, and what is asked for is had or refused.
func TestADerivedClassIsNoContradiction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := pods(t)
		class, err := p.Decide("")
		if err != nil {
			return
		}
		again, err := p.Decide(class)
		require.NoError(t, err)
		require.Equal(t, class, again)
		for _, asked := range Classes() {
			got, err := p.Decide(Class(asked))
			if err == nil {
				require.Equal(t, Class(asked), got)
			}
		}
	})
}

// The kernel takes every value, the executor survives every container, and no class overtakes another.
func TestTheOrderOfScores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := pods(t)
		host := Host{Memory: rapid.Uint64Range(0, 1<<44).Draw(t, "host"), Executor: rapid.OneOf(rapid.Just(ExecutorScore), rapid.IntRange(-1000, 999)).Draw(t, "executor")}
		for i := range p.Services {
			p.Services[i].Score = rapid.OneOf(rapid.Just(0), rapid.IntRange(-1000, 1000)).Draw(t, "score")
		}
		high, middle, low := p.Settings(Guaranteed, host), p.Settings(Burstable, host), p.Settings(BestEffort, host)
		for i, s := range p.Services {
			for _, set := range []Setting{high[i], middle[i], low[i]} {
				require.Greater(t, set.Score, host.Executor)
				require.LessOrEqual(t, set.Score, 1000)
				require.GreaterOrEqual(t, set.Shares, int64(2))
				require.LessOrEqual(t, set.Shares, int64(1<<18))
			}
			if s.Score == 0 && !s.Infra {
				require.LessOrEqual(t, high[i].Score, middle[i].Score)
				require.LessOrEqual(t, middle[i].Score, low[i].Score)
				if host.Executor <= ExecutorScore {
					require.Less(t, high[i].Score, middle[i].Score)
					require.Less(t, middle[i].Score, low[i].Score)
				}
			}
		}
	})
}

// Who requests more is killed later and weighs more.
func TestMoreIsBetter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := pods(t)
		p.Task.Limit.Memory = max(p.Task.Limit.Memory, 1)
		sets := p.Settings(Burstable, Host{Executor: ExecutorScore})
		for i, a := range p.Services {
			for j, b := range p.Services {
				if a.Infra || b.Infra {
					continue
				}
				x, y := a.bounds().Request, b.bounds().Request
				if x.Memory >= y.Memory {
					require.LessOrEqual(t, sets[i].Score, sets[j].Score)
				}
				if x.CPUs >= y.CPUs && y.CPUs > 0 {
					require.GreaterOrEqual(t, sets[i].Shares, sets[j].Shares)
				}
			}
		}
	})
}

// A service that uses what it requests is at a score of 1000 when the pod is at its limit, as the kernel reckons: so whoever uses
// more than that is beyond everybody who does not.
func TestWhoUsesMoreThanItsRequestGoesFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Uint64Range(32*mb, 1<<40).Draw(t, "limit")
		good := rapid.Uint64Range(limit/100, limit/2).Draw(t, "request of the good")
		bad := rapid.Uint64Range(limit/100, limit/2).Draw(t, "request of the bad")
		p := Pod{Task: Bounds{Request: Resources{1, good + bad}, Limit: Resources{0, limit}}, Services: []Service{
			has("good", Resources{0, good}, none), has("bad", Resources{0, bad}, none),
		}}
		sets := p.Settings(Burstable, Host{Executor: ExecutorScore})
		points := func(used uint64, i int) float64 { return 1000*float64(used)/float64(limit) + float64(sets[i].Score) }
		require.Greater(t, points(bad+limit/100, 1), points(good, 0))
	})
}
