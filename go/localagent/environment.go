package localagent

import (
	"maps"
	"slices"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// defaultPath is what executors get that are given no PATH.
// Follows 3rdparty/stout/include/stout/posix/os.hpp, host_default_path.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// executorEnvironment is the environment that the agent gives to an executor; nothing of the agent's own is inherited.
// Follows src/slave/slave.cpp, executorEnvironment, without the Java library that is not installed here.
func (a *Agent) executorEnvironment(c *Container) map[string]string {
	o := a.options
	env := map[string]string{"LIBPROCESS_IP": a.host}
	maps.Copy(env, o.Environment)
	maps.Copy(env, map[string]string{
		"LIBPROCESS_PORT":                      "0",
		"MESOS_FRAMEWORK_ID":                   o.Framework.ID.Value,
		"MESOS_EXECUTOR_ID":                    c.info.ExecutorID.Value,
		"MESOS_DIRECTORY":                      c.Sandbox,
		"MESOS_SLAVE_ID":                       o.AgentID,
		"MESOS_SLAVE_PID":                      upid + "@" + a.endpoint,
		"MESOS_AGENT_ENDPOINT":                 a.endpoint,
		"MESOS_CHECKPOINT":                     "0",
		"MESOS_HTTP_COMMAND_EXECUTOR":          "0",
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": formatDuration(a.shutdownGrace(c.info)),
	})
	if o.DomainSocket != "" {
		env["MESOS_DOMAIN_SOCKET"] = o.DomainSocket
	}
	if o.Framework.GetCheckpoint() {
		env["MESOS_CHECKPOINT"] = "1"
		env["MESOS_RECOVERY_TIMEOUT"] = formatDuration(o.RecoveryTimeout)
		env["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = formatDuration(o.ReregistrationTimeout)
	}
	if o.Token != "" {
		env["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"] = o.Token
	}
	return env
}

// containerEnvironment adds what the containerizer and the command say, the command last.
// Follows src/slave/containerizer/mesos/containerizer.cpp, _launch, and launch.cpp, MesosContainerizerLaunch::execute.
func (a *Agent) containerEnvironment(c *Container) []string {
	env := a.executorEnvironment(c)
	env["MESOS_SANDBOX"] = c.Sandbox
	if c.parent != "" {
		env["DCE_CGROUP_PARENT"] = c.parent // the isolator of dce gives it on cgroup v2
	}
	maps.Copy(env, c.given)
	for _, v := range c.info.GetCommand().GetEnvironment().GetVariables() {
		if v.GetType() != mesos.Environment_Variable_SECRET {
			env[v.Name] = v.GetValue()
		}
	}
	if _, ok := env["PATH"]; !ok {
		env["PATH"] = defaultPath
	}
	out := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out
}
