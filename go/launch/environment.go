package launch

import (
	"strconv"
	"strings"

	"github.com/mesos/mesos-go/api/v1/lib"

	"github.com/dce-go/dce/go/executor"
)

// Labels that Aurora gives its tasks (Aurora's MesosTaskFactory.java), and the prefixes of what they become.
const (
	auroraTier     = "org.apache.aurora.tier"
	auroraMetadata = "org.apache.aurora.metadata."
)

// taskEnvironment is what every container of a task is told of it, free of all that is the executor's own: of the
// executor's variables only those pass that a framework sets for the task. What Marathon did not set is made up of the
// offer and the DiscoveryInfo as Marathon would (Marathon's EnvironmentHelper.scala). MESOS_SANDBOX comes with the mount.
func taskEnvironment(task *mesos.TaskInfo, session *executor.Session, vars map[string]string) map[string]string {
	out := map[string]string{"MESOS_TASK_ID": task.TaskID.Value}
	set := func(name, value string) {
		if _, known := out[name]; !known && value != "" {
			out[name] = value
		}
	}
	set("HOST", vars["HOST"])
	set("HOST", session.AgentInfo.Hostname)
	// An executor of several tasks has one environment, which is that of the task that it names.
	if owner := vars["MESOS_TASK_ID"]; owner == "" || owner == task.TaskID.Value {
		for name, value := range vars {
			if isPort(name) || strings.HasPrefix(name, "MARATHON_") || strings.HasPrefix(name, "AURORA_") {
				set(name, value)
			}
		}
	}
	for key, value := range taskLabels(task) {
		if key == auroraTier {
			set("AURORA_TIER", value)
		} else if name, ok := strings.CutPrefix(key, auroraMetadata); ok {
			set("AURORA_METADATA_"+variableName(name), value)
		}
	}
	if out["PORT"]+out["PORT0"]+out["PORTS"] == "" {
		var list []string
		for i, port := range offeredPorts(task) {
			list = append(list, strconv.Itoa(int(port)))
			set("PORT"+strconv.Itoa(i), list[i])
			set("PORT", list[0])
		}
		set("PORTS", strings.Join(list, ","))
	}
	for name, port := range namedPorts(task) {
		set("PORT_"+variableName(name), strconv.Itoa(int(port)))
	}
	return out
}

// isPort says whether a variable is one of Marathon's for ports: PORT, PORTS, PORT0 and so on, PORT_HTTP, PORT_8080.
func isPort(name string) bool {
	rest, ok := strings.CutPrefix(name, "PORT")
	if !ok {
		return false
	}
	_, err := strconv.ParseUint(rest, 10, 16)
	return err == nil || rest == "" || rest == "S" || strings.HasPrefix(rest, "_")
}

// variableName makes a name fit for a variable, as Marathon does.
func variableName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(name))
}
