// Package reaper removes what dead pods left behind: it observes an engine and the cgroups, plans (pure), and removes. The
// agent module, `dce reap` and `dce run` clean with it.
//
// It removes only what is provably a pod's: see proof.go. It never touches what belongs to a live run, has no memory between
// two sweeps, and speaks neither to Mesos nor to compose. A panic in it is an error of the sweep.
package reaper
