// Package health makes the checks that Mesos asks for of a task: TaskInfo.health_check and TaskInfo.check. Pure functions
// decide when a check is due and what its result means; a probe makes it, inside the pod, over the engine's API.
// It never starts a process on the host, and does nothing for tasks without checks. Docker's own healthchecks, those of
// compose files, are the engine's.
//
// It follows src/checks/ of Mesos: checker_process.cpp (how a check is made and when the next one is), health_checker.cpp and
// checker.cpp (what of it is told), but for what docs/health.md lists.
package health
