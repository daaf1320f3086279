package launch

import (
	"testing"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/aurora/auroratest"
	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/pod"
)

func TestPodKind(t *testing.T) {
	of := func(data []byte, vars, labels map[string]string) (pod.Kind, string) {
		cfg, err := config.Load(config.Input{Labels: labels})
		require.NoError(t, err)
		return podKind(&cfg, auroraTask(&mesos.TaskInfo{TaskID: mesos.TaskID{Value: "t"}, Data: data}), vars)
	}
	service, job := auroratest.Task{ID: "t", Service: true}.Encode(), auroratest.Task{ID: "t"}.Encode()
	marathon := map[string]string{"MARATHON_APP_ID": "/a"}
	for _, c := range []struct {
		name         string
		data         []byte
		vars, labels map[string]string
		want         pod.Kind
		why          string
	}{
		{"nothing said", nil, nil, nil, pod.Service, "that is the default"},
		{"Aurora's service", service, nil, nil, pod.Service, "its job in Aurora is a service"},
		{"Aurora's job", job, marathon, nil, pod.Job, "its job in Aurora is no service"},
		{"Marathon", nil, marathon, nil, pod.Service, "it is an app of Marathon"},
		{"configured", service, marathon, map[string]string{"dce.pod.kind": "job"}, pod.Job, "pod.kind is set (label dce.pod.kind)"},
		{"another's data", auroratest.Task{ID: "x"}.Encode(), nil, nil, pod.Service, "that is the default"},
		{"garbage", []byte("garbage"), nil, nil, pod.Service, "that is the default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, why := of(c.data, c.vars, c.labels)
			require.Equal(t, c.want, kind)
			require.Equal(t, c.why, why)
		})
	}
}

func TestAurorasPortsHaveNames(t *testing.T) {
	task := &mesos.TaskInfo{
		TaskID:    mesos.TaskID{Value: "t"},
		Data:      auroratest.Task{ID: "t", Ports: map[string]int32{"http": 31000, "admin": 31001}}.Encode(),
		Discovery: &mesos.DiscoveryInfo{Ports: &mesos.Ports{Ports: []mesos.Port{{Number: 31005, Name: new("http")}}}},
	}
	require.Equal(t, map[string]uint16{"http": 31005, "admin": 31001}, namedPorts(task))
	task.Discovery = nil
	require.Equal(t, map[string]uint16{"http": 31000, "admin": 31001}, namedPorts(task))
}
