package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/tree"
)

// ownTree makes the pod's own cgroup, which is hierarchical and limited as asked, changes its limits, finds it by what it says of
// itself, and removes it.
func ownTree(h *cgroup.Host) (string, error) {
	ctx := context.Background()
	owner := tree.Owner{Scope: "/var/lib/mesos", Framework: "f", Executor: "e", Container: "c-1"}
	t, err := tree.New(h, cgroup.DriverCgroupfs, owner.Container)
	if err != nil {
		return "", err
	}
	if err := errors.Join(t.Make(ctx, tree.Limits{Memory: 64 * mb, MemoryLow: 48 * mb, CPUs: 0.5, Quota: 0.5, Pids: 100}), t.Claim(owner)); err != nil {
		return "", err
	}
	made, err := h.Usage(t.Path)
	if err != nil {
		return "", err
	}
	reserved, err := reservations(ctx, h)
	if err != nil {
		return "", err
	}
	owned, err := tree.Owned(h)
	err = errors.Join(err, h.EnforceHierarchy(t.Path), h.CheckHierarchy(t.Path), h.CheckParent(cgroup.DriverCgroupfs, t.Parent),
		t.Set(ctx, tree.Limits{Memory: 32 * mb, Pids: 200}), t.Set(ctx, tree.Limits{Memory: 96 * mb}, tree.Memory))
	if err != nil {
		return "", err
	}
	changed, err := h.Usage(t.Path)
	if err != nil {
		return "", err
	}
	detail := fmt.Sprintf("memory %d then %d MB, %.1f then %.1f CPUs, %d then %d processes", made.Memory.Limit/mb, changed.Memory.Limit/mb,
		made.CPU.Limit, changed.CPU.Limit, made.Pids.Limit, changed.Pids.Limit)
	err = errors.Join(t.Remove(ctx), expect(map[string]bool{
		"limits": made.Memory.Limit == 64*mb && made.CPU.Limit == 0.5 && made.Pids.Limit == 100,
		"memory is raised and not lowered, the rest is set": changed.Memory.Limit == 96*mb && changed.CPU.Limit == 0 && changed.Pids.Limit == 200,
		"what has all trees is sure of as much as they are": reserved,
		"it says whose it is":                               len(owned) == 1 && owned[0].Owner == owner,
	}))
	there, eerr := h.Exists(t.Path)
	return detail, errors.Join(err, eerr, expect(map[string]bool{"it is gone": !there}), h.Remove(ctx, tree.Root))
}

// reservations adds a second tree to the first, and removes it. On v2 what has both has the sum of what they are sure of, without
// which they are sure of nothing.
func reservations(ctx context.Context, h *cgroup.Host) (right bool, err error) {
	if h.Version() != cgroup.V2 {
		return true, nil
	}
	second, err := tree.New(h, cgroup.DriverCgroupfs, "c-2")
	if err != nil {
		return false, err
	}
	low := func() uint64 {
		n, rerr := h.ReadUint("memory", tree.Root, "memory.low")
		err = errors.Join(err, rerr)
		return n
	}
	one := low()
	err = errors.Join(err, second.Make(ctx, tree.Limits{MemoryLow: 40 * mb}))
	both := low()
	err = errors.Join(err, second.Remove(ctx))
	return one == 48*mb && both == 88*mb && low() == 48*mb, err
}
