package core

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dce-go/dce/go/oom"
)

const (
	// recentKill is how long before the end of its container a kill may be that is taken for the cause: an agent needs seconds to
	// end a container whose cgroup is at its limit, and a service may lose a process without the pod ending.
	recentKill = time.Minute
	// maxLabel bounds what containers, which may write to the sandbox, can have the agent send to its master.
	maxLabel = 1024
)

// attribution is mesos.ExecutorInfo, as far as it is filled in.
type attribution struct {
	ExecutorID  *identifier  `json:"executor_id,omitempty"`
	FrameworkID *identifier  `json:"framework_id,omitempty"`
	Labels      *mesosLabels `json:"labels,omitempty"`
}

type mesosLabels struct {
	Labels []mesosLabel `json:"labels"`
}

type mesosLabel struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// attribute tells what the kernel killed in a pod for want of memory, in the executor's words or, where the agent ended it before
// it had any, in the same words of the core's own.
func (c *Core) attribute(_ context.Context, in containerOnly) (any, error) {
	k := c.census.of(in.Container)
	if k.foreign || k.sandbox == "" {
		return attribution{}, nil
	}
	since := time.Now().Add(-recentKill)
	kill, ok, err := oom.Noted(k.sandbox, since)
	if err != nil {
		c.log.WithError(err).WithField("container", in.Container).Warn("dce: what the executor noted of the memory of its pod can't be read")
	}
	if heard, also := c.heard(in.Container, k.sandbox, since); also && (!ok || heard.Outweighs(kill)) {
		kill, ok = heard, true
	}
	if !ok {
		return attribution{}, nil
	}
	out := attribution{&identifier{k.executor}, &identifier{k.framework}, &mesosLabels{}}
	for key, value := range kill.Labels() {
		value = strings.ToValidUTF8(value[:min(len(value), maxLabel)], "")
		out.Labels.Labels = append(out.Labels.Labels, mesosLabel{key, value})
	}
	slices.SortFunc(out.Labels.Labels, func(a, b mesosLabel) int { return strings.Compare(a.Key, b.Key) })
	c.log.WithField("container", in.Container).WithField("service", kill.Service).Info("dce: the kernel killed a service for want of memory before its container ended")
	return out, nil
}
