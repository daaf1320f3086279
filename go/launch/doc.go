// Package launch turns a TaskInfo into a running pod: it reads the task's configuration, loads its compose files, finds the
// cgroup that binds it, and hands the result to package pod. It decides nothing about a pod that runs, and never speaks to
// the agent.
package launch
