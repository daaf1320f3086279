package launch

import (
	"testing"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/executor"
)

func TestTaskEnvironment(t *testing.T) {
	discovery := &mesos.DiscoveryInfo{Ports: &mesos.Ports{Ports: []mesos.Port{{Number: 31000, Name: new("web-admin")}, {Number: 31001}}}}
	offer := []mesos.Resource{{Name: "ports", Ranges: &mesos.Value_Ranges{Range: []mesos.Value_Range{{Begin: 31000, End: 31001}}}}}
	marathon := map[string]string{
		"MESOS_TASK_ID": "shop", "HOST": "agent.example.com", "PORT": "31007", "PORT0": "31007", "PORTS": "31007", "PORT_HTTP": "31007",
		"PORT_8080": "31007", "MARATHON_APP_ID": "/shop", "MARATHON_APP_LABEL_TEAM": "a b",
	}
	executors := map[string]string{
		"MESOS_EXECUTOR_AUTHENTICATION_TOKEN": "s3cret", "MESOS_SANDBOX": "/sandbox", "MESOS_DIRECTORY": "/sandbox", "LIBPROCESS_IP": "10.0.0.1",
		"DOCKER_HOST": "tcp://x", "DCE_LOG_LEVEL": "debug", "PATH": "/bin", "PORTAL": "x", "PORT0X": "x", "MY_OWN": "x",
	}
	for _, c := range []struct {
		name string
		task mesos.TaskInfo
		vars []map[string]string
		want map[string]string
	}{
		{"Marathon's words pass, the executor's own do not", mesos.TaskInfo{Resources: offer}, []map[string]string{marathon, executors}, marathon},
		{"ports of the offer", mesos.TaskInfo{Resources: offer, Discovery: discovery}, []map[string]string{executors}, map[string]string{
			"MESOS_TASK_ID": "shop", "HOST": "agent-1", "PORT": "31000", "PORT0": "31000", "PORT1": "31001", "PORTS": "31000,31001",
			"PORT_WEB_ADMIN": "31000",
		}},
		{"no ports", mesos.TaskInfo{}, nil, map[string]string{"MESOS_TASK_ID": "shop", "HOST": "agent-1"}},
		{"another task's environment", mesos.TaskInfo{Resources: offer[:1]}, []map[string]string{marathon, {"MESOS_TASK_ID": "other"}}, map[string]string{
			"MESOS_TASK_ID": "shop", "HOST": "agent.example.com", "PORT": "31000", "PORT0": "31000", "PORT1": "31001", "PORTS": "31000,31001",
		}},
		{"Aurora", mesos.TaskInfo{Labels: &mesos.Labels{Labels: []mesos.Label{
			{Key: "org.apache.aurora.tier", Value: new("preferred")}, {Key: "org.apache.aurora.metadata.team.name", Value: new("shop")},
			{Key: "org.apache.aurora.metadata.empty"}, {Key: "secret", Value: new("x")},
		}}}, []map[string]string{{"AURORA_TASK": "x"}}, map[string]string{
			"MESOS_TASK_ID": "shop", "HOST": "agent-1", "AURORA_TIER": "preferred", "AURORA_METADATA_TEAM_NAME": "shop", "AURORA_TASK": "x",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.task.TaskID.Value = "shop"
			vars := map[string]string{}
			for _, more := range c.vars {
				for name, value := range more {
					vars[name] = value
				}
			}
			session := executor.Session{AgentInfo: mesos.AgentInfo{Hostname: "agent-1"}}
			require.Equal(t, c.want, taskEnvironment(&c.task, &session, vars))
		})
	}
}
