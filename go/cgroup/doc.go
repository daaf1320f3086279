// Package cgroup finds, checks, makes and removes control groups: the task's cgroup that binds a pod, on hosts with cgroup
// v1, v2 and both. It works on the file system alone, below a root that tests replace.
//
// A path is always that of /proc/<pid>/cgroup ("/mesos/<container id>"), never one of the file system; one path means the
// cgroups of that name in every hierarchy. Nothing here follows a symbolic link, leaves a mounted hierarchy, signals a
// process or removes a cgroup that has one. Every error names the file it is about.
package cgroup
