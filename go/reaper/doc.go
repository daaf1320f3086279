// Package reaper removes what dead pods left behind: it observes an engine and the cgroups, plans (pure), and removes. `dce
// run` cleans with it, and the agent module does.
//
// It removes only what is provably a pod's: see proof.go. It stops nothing gracefully, never touches what belongs to a live
// run, has no memory between two sweeps, and speaks neither to Mesos nor to compose.
package reaper
