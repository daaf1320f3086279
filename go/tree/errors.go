package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/cgroup"
)

// UnboundError says which limits do not bind a pod as a whole, because this process may not write them. The pod can run all the
// same: its engine makes a cgroup that is not there, without limits.
type UnboundError struct {
	Path  string
	Parts []Part
	Err   error
}

// unbound is no error where nothing was asked for.
func unbound(path string, parts []Part, err error) error {
	if len(parts) == 0 {
		return nil
	}
	return &UnboundError{path, parts, err}
}

func (e *UnboundError) Error() string {
	var parts []string
	for _, p := range e.Parts {
		parts = append(parts, string(p))
	}
	what, verb := strings.Join(parts, ", "), "do not bind"
	if len(parts) == 1 {
		verb = "does not bind"
	}
	fix := "run the executor as root, or load the agent module"
	if errors.Is(e.Err, unix.EROFS) || Hidden(e.Err) {
		fix = "mount /sys/fs/cgroup of the host writable into the executor's container"
	}
	return fmt.Sprintf("%s of the task %s its pod as a whole, in the cgroup %s: %v; %s", what, verb, e.Path, e.Err, fix)
}

func (e *UnboundError) Unwrap() error { return e.Err }

// LimitError says that a limit could not be set for another reason than a lack of rights.
type LimitError struct {
	Path string
	Part Part
	Err  error
}

func (e *LimitError) Error() string {
	s := fmt.Sprintf("the pod in the cgroup %s can't be given %s of its task: %v", e.Path, e.Part, e.Err)
	var unmounted *cgroup.NotMountedError
	switch {
	case errors.As(e.Err, &unmounted): // says what to do
		return s
	case errors.Is(e.Err, fs.ErrNotExist):
		return s + "; " + lacking[e.Part]
	}
	return s + "; see what the kernel says (dmesg), or run the task on another host"
}

// lacking is what to do where the kernel has no file for a limit; the other parts are then passed over.
var lacking = map[Part]string{
	Memory: "boot a kernel with the memory controller (CONFIG_MEMCG)",
	Quota:  "boot a kernel with CFS bandwidth control (CONFIG_CFS_BANDWIDTH), or take the CPU limit out (cpu.cfs_quota, limits.cpus)",
	Pids:   "boot a kernel with the pids controller (CONFIG_CGROUP_PIDS), or take pids.limit out",
}

func (e *LimitError) Unwrap() error { return e.Err }

// Reason is what Mesos is told.
func (e *LimitError) Reason() string { return "REASON_CONTAINER_LAUNCH_FAILED" }

// denied says that this process lacks the right, or sees the file system read-only or in part, as containers do.
func denied(err error) bool {
	var refused *SystemdError
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) || errors.As(err, &refused) && refused.Denied || Hidden(err)
}

// Hidden says that this process sees a part of the hierarchy that the cgroup is not in.
func Hidden(err error) bool {
	var part *cgroup.NotMountedError
	return errors.As(err, &part) && part.Why != ""
}
