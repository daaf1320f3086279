package executor

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/pod"
)

func TestNewStatus(t *testing.T) {
	id := uuid.MustParse("00112233-4455-6677-8899-aabbccddeeff")
	got := newStatus("task", pod.Status{
		State: pod.Failed, Reason: pod.ReasonMemory, Message: "Out of memory.", Healthy: new(false),
		Labels: map[string]string{"b": "2", "a": "1"}, Data: []byte("{}"),
	}, stamp{executor: "E", pid: 42, at: time.Unix(1, 500_000_000), uuid: id})
	require.Equal(t, mesos.TaskStatus{
		TaskID: mesos.TaskID{Value: "task"}, State: mesos.TASK_FAILED.Enum(), Source: mesos.SOURCE_EXECUTOR.Enum(),
		Reason: mesos.REASON_CONTAINER_LIMITATION_MEMORY.Enum(), Message: new("Out of memory."),
		ExecutorID: &mesos.ExecutorID{Value: "E"}, Timestamp: new(1.5), UUID: id[:], Healthy: new(false),
		Labels: &mesos.Labels{Labels: []mesos.Label{{Key: "a", Value: new("1")}, {Key: "b", Value: new("2")}}},
		Data:   []byte("{}"), ContainerStatus: &mesos.ContainerStatus{ExecutorPID: new(uint32(42))},
	}, got)

	plain := newStatus("task", pod.Status{State: pod.Running}, stamp{executor: "E"})
	require.Nil(t, plain.Reason)
	require.Nil(t, plain.Message)
	require.Nil(t, plain.Healthy)
	require.Nil(t, plain.Labels)
}

func TestNetworks(t *testing.T) {
	got := newStatus("task", pod.Status{State: pod.Running, Networks: []pod.Network{{Name: "lan", Addresses: []string{"10.1.2.3", "fd00::3"}}}}, stamp{})
	require.Equal(t, []mesos.NetworkInfo{{Name: new("lan"), IPAddresses: []mesos.NetworkInfo_IPAddress{
		{IPAddress: new("10.1.2.3"), Protocol: mesos.IPv4.Enum()}, {IPAddress: new("fd00::3"), Protocol: mesos.IPv6.Enum()},
	}}}, got.ContainerStatus.NetworkInfos)
}

func TestEveryStateAndReasonOfAPodIsOneOfMesos(t *testing.T) {
	for state, want := range map[pod.TaskState]mesos.TaskState{
		pod.Starting: mesos.TASK_STARTING, pod.Running: mesos.TASK_RUNNING, pod.Killing: mesos.TASK_KILLING,
		pod.Finished: mesos.TASK_FINISHED, pod.Failed: mesos.TASK_FAILED, pod.Killed: mesos.TASK_KILLED,
		"STAGING": mesos.TASK_FAILED, "NONSENSE": mesos.TASK_FAILED,
	} {
		require.Equal(t, want, taskState(state), string(state))
	}
	for _, reason := range []pod.Reason{
		pod.ReasonLaunchFailed, pod.ReasonInvalid, pod.ReasonMemory, pod.ReasonHealth, pod.ReasonExecutorEnded,
		pod.ReasonKilledInLaunch, pod.ReasonCommandFailed, pod.ReasonCheck, pod.ReasonMaxCompletion, "REASON_SLAVE_DRAINING", "REASON_TASK_UNKNOWN", "REASON_TASK_GROUP_INVALID",
	} {
		got, message := statusReason(reason, "m")
		require.NotNil(t, got, string(reason))
		require.Equal(t, "m", message)
	}
	got, message := statusReason("REASON_OF_A_LATER_MESOS", "It went wrong.")
	require.Nil(t, got)
	require.Equal(t, "It went wrong. (REASON_OF_A_LATER_MESOS)", message)
}

func TestCheckStatus(t *testing.T) {
	require.Nil(t, checkStatus(nil))
	for want, check := range map[*mesos.CheckStatusInfo]pod.Check{
		{Type: mesos.CheckInfo_COMMAND.Enum(), Command: &mesos.CheckStatusInfo_Command{}}:                        {Type: "COMMAND"},
		{Type: mesos.CheckInfo_COMMAND.Enum(), Command: &mesos.CheckStatusInfo_Command{ExitCode: new(int32(3))}}: {Type: "COMMAND", Result: new(3)},
		{Type: mesos.CheckInfo_HTTP.Enum(), HTTP: &mesos.CheckStatusInfo_Http{StatusCode: new(uint32(404))}}:     {Type: "HTTP", Result: new(404)},
		{Type: mesos.CheckInfo_TCP.Enum(), TCP: &mesos.CheckStatusInfo_Tcp{Succeeded: new(true)}}:                {Type: "TCP", Result: new(1)},
		{Type: mesos.CheckInfo_TCP.Enum(), TCP: &mesos.CheckStatusInfo_Tcp{Succeeded: new(false)}}:               {Type: "TCP", Result: new(0)},
	} {
		got := newStatus("task", pod.Status{State: pod.Running, Check: &check}, stamp{executor: "E"})
		require.Equal(t, want, got.CheckStatus)
	}
}

func TestInvalid(t *testing.T) {
	err := errors.New("no file")
	require.Equal(t, pod.Status{State: pod.Failed, Reason: pod.ReasonInvalid, Message: "no file"}, invalid(err))
	require.Equal(t, pod.ReasonLaunchFailed, invalid(fmt.Errorf("outer: %w", reasonError{err})).Reason)
}
