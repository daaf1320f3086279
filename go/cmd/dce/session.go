package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/config"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/localagent"
)

const (
	exitPatience = 5 * time.Second // for the executor to end by itself after its task
	refresh      = time.Second     // of the times on a terminal
)

// session is one `dce run`.
type session struct {
	flags  runFlags
	order  order
	screen *screen
	board  *board
	tree   tree
	host   *cgroup.Host
	engine *engine.Docker
	slices bool // the engine puts pods into slices of systemd
	agent  *localagent.Agent

	container *localagent.Container
	release   func() error // of the claim
	ports     []io.Closer  // claims
	said      tail         // the executor's log
	kills     int          // how often the user asked for the end
}

// run is the whole command.
func run(ctx context.Context, f runFlags, sc *screen, signals <-chan os.Signal) error {
	s := &session{flags: f, screen: sc, said: tail{keep: 10}}
	docker, err := s.check(ctx)
	if err != nil {
		return err
	}
	defer docker.Close()
	return s.run(ctx, signals)
}

// check finds out all that can be wrong before anything is made.
func (s *session) check(ctx context.Context) (docker *engine.Docker, err error) {
	f := s.flags
	defer func() {
		if err != nil {
			s.releasePorts()
		}
	}()
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	p, err := findProject(cwd, f.files)
	if err != nil {
		return nil, err
	}
	if err := s.plan(ctx, p); err != nil {
		return nil, err
	}
	cfg, err := s.settings(p)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if s.order.executor, err = findExecutor(f.executor, self, exec.LookPath); err != nil {
		return nil, err
	}
	if s.host, err = cgroup.Open(cgroup.Options{}); err != nil {
		return nil, err
	}
	if err := writable(s.host); err != nil {
		return nil, err
	}
	docker, err = engine.Connect(ctx, engine.ConnectOptions{Host: cfg.Engine.Host, HostFrom: cfg.Source("engine.host").String()})
	if err != nil {
		return nil, err
	}
	info, err := docker.Info(ctx)
	if err == nil {
		s.order.env, err = executorEnv(os.Environ(), f.env, docker.Host())
	}
	if err != nil {
		docker.Close()
		return nil, err
	}
	s.engine, s.slices = docker, info.CgroupDriver == cgroup.DriverSystemd
	return docker, nil
}

// settings are those that the executor will find, from the same places. What is wrong with them is said of the user's own
// files, and the engine that they name is the one to look at and to clean up.
func (s *session) settings(p project) (config.Config, error) {
	env, err := executorEnv(os.Environ(), s.flags.env, "")
	if err != nil {
		return config.Config{}, err
	}
	var environ []string
	for _, name := range sorted(env) {
		environ = append(environ, name+"="+env[name])
	}
	cfg, err := config.Load(config.Input{Files: config.DefaultFiles(p.dir), Environ: environ, Labels: s.order.labels})
	if err != nil {
		return cfg, badInput("%w", err)
	}
	return cfg, nil
}

// plan makes the order of the flags and looks at the files.
func (s *session) plan(ctx context.Context, p project) (err error) {
	f, o := s.flags, &s.order
	if !(f.cpus > 0 && f.cpus <= 1024) { // NaN is neither
		return badInput("--cpus %v is no number of CPUs; give one above 0 and up to 1024", f.cpus)
	}
	if o.cpus = f.cpus; f.timeout < 0 {
		return badInput("--timeout %v is before the start; give a time such as 10m", f.timeout)
	}
	if o.memory, err = size("mem", f.mem); err != nil {
		return err
	}
	if o.memory < 32<<20 {
		return badInput("--mem %s is less than the 32m that Mesos gives at least; give more", f.mem)
	}
	if o.labels, err = taskLabels(f, p); err != nil {
		return err
	}
	if o.name, err = taskName(f.name, p.dir); err != nil {
		return err
	}
	o.id = o.name + "." + uuid.NewString()[:8]
	if !filepath.IsAbs(f.workDir) {
		return badInput("--work-dir %s is not an absolute path; give one such as /var/lib/dce/local", f.workDir)
	}
	limit, err := size("copy-limit", f.copyLimit)
	if err != nil {
		return err
	}
	if s.tree, err = scan(p.dir, limit); err != nil {
		return err
	}
	if f.ports != "" {
		o.ports, err = parsePorts(f.ports)
		return err
	}
	o.ports, s.ports, err = freePorts(ctx, claimPort)
	return err
}

// run starts agent and task, follows them to their end, and removes what they leave, whatever happens.
func (s *session) run(ctx context.Context, signals <-chan os.Signal) (err error) {
	defer s.releasePorts()
	output := &lines{each: s.screen.output}
	log := &lines{each: func(line []byte) {
		s.said.add(line)
		if s.flags.verbose {
			s.screen.print(s.screen.err, line)
		}
	}}
	quiet := logrus.New()
	quiet.SetOutput(log)
	killing, partitions := mesos.FrameworkInfo_Capability_TASK_KILLING_STATE, mesos.FrameworkInfo_Capability_PARTITION_AWARE
	s.agent, err = localagent.New(localagent.Options{
		WorkDir: s.flags.workDir, Cgroups: s.host, EnableCFS: true, Slices: s.slices, Log: quiet, Stdout: output, Stderr: log,
		Framework: mesos.FrameworkInfo{Name: "dce run", User: "root",
			Capabilities: []mesos.FrameworkInfo_Capability{{Type: killing}, {Type: partitions}}},
		Prepare: func(sandbox string) error {
			if err := s.tree.copyTo(sandbox); err != nil {
				return elsewhere(err)
			}
			return nil
		},
	})
	if err != nil {
		return elsewhere(err)
	}
	s.release, err = claim{Engine: s.engine.Host(), Keep: s.flags.keep}.write(s.agentDir())
	if err != nil {
		return errors.Join(elsewhere(err), s.agent.Close())
	}
	defer func() {
		output.flush()
		s.screen.show(nil)
		// What ended ctx must not keep the clean-up from its work.
		err = errors.Join(err, s.cleanUp(context.WithoutCancel(ctx), signals))
	}()
	s.sweepDead(ctx)
	for _, path := range s.tree.skipped {
		s.screen.note("%s is neither file, directory nor link, and is not copied into the sandbox", path)
	}
	s.board = newBoard(s.order.id, time.Now())
	if s.container, err = s.agent.Launch(s.order.task()); err != nil {
		return err
	}
	if s.flags.keep {
		s.screen.note("sandbox: %s", s.container.Sandbox)
	}
	last, err := s.follow(ctx, signals)
	if err != nil {
		return err
	}
	return s.verdict(last)
}

func (s *session) releasePorts() {
	for _, claim := range s.ports {
		claim.Close()
	}
	s.ports = nil
}

// follow shows what happens until the task has ended, and then until its executor has.
func (s *session) follow(ctx context.Context, signals <-chan os.Signal) (last localagent.Update, err error) {
	ctx, cancel := context.WithCancel(ctx)
	sights := make(chan sight)
	var group errgroup.Group
	defer func() {
		cancel()
		err = errors.Join(err, group.Wait())
	}()
	group.Go(func() error {
		follow(ctx, s.engine, labels.Container+"="+s.container.ID, func(one sight) {
			select {
			case sights <- one:
			case <-ctx.Done():
			}
		})
		return nil
	})
	var timeout, tick, patience <-chan time.Time
	if s.flags.timeout > 0 {
		timeout = time.After(s.flags.timeout)
	}
	updates := s.agent.Updates(ctx)
	for {
		if s.screen.live() {
			s.screen.show(s.board.lines(time.Now()))
			tick = time.After(refresh)
		}
		select {
		case u := <-updates:
			s.update(ctx, u)
			if u.Terminal() && !last.Terminal() {
				last = u
				patience = time.After(exitPatience)
			}
		case one := <-sights:
			s.see(one)
		case <-signals:
			if err := s.interrupt(); err != nil {
				return last, err
			}
		case <-s.screen.gone:
			s.screen.note("nobody reads the output any more, the task is killed")
			if err := s.interrupt(); err != nil {
				return last, err
			}
		case <-timeout:
			s.screen.note("the time of --timeout %v is over, the task is killed", s.flags.timeout)
			if err := s.interrupt(); err != nil {
				return last, err
			}
		case <-patience:
			// It may be gone just now.
			_ = s.agent.Shutdown(s.order.task().Executor.ExecutorID.Value)
		case <-s.container.Gone():
			if !last.Terminal() {
				last, err = s.agent.Await(ctx, localagent.Update.Terminal)
				s.update(ctx, last)
			}
			return last, err
		case <-tick:
		case <-ctx.Done():
			return last, ctx.Err()
		}
	}
}

// update shows a status, and where the pod is reached once it runs.
func (s *session) update(ctx context.Context, u localagent.Update) {
	running := s.board.state == "running"
	line := s.board.update(u.Status, u.At)
	if !s.screen.live() || u.Terminal() {
		s.screen.note("%s", line)
	}
	if u.Status.GetState() != mesos.TASK_RUNNING || running {
		return
	}
	list, err := s.engine.List(ctx, labels.Container+"="+s.container.ID)
	if err != nil {
		s.screen.note("where the pod is reached can't be told: %v", err)
	}
	for _, where := range reach(list) {
		s.screen.note("%s", where)
	}
}

func (s *session) see(one sight) {
	var line string
	if one.event != nil {
		line = s.board.event(*one.event)
	} else {
		line = s.board.seen(*one.container, time.Now())
	}
	if line != "" && !s.screen.live() {
		s.screen.note("%s", line)
	}
}

// interrupt ends the task: with its own grace, then with none, then by force.
func (s *session) interrupt() error {
	s.kills++
	switch s.kills {
	case 1:
		s.screen.note("killing %s; press Ctrl-C again to leave its services no time", s.order.id)
		return s.agent.Kill(s.order.id, nil)
	case 2:
		s.screen.note("killing %s without grace; press Ctrl-C again to kill everything at once", s.order.id)
		none := time.Duration(0)
		return s.agent.Kill(s.order.id, &none)
	}
	// It may be gone just now.
	_ = s.agent.Destroy(s.order.task().Executor.ExecutorID.Value)
	return nil
}

// verdict turns the last update into the end of the command.
func (s *session) verdict(last localagent.Update) error {
	status := last.Status
	switch {
	case status.GetState() == mesos.TASK_FINISHED, s.kills > 0 && status.GetState() == mesos.TASK_KILLED:
		return nil
	case status.GetReason() == mesos.REASON_TASK_INVALID:
		return badInput("%s", firstLine(status.GetMessage()))
	case s.kills > 2:
		return nil // everything was killed on request
	}
	if status.GetReason() == mesos.REASON_EXECUTOR_TERMINATED {
		for _, line := range s.said.all() {
			s.screen.note("%s", line)
		}
		return fmt.Errorf("%s ended before its task did (%s); what it said last is above", filepath.Base(s.order.executor), s.container.ExitStatus())
	}
	return fmt.Errorf("%s %s: %s (%s)", s.order.id, s.board.state, told(status), status.GetReason())
}

// writable says early and with the way out what would else be the end of the task.
func writable(host *cgroup.Host) error {
	for _, name := range []string{"cpu", "memory"} {
		hi, err := host.Hierarchy(name)
		if err != nil {
			return err
		}
		if err := unix.Access(hi.Dir, unix.W_OK); err != nil {
			return fmt.Errorf("dce run makes a cgroup for the task, and may not in %s (%w); run it as root (sudo dce run) and where that is not read-only", hi.Dir, err)
		}
	}
	return nil
}

// elsewhere says what to do where something can't be made.
func elsewhere(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; run dce as root, or name another place with --work-dir", err)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w; free some space, or name another place with --work-dir", err)
	}
	return fmt.Errorf("%w; name another place with --work-dir", err)
}
