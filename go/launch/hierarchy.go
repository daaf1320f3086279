package launch

import "github.com/dce-go/dce/go/cgroup"

// hierarchical sees to it, before the first container, that the memory limit of the pod's cgroup binds what is below it: for
// hosts without the agent module, which does so earlier. mode is the value of cgroup.use_hierarchy. A cgroup of our own is set
// right in every mode but "off", since it is nobody else's. unbound is why the limit does not bind a pod that runs all the same.
func hierarchical(host *cgroup.Host, at parent, mode string) (unbound, err error) {
	switch {
	case mode == "off", at.absent:
		return nil, nil
	case mode == "enforce", at.ours:
		err = host.EnforceHierarchy(at.Path)
	default:
		err = host.CheckHierarchy(at.Path)
	}
	if mode == "warn" {
		return err, nil
	}
	return nil, err
}
