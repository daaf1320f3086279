package launch

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/compose"
	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/executor"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/pause"
	"github.com/dce-go/dce/go/pod"
	"github.com/dce-go/dce/go/podlog"
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

	mu   sync.Mutex
	open map[string]*connecting // engines by configured host
}

// connecting is an engine that is being connected to, so that several tasks share one connection.
type connecting struct {
	done   chan struct{}
	engine *engine.Docker
	info   engine.Info
	err    error
}

// New returns a launcher and begins to connect to the usual engine, which then answers by the time a task comes.
func New(o Options) *Launcher {
	l := &Launcher{o: o, open: map[string]*connecting{}}
	l.connect("")
	return l
}

// Close ends the connections to engines and removes the cgroups that only the pods used. No pod may be left.
func (l *Launcher) Close(ctx context.Context) {
	if err := l.parents.remove(ctx); err != nil {
		l.o.Log.WithError(err).Warn("Not every cgroup of the pods could be removed; the agent module or `dce reap` will do it.")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.open {
		<-c.done
		if c.err == nil {
			_ = c.engine.Close()
		}
	}
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
	id := identity(&task, env.Directory, session.AgentInfo.GetID().GetValue(), env.FrameworkID, env.ExecutorID, session.ContainerID)
	log := l.o.Log.WithFields(logrus.Fields{"task": task.TaskID.Value, "pod": id.PodID()})
	for _, note := range cfg.Notes() {
		log.Info(note)
	}
	return pod.Start(pod.Config{
		Rules: pod.Rules{
			Kind:            pod.Kind(cfg.Pod.Kind),
			ReportUnhealthy: cfg.Monitor.Unhealthy == "report",
		},
		ID:            id.PodID(),
		Prepare:       func(ctx context.Context) (pod.Ready, error) { return l.prepare(ctx, &cfg, &task, env, id, log) },
		Report:        lean(report),
		LaunchTimeout: cfg.Launch.Timeout,
		LostTimeout:   cfg.Engine.LostTimeout,
		Log:           log,
	}), nil
}

// prepare makes of the task's files what is to be brought up.
func (l *Launcher) prepare(ctx context.Context, cfg *config.Config, task *mesos.TaskInfo, env executor.Environment, id labels.Identity, log logrus.FieldLogger) (pod.Ready, error) {
	docker, info, err := l.wait(ctx, cfg.Engine.Host)
	if err != nil {
		return pod.Ready{}, err
	}
	vars := variables(env.Variables)
	parent, err := l.parents.take(vars[ParentVar], info.CgroupDriver, id.Container)
	if err != nil {
		return pod.Ready{}, err
	}
	spec, _, warnings, err := compose.Build(ctx, compose.Source{
		Dir: env.Sandbox, Files: cfg.Compose.Files, Profiles: cfg.Compose.Profiles, Env: vars,
	}, compose.Target{
		Identity: id, Version: l.o.Version, CgroupParent: parent, PauseImage: pause.Image(),
		NetworkMode: cfg.Network.Mode, Share: cfg.Pod.Share,
		Offered: offeredPorts(task), Named: namedPorts(task), AllowStaticPorts: cfg.Ports.AllowStatic,
		Visible: cfg.Compose.Visible, Kind: cfg.Pod.Kind, Sandbox: env.Directory,
	})
	if err != nil {
		return pod.Ready{}, err
	}
	for _, w := range warnings {
		log.Warn(w)
	}
	logs := podlog.New(docker, env.Sandbox, l.o.Stdout, log)
	up := &engine.Pod{Gateway: docker, Pause: loadPause, Log: log}
	return pod.Ready{Spec: defaults(spec, cfg), Engine: up, Logs: logs}, nil
}

// defaults fills in what neither the file nor the task says.
func defaults(spec engine.PodSpec, cfg *config.Config) engine.PodSpec {
	for i := range spec.Services {
		c := &spec.Services[i]
		if c.Grace < 0 {
			c.Grace = cfg.Stop.Grace
		}
		if c.Pull == "" {
			c.Pull = engine.PullPolicy(cfg.Image.Pull)
		}
	}
	return spec
}

func loadPause() (io.Reader, container.Config) { return pause.Rootfs(), pause.Config() }

func (l *Launcher) connect(host string) *connecting {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c, ok := l.open[host]; ok {
		return c
	}
	c := &connecting{done: make(chan struct{})}
	l.open[host] = c
	go func() {
		defer close(c.done)
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		defer cancel()
		if c.engine, c.err = engine.Connect(ctx, engine.ConnectOptions{Host: host}); c.err == nil {
			c.info, c.err = c.engine.Info(ctx)
		}
	}()
	return c
}

// connectTimeout bounds the first word of an engine. dockerd may be starting, so a failure is tried again for the next task.
const connectTimeout = 30 * time.Second

func (l *Launcher) wait(ctx context.Context, host string) (*engine.Docker, engine.Info, error) {
	c := l.connect(host)
	select {
	case <-c.done:
	case <-ctx.Done():
		return nil, engine.Info{}, fmt.Errorf("gave up connecting to the Docker engine: %w", ctx.Err())
	}
	if c.err != nil {
		l.mu.Lock()
		if l.open[host] == c {
			delete(l.open, host)
		}
		l.mu.Unlock()
	}
	return c.engine, c.info, c.err
}

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
