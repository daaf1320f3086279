// Package compose turns the compose files of a task into the pod that an engine is to run, in three steps: Load reads the
// files through compose-go, Rewrite decides (pure) where every service goes in a pod and on the host, and Convert
// translates (pure) the result into Docker's own types. Build is the three together.
//
// What it does not know how to translate is an error that names the key: nothing of a file is dropped in silence.
// It never talks to an engine, never reads the process environment, and enforces no policy.
package compose
