package tree

import (
	"context"
	"math"
	"path"
	"strconv"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"

	"github.com/dce-go/dce/go/cgroup"
)

const reservation = "memory.low"

// reserve gives the cgroup that has all trees as much memory.low as they have together: on v2 what a cgroup is sure of is bounded by
// what each one above it is sure of (Documentation/admin-guide/cgroup-v2.rst, memory.low), and that has none of its own. Others may
// come and go at the same time, and do the same: so it is reckoned again after it was set.
func (t Tree) reserve(ctx context.Context) error {
	if !t.unified() || !Ours(t.Path) {
		return nil
	}
	above := path.Dir(t.Path)
	has, known := t.low(above)
	if !known {
		return nil
	}
	const tries = 10 // only who meets others takes more than two
	for range tries {
		names, err := t.Host.Children(above)
		if err != nil {
			return err
		}
		var sum uint64
		for _, name := range names {
			one, _ := t.low(path.Join(above, name)) // what vanishes meanwhile has none
			sum += min(one, math.MaxUint64-sum)
		}
		if sum == has {
			return nil
		}
		if !t.slice() {
			value := strconv.FormatUint(sum, 10)
			if sum == math.MaxUint64 {
				value = "max"
			}
			err = t.Host.Write("memory", above, reservation, value)
		} else {
			err = onBus(ctx, func(ctx context.Context, bus *dbus.Conn) error {
				return change(ctx, bus, path.Base(above), []dbus.Property{{Name: "MemoryLow", Value: godbus.MakeVariant(sum)}})
			})
			if err != nil {
				err = explain(path.Base(above), "change", err)
			}
		}
		if err != nil {
			return err
		}
		has = sum
	}
	return nil
}

// low is memory.low of a cgroup in bytes, where it has one.
func (t Tree) low(p string) (bytes uint64, known bool) {
	text, err := t.Host.Read("memory", p, reservation)
	if err != nil {
		return 0, false
	}
	if text == "max" {
		return cgroup.NoLimit, true
	}
	bytes, err = strconv.ParseUint(text, 10, 64)
	return bytes, err == nil
}
