package launch

import (
	"context"
	"path/filepath"

	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/compose"
	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/executor"
	"github.com/dce-go/dce/go/health"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/pause"
	"github.com/dce-go/dce/go/pod"
	"github.com/dce-go/dce/go/podlog"
	"github.com/dce-go/dce/go/tree"
)

// order is a task that is to become a pod, and what is known of it before anything is read or asked.
type order struct {
	cfg       *config.Config
	task      *mesos.TaskInfo
	session   *executor.Session
	checks    []health.Check
	id        labels.Identity
	variables map[string]string // of the executor's environment
	score     int               // oom_score_adj of the executor

	report *report
	memory *memory
	log    logrus.FieldLogger
}

// prepare makes of the task's files what is to be brought up.
func (l *Launcher) prepare(ctx context.Context, o *order) (pod.Ready, error) {
	by, cfg := &o.session.ExecutorInfo, o.cfg
	docker, info, err := l.engines.wait(ctx, configured(cfg), patience(cfg.Engine.LostTimeout))
	if err != nil {
		return pod.Ready{}, fromInside(by, "the Docker engine", "/var/run/docker.sock", err)
	}
	at, has, err := l.bind(ctx, o, info.CgroupDriver)
	if err != nil {
		return pod.Ready{}, fromInside(by, "its cgroup", "/sys/fs/cgroup", err)
	}
	spec, err := o.build(ctx, compose.Target{
		Identity: o.id, Version: l.o.Version, CgroupParent: at.Parent, PauseImage: pause.Image(),
		NetworkMode: cfg.Network.Mode, Share: cfg.Pod.Share,
		Offered: offeredPorts(o.task), Named: namedPorts(o.task), AllowStaticPorts: cfg.Ports.AllowStatic,
		Visible: cfg.Compose.Visible, Kind: cfg.Pod.Kind, Sandbox: o.session.Environment.Directory,
	})
	if err != nil {
		return pod.Ready{}, err
	}
	if err := allow(spec, has, cfg.Limits.Check, o.log); err != nil {
		return pod.Ready{}, err
	}
	checkPids(spec, cfg.Pids.Limit, o.log)
	class, err := applyQoS(spec, has, cfg.QoS, o.score, o.log)
	if err != nil {
		return pod.Ready{}, err
	}
	o.report.classified(class)
	logs := podlog.New(docker, o.report.files.logs, l.o.Stdout, o.log)
	o.memory.begin(l.parents.host, at)
	up := &engine.Pod{
		Gateway: o.memory.gateway(docker), Pause: loadPause, Log: o.log,
		Patience: patience(cfg.Engine.LostTimeout), Cgroups: l.parents.host,
		Finished: o.report.finished,
	}
	spec = defaults(spec, cfg, filepath.Base(o.report.files.logs))
	o.report.prepared(spec, up.Images)
	checking, err := checking(o.checks, spec, cfg.Health.Service, docker, o.log)
	if err != nil {
		return pod.Ready{}, err
	}
	return pod.Ready{Spec: spec, Engine: onItsNetwork(up, cfg, o.report.reached), Logs: logs, Checks: checking}, nil
}

// bind finds the pod's cgroup and sees to it that what the task has binds it, beyond what the agent and its module do.
func (l *Launcher) bind(ctx context.Context, o *order, driver string) (at parent, has grant, err error) {
	has = grantOf(o.task, o.session.ExecutorInfo.Resources)
	if o.cfg.CPU.CFSQuota {
		has = has.throttled()
	}
	limits := has.limits(o.cfg.Pids.Limit)
	at, unbound, err := l.parents.take(ctx, o.variables[ParentVar], driver, o.id, limits, tree.Quota, tree.Pids)
	if err = o.unbound(unbound, err); err != nil {
		return at, has, err
	}
	if at.quota > 0 { // the agent's, for all tasks
		has = has.throttled()
	}
	return at, has, o.unbound(hierarchical(l.parents.host, at, o.cfg.Cgroup.UseHierarchy))
}

// unbound has the pod's status say what does not bind it, or refuses the pod.
func (o *order) unbound(why, err error) error {
	switch {
	case why == nil, err != nil:
		return err
	case o.cfg.Limits.Unbound == "fail":
		return &UnboundError{why}
	}
	o.report.unbound(why)
	return nil
}

// defaults fills in what neither the file nor the task says.
func defaults(spec engine.PodSpec, cfg *config.Config, logs string) engine.PodSpec {
	for i := range spec.Services {
		c := &spec.Services[i]
		c.Logs = logs
		if c.Grace < 0 {
			c.Grace = cfg.Stop.Grace
		}
		if c.Pull == "" {
			c.Pull = engine.PullPolicy(cfg.Image.Pull)
		}
		if cfg.Restart.Policy == "ignore" {
			c.Restart = engine.Restart{}
		}
	}
	return spec
}
