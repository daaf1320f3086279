package launch

import (
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/cgroup"
)

// hierarchical sees to it, before the first container, that the memory limit of the pod's cgroup binds what is below it: for
// hosts without the agent module, which does so earlier. mode is the value of cgroup.use_hierarchy.
func hierarchical(host *cgroup.Host, parent, mode string, log logrus.FieldLogger) error {
	var err error
	switch mode {
	case "off":
		return nil
	case "enforce":
		err = host.EnforceHierarchy(parent)
	default:
		err = host.CheckHierarchy(parent)
	}
	if err != nil && mode == "warn" {
		log.WithError(err).Warn("The task's memory limit does not bind the containers of the pod.")
		return nil
	}
	return err
}
