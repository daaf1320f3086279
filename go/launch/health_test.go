package launch

import (
	"testing"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/health"
	"github.com/dce-go/dce/go/pod"
)

func TestRulesOfATaskWithChecks(t *testing.T) {
	rules := pod.Rules{Kind: pod.Service}
	require.Equal(t, rules, checked(rules, &mesos.TaskInfo{}, nil))
	task := &mesos.TaskInfo{KillPolicy: &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: 3e9}}}
	checks := []health.Check{{Type: health.HTTP, Health: &health.Tolerance{}}, {Type: health.TCP}}
	require.Equal(t, pod.Rules{
		Kind: pod.Service, HealthCheck: true, Check: &pod.Check{Type: "TCP"}, KillGrace: new(3 * time.Second),
	}, checked(rules, task, checks))
}

func TestNoCheckingForATaskWithoutChecks(t *testing.T) {
	run, err := checking(nil, engine.PodSpec{}, "no such service", nil, nil)
	require.NoError(t, err)
	require.Nil(t, run)
	_, err = checking([]health.Check{{Type: health.Command}}, engine.PodSpec{}, "no such service", nil, nil)
	require.ErrorContains(t, err, "no such service")
}

func TestMaxCompletion(t *testing.T) {
	require.Zero(t, maxCompletion(&mesos.TaskInfo{}))
	require.Equal(t, time.Minute, maxCompletion(&mesos.TaskInfo{MaxCompletionTime: &mesos.DurationInfo{Nanoseconds: 60e9}}))
	require.Zero(t, maxCompletion(&mesos.TaskInfo{MaxCompletionTime: &mesos.DurationInfo{Nanoseconds: -1}}))
}
