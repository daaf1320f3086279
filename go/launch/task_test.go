package launch

import (
	"testing"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
)

func TestOfferedPortsKeepTheOrderOfTheOffer(t *testing.T) {
	task := &mesos.TaskInfo{Resources: []mesos.Resource{
		{Name: "cpus", Scalar: &mesos.Value_Scalar{Value: 1}},
		{Name: "ports", Ranges: &mesos.Value_Ranges{Range: []mesos.Value_Range{{Begin: 31005, End: 31006}, {Begin: 31000, End: 31000}}}},
		{Name: "ports", Ranges: &mesos.Value_Ranges{Range: []mesos.Value_Range{{Begin: 65535, End: 70000}}}},
	}}
	require.Equal(t, []uint16{31005, 31006, 31000, 65535}, offeredPorts(task))
	require.Empty(t, offeredPorts(&mesos.TaskInfo{}))
}

func TestNamedPorts(t *testing.T) {
	task := &mesos.TaskInfo{Discovery: &mesos.DiscoveryInfo{Ports: &mesos.Ports{Ports: []mesos.Port{
		{Number: 31000, Name: new("http")}, {Number: 31001},
	}}}}
	require.Equal(t, map[string]uint16{"http": 31000}, namedPorts(task))
	require.Empty(t, namedPorts(&mesos.TaskInfo{}))
}

func TestTaskLabels(t *testing.T) {
	task := &mesos.TaskInfo{Labels: &mesos.Labels{Labels: []mesos.Label{
		{Key: "a", Value: new("1")}, {Key: "a", Value: new("2")}, {Key: "b"},
	}}}
	require.Equal(t, map[string]string{"a": "2", "b": ""}, taskLabels(task))
}

func TestScopeIsTheWorkDir(t *testing.T) {
	require.Equal(t, "/var/lib/mesos", scope("/var/lib/mesos/slaves/S0/frameworks/F/executors/E/runs/C"))
	require.Equal(t, "/sandbox", scope("/sandbox"))
	require.Equal(t, "/slaves/x", scope("/slaves/x"))
}
