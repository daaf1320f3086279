// Package core is what the agent module calls through its C interface (cgo-bridge, dcecore.h): it knows which containers of
// the agent live, what is owed, and has the reaper remove it. It is plain Go and knows nothing of C.
//
// Nothing in it waits for the engine but its own goroutines, each of which keeps its panics to itself. What is removed follows
// from what the engine lists and what the agent says; the journal adds causes and pauses, and is never trusted for more.
package core
