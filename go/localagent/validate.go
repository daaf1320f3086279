package localagent

import (
	"fmt"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// validate says what is wrong with a call, "" when nothing is.
// Follows src/common/validation.cpp, validateExecutorCall; the texts are Mesos' own.
func validate(call *executor.Call) string {
	switch {
	case call.ExecutorID.Value == "":
		return "Expecting 'executor_id' to be present"
	case call.FrameworkID.Value == "":
		return "Expecting 'framework_id' to be present"
	}
	switch call.Type {
	case executor.Call_SUBSCRIBE:
		if call.Subscribe == nil {
			return "Expecting 'subscribe' to be present"
		}
	case executor.Call_UPDATE:
		return validateUpdate(call)
	case executor.Call_MESSAGE:
		if call.Message == nil {
			return "Expecting 'message' to be present"
		}
	}
	return ""
}

func validateUpdate(call *executor.Call) string {
	if call.Update == nil {
		return "Expecting 'update' to be present"
	}
	status := call.Update.Status
	from := fmt.Sprintf("Received Call from executor %s of framework %s", call.ExecutorID.Value, call.FrameworkID.Value)
	switch {
	case status.UUID == nil:
		return "Expecting 'uuid' to be present"
	case len(status.UUID) != 16:
		return fmt.Sprintf("Invalid 'uuid': it has %d bytes instead of 16", len(status.UUID))
	case status.ExecutorID != nil && status.ExecutorID.Value != call.ExecutorID.Value:
		return fmt.Sprintf("ExecutorID in Call: %s does not match ExecutorID in TaskStatus: %s",
			call.ExecutorID.Value, status.ExecutorID.Value)
	case status.Source == nil || *status.Source != mesos.SOURCE_EXECUTOR:
		return from + " with invalid source, expecting 'SOURCE_EXECUTOR'"
	case status.GetState() == mesos.TASK_STAGING:
		return "Received TASK_STAGING from executor " + call.ExecutorID.Value + " of framework " +
			call.FrameworkID.Value + " which is not allowed"
	case status.CheckStatus != nil:
		return validateCheckStatus(status.CheckStatus)
	}
	return ""
}

// validateCheckStatus follows src/common/validation.cpp, validateCheckStatusInfo.
func validateCheckStatus(s *mesos.CheckStatusInfo) string {
	if s.Type == nil {
		return "CheckStatusInfo must specify 'type'"
	}
	switch {
	case *s.Type == mesos.CheckInfo_COMMAND && s.Command == nil:
		return "Expecting 'command' to be set for COMMAND check's status"
	case *s.Type == mesos.CheckInfo_HTTP && s.HTTP == nil:
		return "Expecting 'http' to be set for HTTP check's status"
	case *s.Type == mesos.CheckInfo_TCP && s.TCP == nil:
		return "Expecting 'tcp' to be set for TCP check's status"
	case *s.Type == mesos.CheckInfo_UNKNOWN:
		return "'UNKNOWN' is not a valid check's status type"
	}
	return ""
}
