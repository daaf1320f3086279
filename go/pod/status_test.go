package pod

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

func TestTheLastUpdateSaysHowTheStopWent(t *testing.T) {
	s := State{Phase: PhaseStopping, Outcome: Status{State: Killed, Message: "Over."}}
	for _, c := range []struct {
		report engine.StopReport
		says   string
	}{
		{engine.StopReport{}, "Over."},
		{engine.StopReport{Overran: []string{"a", "b"}}, "Over. Killed after the grace period: a, b."},
		{engine.StopReport{Alone: []string{"a"}}, "Over. The Docker engine did not answer in time, so the executor itself ended the processes of: a."},
		{engine.StopReport{Err: errors.New("b still ran")}, "Over. Not everything could be stopped: B still ran."},
	} {
		ended, _ := next(s, Stopped{Report: c.report})
		require.Equal(t, c.says, ended.Outcome.Message)
		require.Equal(t, PhaseKilled, ended.Phase)
	}
}
