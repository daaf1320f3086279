package doctor

import (
	"errors"

	"github.com/containerd/errdefs"

	"github.com/dce-go/dce/go/cgroup"
)

// Check is one line of a report.
type Check struct {
	Name   string // stable
	decide func(Facts) Finding
}

// Checks are all that there are, in the order of a report.
var Checks = []Check{
	{"agent", agent},
	{"engine", engineAnswers},
	{"api-version", apiVersion},
	{"storage-driver", storageDriver},
	{"live-restore", liveRestore},
	{"cgroup-version", cgroupVersion},
	{"cgroup-driver", cgroupDriver},
	{"controllers", controllers},
	{"use-hierarchy", useHierarchy},
	{"swap-accounting", swapAccounting},
	{"kernel", kernel},
	{"modules", modules},
	{"module-libraries", moduleLibraries},
	{"module-names", moduleNames},
	{"module-core", moduleCore},
	{"module-parameters", moduleParameters},
	{"go-runtime", goRuntime},
	{"executor", executor},
	{"settings", settings},
	{"clock", clock},
	{"disk", disk},
	{"network", network},
	{"limits", limits},
	{"leftovers", leftovers},
}

// Decide makes a report of facts.
func Decide(f Facts) Report {
	var findings []Finding
	for _, c := range Checks {
		found := c.decide(f)
		found.Check = c.Name
		findings = append(findings, found)
	}
	return newReport(findings)
}

// errNoEngine is why something is not known that only an engine can tell.
var errNoEngine = errors.New("the engine does not answer")

const seeEngine = "see engine"

// unseen says that it is for the one who looks that something is not known, and not for what was looked at.
func unseen(err error) bool { return denied(err) || errdefs.IsUnavailable(err) }

// notSeen is the finding where a gatherer failed.
func (f Facts) notSeen(err error) Finding {
	var unmounted *cgroup.NotMountedError
	switch {
	case errors.As(err, &unmounted):
		return unknown("see cgroup-version and controllers", "not known: %s", unmounted.What())
	case errors.Is(err, errNoEngine):
		return unknown(seeEngine, "not known, because %v", err)
	case denied(err) && f.User != 0:
		return unknown("run dce doctor as root", "not known to user %d: %v", f.User, err)
	case errdefs.IsUnavailable(err):
		return unknown("see why it hangs, or give it more time with --timeout", "not known: %v", err)
	}
	return unknown("mend that and run dce doctor again", "not known: %v", err)
}
