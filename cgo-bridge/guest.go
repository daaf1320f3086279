package main

import (
	"runtime"
	"runtime/debug"
)

// The limits of a guest in somebody else's process. Each P may run a thread; garbage is collected early, and harder the nearer
// all of Go's memory comes to the soft limit. Whatever GOMAXPROCS, GOGC and GOMEMLIMIT say in the environment is meant for
// the programs that the agent starts.
const (
	guestProcs     = 2
	guestGCPercent = 50
	guestMemory    = 32 << 20
)

func beAGuest() {
	runtime.GOMAXPROCS(guestProcs)
	debug.SetGCPercent(guestGCPercent)
	debug.SetMemoryLimit(guestMemory)
}
