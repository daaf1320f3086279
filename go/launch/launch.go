package launch

import (
	"context"
	"io"
	"strings"
	"sync/atomic"

	"github.com/docker/docker/api/types/container"
	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/executor"
	"github.com/dce-go/dce/go/health"
	"github.com/dce-go/dce/go/pause"
	"github.com/dce-go/dce/go/pod"
)

// Options are what a launcher is given.
type Options struct {
	Version string    // of dce, for the label
	Stdout  io.Writer // where the output of the services goes, prefixed
	Log     logrus.FieldLogger
}

// Launcher makes pods of tasks. It is an executor.Launcher.
type Launcher struct {
	o       Options
	parents parents

	engines  *engines
	launched atomic.Int32 // tasks so far
}

// New returns a launcher and begins to connect to the usual engine, which then answers by the time a task comes.
func New(o Options) *Launcher {
	l := &Launcher{o: o, engines: newEngines(o.Log)}
	l.engines.connect(address{})
	return l
}

// Close ends the connections to engines and removes the cgroups that only the pods used. No pod may be left.
func (l *Launcher) Close(ctx context.Context) {
	if err := l.parents.remove(ctx); err != nil {
		l.o.Log.WithError(err).Warn("Not every cgroup of the pods could be removed; the agent module or `dce reap` will do it.")
	}
	l.engines.close()
}

// Launch reads the task's configuration and starts its pod. It is an error where the configuration makes no sense; what else
// goes wrong is reported as the pod's status. Reading the compose files and everything slower happens in the pod's life.
func (l *Launcher) Launch(_ context.Context, task mesos.TaskInfo, session executor.Session, report func(pod.Status)) (executor.Task, error) {
	env := session.Environment
	cfg, err := config.Load(config.Input{
		Files: config.DefaultFiles(env.Sandbox), Environ: env.Variables, Labels: taskLabels(&task),
	})
	if err != nil {
		return nil, err
	}
	checks, err := health.OfTask(&task)
	if err != nil {
		return nil, err
	}
	id := identity(&task, env.Directory, session.AgentInfo.GetID().GetValue(), env.FrameworkID, env.ExecutorID, session.ContainerID)
	log := l.o.Log.WithFields(logrus.Fields{"task": task.TaskID.Value, "pod": id.PodID()})
	for _, note := range cfg.Notes() {
		log.Info(note)
	}
	kind, why := podKind(&cfg, auroraTask(&task), variables(env.Variables))
	cfg.Pod.Kind = string(kind)
	log.WithFields(logrus.Fields{"kind": kind, "because": why}).Info("The kind of the pod is decided.")
	files := filesOf(env.Sandbox, id.PodID(), l.launched.Add(1) == 1)
	reporting := newReport(id.PodID(), task.TaskID.Value, kind, why, files, log)
	memory := newMemory(files, log)
	order := &order{
		cfg: &cfg, task: &task, session: &session, checks: checks, id: id, variables: variables(env.Variables),
		score: spareExecutor(log), report: reporting, memory: memory, log: log,
	}
	runner := pod.Start(pod.Config{
		Rules: checked(pod.Rules{
			Kind:            kind,
			ReportUnhealthy: cfg.Monitor.Unhealthy == "report",
		}, &task, checks),
		ID: id.PodID(),
		Prepare: func(ctx context.Context) (pod.Ready, error) {
			return l.prepare(ctx, order)
		},
		Report:        lean(reporting.status(report)),
		Changed:       reporting.changed,
		LaunchTimeout: cfg.Launch.Timeout,
		LostTimeout:   cfg.Engine.LostTimeout,
		MaxCompletion: maxCompletion(&task),
		OutOfMemory:   memory.evidence,
		Log:           log,
	})
	go memory.closeAfter(runner.Done())
	return runner, nil
}

func loadPause() (io.Reader, container.Config) { return pause.Rootfs(), pause.Config() }

// variables makes a map of "KEY=value" strings; of several values the last wins, as in a process.
func variables(environ []string) map[string]string {
	out := make(map[string]string, len(environ))
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			out[k] = v
		}
	}
	return out
}
