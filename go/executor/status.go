package executor

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/mesos/mesos-go/api/v1/lib"

	"github.com/dce-go/dce/go/pod"
)

// stamp is what makes a status an update of this executor at this time.
type stamp struct {
	executor string
	pid      int
	at       time.Time
	uuid     uuid.UUID
}

// newStatus says in Mesos' terms how a task is. The agent adds the rest itself: agent id, cgroup and, as network_infos is left
// empty, its own address. container_id stays unset: with it the agent would look for a nested container of that id
// (src/slave/slave.cpp, Slave::statusUpdate).
func newStatus(task string, s pod.Status, by stamp) mesos.TaskStatus {
	pid := uint32(by.pid)
	at := float64(by.at.UnixMicro()) / 1e6
	reason, message := statusReason(s.Reason, s.Message)
	status := mesos.TaskStatus{
		TaskID:          mesos.TaskID{Value: task},
		State:           taskState(s.State).Enum(),
		Source:          mesos.SOURCE_EXECUTOR.Enum(),
		Reason:          reason,
		ExecutorID:      &mesos.ExecutorID{Value: by.executor},
		Timestamp:       &at,
		UUID:            by.uuid[:],
		Healthy:         s.Healthy,
		Labels:          statusLabels(s.Labels),
		Data:            s.Data,
		CheckStatus:     checkStatus(s.Check),
		ContainerStatus: &mesos.ContainerStatus{ExecutorPID: &pid},
	}
	for _, n := range s.Networks {
		info := mesos.NetworkInfo{Name: new(n.Name)}
		for _, ip := range n.Addresses {
			info.IPAddresses = append(info.IPAddresses, mesos.NetworkInfo_IPAddress{IPAddress: new(ip), Protocol: protocol(ip)})
		}
		status.ContainerStatus.NetworkInfos = append(status.ContainerStatus.NetworkInfos, info)
	}
	if message != "" {
		status.Message = &message
	}
	return status
}

func protocol(ip string) *mesos.NetworkInfo_Protocol {
	if addr, err := netip.ParseAddr(ip); err == nil && addr.Is6() {
		return mesos.IPv6.Enum()
	}
	return mesos.IPv4.Enum()
}

// taskState fails for a word that is none of Mesos': saying that the task goes on would be worse.
func taskState(s pod.TaskState) mesos.TaskState {
	if state, ok := mesos.TaskState_value["TASK_"+string(s)]; ok && state != int32(mesos.TASK_STAGING) {
		return mesos.TaskState(state)
	}
	return mesos.TASK_FAILED
}

// statusReason finds Mesos' number of a reason. Where mesos-go knows none, the message names it.
func statusReason(reason pod.Reason, message string) (*mesos.TaskStatus_Reason, string) {
	if reason == pod.ReasonNone {
		return nil, message
	}
	name := string(reason)
	// mesos.proto of API v1 calls the agent so in its newer names only.
	value, ok := mesos.TaskStatus_Reason_value[strings.Replace(name, "REASON_SLAVE_", "REASON_AGENT_", 1)]
	if !ok {
		return nil, strings.TrimSpace(message + " (" + name + ")")
	}
	return mesos.TaskStatus_Reason(value).Enum(), message
}

// checkStatus is what each status of a task with a check must have, with the message of its type even while there is no result
// (src/common/validation.cpp, validateCheckStatusInfo).
func checkStatus(c *pod.Check) *mesos.CheckStatusInfo {
	if c == nil {
		return nil
	}
	info := &mesos.CheckStatusInfo{Type: mesos.CheckInfo_Type(mesos.CheckInfo_Type_value[c.Type]).Enum()}
	switch *info.Type {
	case mesos.CheckInfo_COMMAND:
		info.Command = &mesos.CheckStatusInfo_Command{}
		if c.Result != nil {
			info.Command.ExitCode = new(int32(*c.Result))
		}
	case mesos.CheckInfo_HTTP:
		info.HTTP = &mesos.CheckStatusInfo_Http{}
		if c.Result != nil {
			info.HTTP.StatusCode = new(uint32(*c.Result))
		}
	case mesos.CheckInfo_TCP:
		info.TCP = &mesos.CheckStatusInfo_Tcp{}
		if c.Result != nil {
			info.TCP.Succeeded = new(*c.Result != 0)
		}
	}
	return info
}

func statusLabels(labels map[string]string) *mesos.Labels {
	if len(labels) == 0 {
		return nil
	}
	out := &mesos.Labels{}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		out.Labels = append(out.Labels, mesos.Label{Key: key, Value: new(labels[key])})
	}
	return out
}

// invalid is the status of a task that could not even be launched.
func invalid(err error) pod.Status {
	s := pod.Status{State: pod.Failed, Reason: pod.ReasonInvalid, Message: err.Error()}
	if r, ok := errors.AsType[interface {
		error
		Reason() string
	}](err); ok && r.Reason() != "" {
		s.Reason = pod.Reason(r.Reason())
	}
	return s
}
