// Package doctor looks at a host and says whether a pod would run there: `dce doctor`.
//
// Thin gatherers collect Facts, side by side and each within its own time, so that an engine or a file system that hangs costs
// one look and not all of them. Pure functions decide, one for each check: Facts in, a Finding out. Nothing is changed on the
// host, nothing that is looked at is run or loaded, and what can't be seen is said, not guessed.
package doctor
