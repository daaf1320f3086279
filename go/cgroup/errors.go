package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// FileError says which file or directory could not be used. It unwraps to the error of the system, so that
// errors.Is(err, fs.ErrNotExist) and the like work.
type FileError struct {
	Op   string // "read", "write", "create", "remove", "list", "open"
	File string // on the file system
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("can't %s %s: %v", e.Op, e.File, e.Err) }
func (e *FileError) Unwrap() error { return e.Err }

// ValueError says that a file holds something else than what can be meant or what was written to it.
type ValueError struct {
	File string
	Got  string
	Want string // what it should hold, for people
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%s holds %q where %s is expected", e.File, e.Got, e.Want)
}

// PathError refuses a cgroup path before anything is touched.
type PathError struct {
	Path string
	Why  string
}

func (e *PathError) Error() string { return fmt.Sprintf("cgroup path %q %s", e.Path, e.Why) }

// NotMountedError says that a controller has no hierarchy on this host, or not one that shows the wanted path.
type NotMountedError struct {
	Controller string // empty when no cgroup file system is mounted at all
	File       string // the mount table that was read
	Why        string // set when it is mounted, but can't be used
}

func (e *NotMountedError) Error() string {
	if e.Why != "" {
		return e.What() + "; mount the host's cgroups here"
	}
	return e.What() + "; mount it, or enable it on the kernel's command line"
}

// What is the error without what to do.
func (e *NotMountedError) What() string {
	what := "no cgroup file system is mounted"
	if e.Controller != "" {
		what = fmt.Sprintf("the cgroup controller %s is not mounted", e.Controller)
	}
	if e.Why != "" {
		what = fmt.Sprintf("the cgroup controller %s can't be used: %s", e.Controller, e.Why)
	}
	return fmt.Sprintf("%s, says %s", what, e.File)
}

// HierarchyError says that memory.use_hierarchy is 0, and can't be made 1 any more where the cgroup has children, or why it
// could not be made so.
type HierarchyError struct {
	File     string
	Children []string // names, sorted
	Err      error    // of setting it, nil where that was not tried; a *ValueError where it was written and is not so
}

func (e *HierarchyError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s was 0 and could not be set, so that the limit does not bind what is below: %v; set it to 1 as root before the first child is made", e.File, e.Err)
	}
	if len(e.Children) == 0 {
		return fmt.Sprintf("%s is 0, so that the limit does not bind what is below: set it to 1 before the first child is made", e.File)
	}
	return fmt.Sprintf("%s is 0 and can't be changed while the cgroup has children (%s): the limit would not bind them; "+
		"set it to 1 on the parent before the first child is made", e.File, shorten(e.Children))
}

func (e *HierarchyError) Unwrap() error { return e.Err }

// Reason is what Mesos is told.
func (e *HierarchyError) Reason() string { return reasonLaunch }

// BusyError lists the cgroups that still have processes, and are therefore left.
type BusyError struct {
	Path string
	Busy []Busy // sorted by Dir
}

// Busy is one cgroup directory that could not be removed.
type Busy struct {
	Dir  string // on the file system
	Pids []int  // empty when the kernel says it is in use without naming a process
}

func (e *BusyError) Error() string {
	var parts []string
	for _, b := range e.Busy {
		switch len(b.Pids) {
		case 0:
			parts = append(parts, b.Dir+" is in use")
		case 1:
			parts = append(parts, fmt.Sprintf("%s has process %d", b.Dir, b.Pids[0]))
		default:
			parts = append(parts, fmt.Sprintf("%s has processes %s", b.Dir, strings.Trim(fmt.Sprint(b.Pids), "[]")))
		}
	}
	return fmt.Sprintf("cgroup %s is not removed: %s; end them and try again", e.Path, shorten(parts))
}

// ParentError says why the containers of a pod can't be put under a cgroup.
type ParentError struct {
	Path string // the cgroup
	File string // the file that says so; empty when the path alone does
	Why  string // a clause
	Fix  string // what to do, a clause
	Err  error  // may be nil
}

func (e *ParentError) Error() string {
	s := fmt.Sprintf("the pod can't be put under the cgroup %s: %s", e.Path, e.Why)
	if e.Err != nil {
		s += fmt.Sprintf(" (%v)", e.Err)
	}
	return s + "; " + e.Fix
}

func (e *ParentError) Unwrap() error { return e.Err }

// Reason is what Mesos is told.
func (e *ParentError) Reason() string { return reasonLaunch }

const reasonLaunch = "REASON_CONTAINER_LAUNCH_FAILED"

// gone says that a file or a cgroup is not there (any more): the kernel answers ENODEV for an open file of a cgroup that
// was removed meanwhile.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) }

func shorten(list []string) string {
	const most = 5
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}
