package tree

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLimits(t *testing.T) {
	const mb = 1 << 20
	for name, c := range map[string]struct {
		limits    Limits
		parts     []Part
		v1, v2    string
		slice     string // on v2
		sliceOnV1 string
	}{
		"all": {
			limits: Limits{Memory: 64 * mb, MemoryLow: 48 * mb, CPUs: 0.5, Quota: 1.5, Pids: 100},
			v1: "memory.soft_limit_in_bytes=50331648 memory.limit_in_bytes=67108864 cpu.shares=512 " +
				"cpu.cfs_period_us=100000 cpu.cfs_quota_us=150000 pids.max=100",
			v2:        "memory.low=50331648 memory.max=67108864 cpu.weight=50 cpu.max=150000 100000 pids.max=100",
			slice:     "MemoryLow=50331648 MemoryMax=67108864 CPUWeight=50 CPUQuotaPerSecUSec=1500000 TasksMax=100",
			sliceOnV1: "MemoryLimit=67108864 CPUShares=512 CPUQuotaPerSecUSec=1500000 TasksMax=100",
		},
		"none": {
			v1: "memory.soft_limit_in_bytes=-1! memory.limit_in_bytes=-1! cpu.cfs_period_us=100000! " +
				"cpu.cfs_quota_us=-1! pids.max=max!",
			v2:        "memory.low=0! memory.max=max! cpu.max=max 100000! pids.max=max!",
			slice:     "MemoryLow=0 MemoryMax=18446744073709551615 CPUQuotaPerSecUSec=18446744073709551615 TasksMax=18446744073709551615",
			sliceOnV1: "MemoryLimit=18446744073709551615 CPUQuotaPerSecUSec=18446744073709551615 TasksMax=18446744073709551615",
		},
		"the least": {
			limits: Limits{Memory: 1, MemoryLow: 1, CPUs: 1e-9, Quota: 1e-9, Pids: 1},
			v1: "memory.soft_limit_in_bytes=33554432 memory.limit_in_bytes=33554432 cpu.shares=2 " +
				"cpu.cfs_period_us=100000 cpu.cfs_quota_us=1000 pids.max=1",
			v2:        "memory.low=33554432 memory.max=33554432 cpu.weight=1 cpu.max=1000 100000 pids.max=1",
			slice:     "MemoryLow=33554432 MemoryMax=33554432 CPUWeight=1 CPUQuotaPerSecUSec=10000 TasksMax=1",
			sliceOnV1: "MemoryLimit=33554432 CPUShares=2 CPUQuotaPerSecUSec=10000 TasksMax=1",
		},
		"the most": {
			limits: Limits{CPUs: 1e9}, parts: []Part{CPUs},
			v1: "cpu.shares=262144", v2: "cpu.weight=10000", slice: "CPUWeight=10000", sliceOnV1: "CPUShares=262144",
		},
		"what is no number": {
			limits: Limits{CPUs: math.Inf(1), Quota: math.NaN()}, parts: []Part{CPUs, Quota},
			v1:        "cpu.shares=262144 cpu.cfs_period_us=100000 cpu.cfs_quota_us=-1",
			v2:        "cpu.weight=10000 cpu.max=max 100000",
			slice:     "CPUWeight=10000 CPUQuotaPerSecUSec=18446744073709551615",
			sliceOnV1: "CPUShares=262144 CPUQuotaPerSecUSec=18446744073709551615",
		},
		"some": {
			limits: Limits{Memory: 64 * mb, Pids: 7}, parts: []Part{Pids},
			v1: "pids.max=7", v2: "pids.max=7", slice: "TasksMax=7", sliceOnV1: "TasksMax=7",
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.v1, settings(c.limits.V1(c.parts...)))
			require.Equal(t, c.v2, settings(c.limits.V2(c.parts...)))
			require.Equal(t, c.slice, properties(c.limits.Properties(true, c.parts...)))
			require.Equal(t, c.sliceOnV1, properties(c.limits.Properties(false, c.parts...)))
		})
	}
}

func settings(list []Setting) (out string) {
	for i, s := range list {
		if i > 0 {
			out += " "
		}
		out += s.File + "=" + s.Value
		if s.Lifts {
			out += "!"
		}
	}
	return out
}

func properties(list []Property) (out string) {
	for i, p := range list {
		if i > 0 {
			out += " "
		}
		out += fmt.Sprintf("%s=%d", p.Name, p.Value)
	}
	return out
}

func TestPlus(t *testing.T) {
	one := Limits{1, 2, 3, 4, 5}
	require.Equal(t, Limits{2, 4, 6, 8, 10}, one.Plus(one))
	require.Equal(t, Limits{0, 2, 3, 0, 0}, one.Plus(Limits{}), "what one has without limit, both have")
	require.Equal(t, one.Plus(Limits{}), Limits{}.Plus(one))
}
