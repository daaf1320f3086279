package doctor

import "errors"

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

// notSeen is the finding where a gatherer failed.
func (f Facts) notSeen(err error) Finding {
	switch {
	case errors.Is(err, errNoEngine):
		return unknown(seeEngine, "not known, because %v", err)
	case denied(err) && f.User != 0:
		return unknown("run dce doctor as root", "not known to user %d: %v", f.User, err)
	}
	return unknown("mend that and run dce doctor again", "not known: %v", err)
}
