// Package mesos runs the shipped executor and the agent module under a real mesos-master and mesos-agent: a scheduler launches
// pods through the v1 API, their executor, the agent, or both are killed, and full listings of engine and cgroups show that
// nothing of a pod is left and that nothing else was touched.
//
// The scenarios have the build tag mesos and need a Mesos, which MESOS_BIN and MESOS_LIB name, and a module that was built for
// it; `make test-mesos` runs them. What decides (the scheduler, the command lines, where the programs are) is tested with all
// other tests. Master and agent have ports, folders and a cgroups_root of their own: an agent kills every cgroup right below its
// root that it does not know.
package mesos
