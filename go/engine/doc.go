// Package engine brings pods up and down on a Docker engine: a pure plan (a DAG of operations, each with its cause), its
// parallel execution, the events that drive everything, and the gateway to the engine with its fake.
// It never reads compose files, never speaks to Mesos, and decides nothing about the life of a pod.
package engine
