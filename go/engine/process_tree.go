package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// killTree ends a process and those that it has started, where they provably belong to the container.
func killTree(pid int, containerID string) error {
	var errs []error
	for i, p := range append([]int{pid}, descendants(pid)...) {
		held := holdProcess(p, containerID)
		if held == nil && i > 0 {
			continue // it has ended, or has left
		}
		errs = append(errs, held.kill())
		held.close()
	}
	return errors.Join(errs...)
}

// descendants lists the processes below pid (Documentation/filesystems/proc.rst, /proc/<pid>/task/<tid>/children).
func descendants(pid int) []int {
	var out []int
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is a good one
	for _, list := range lists {
		children, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for _, word := range strings.Fields(string(children)) {
			if child, err := strconv.Atoi(word); err == nil {
				out = append(append(out, child), descendants(child)...)
			}
		}
	}
	return out
}
