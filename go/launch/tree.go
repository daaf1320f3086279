package launch

import "github.com/dce-go/dce/go/tree"

// limits are those of the pod's cgroup, as Mesos sets them.
func (b budget) limits() tree.Limits {
	return tree.Limits{Memory: b.memory, CPUs: b.cpus}
}
