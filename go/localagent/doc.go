// Package localagent is an embedded Mesos agent for one machine and one framework: it makes the sandbox and the task's
// cgroup, starts an executor in them, serves it the executor API v1, acknowledges its updates and kills what it leaves
// behind. `dce run` and the end-to-end tests run dce-executor under it; an executor that is not ours runs as well.
//
// It follows Apache Mesos; each behaviour names the file and function below src/ that it follows. It plays the master and
// the scheduler too: every update is acknowledged as soon as it was seen, unless a test holds that back.
// It never talks to a container engine, fetches nothing, and keeps nothing on disk but the sandboxes: a restart of the
// agent is played within the process.
package localagent
