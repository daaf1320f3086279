package core

import "sync/atomic"

// metrics are counted where things happen and read from memory, but for what pods use.
type metrics struct {
	reaped, orphans, failures, panics atomic.Int64
	engineUp, hierarchy               atomic.Bool
	used                              readUsage
}

// Metrics is the output of the operation of that name.
type Metrics struct {
	ContainersReaped  int64 `json:"containers_reaped"`
	OrphansFound      int64 `json:"orphans_found"`
	ReapFailures      int64 `json:"reap_failures"`
	CorePanics        int64 `json:"core_panics"`
	Owed              int   `json:"queue_length"`
	EngineUp          int   `json:"engine_up"`
	HierarchyEnforced int   `json:"hierarchy_enforced"`
	podMetrics
}

func (c *Core) snapshot() Metrics {
	m := &c.metrics
	return Metrics{m.reaped.Load(), m.orphans.Load(), m.failures.Load(), m.panics.Load(), c.ledger.size(),
		number(m.engineUp.Load()), number(m.hierarchy.Load()), c.podsUse()}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
