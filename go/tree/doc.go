// Package tree is the pod's own cgroup, beside the agent's, for hosts where it can't be below the task's: it names, makes, limits,
// updates and removes it. With Docker's cgroupfs driver it is the directory /dce/<container id>, with the systemd driver the
// slice dce-<container id>.slice, which systemd keeps below dce.slice and which is made and changed through systemd alone.
//
// How much a pod may use is for its callers to say. Nothing here signals a process, and a tree that has one is not removed.
package tree
