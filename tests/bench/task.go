package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/resources"
	"github.com/sirupsen/logrus"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/tests/box"
)

// bencher has an agent, and an executor that is warm: it runs a first pod already, so that what follows is LAUNCH to
// TASK_RUNNING alone, without the start of a process.
type bencher struct {
	host     string
	gw       *engine.Docker
	checkout string
	agent    *localagent.Agent
	dir      string
	log      *lines
	warm     *localagent.Container
	n        int
}

// lines is the executor's log, with the time each line came.
type lines struct {
	mu  sync.Mutex
	all []line
	buf string
}

type line struct {
	at   time.Time
	text string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf += string(p)
	for {
		text, rest, ok := strings.Cut(l.buf, "\n")
		if !ok {
			return len(p), nil
		}
		l.all, l.buf = append(l.all, line{time.Now(), text}), rest
	}
}

// find returns when the first line with all of parts came.
func (l *lines) find(parts ...string) (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
next:
	for _, line := range l.all {
		for _, p := range parts {
			if !strings.Contains(line.text, p) {
				continue next
			}
		}
		return line.at, true
	}
	return time.Time{}, false
}

func compose(services int, command string) string {
	var b strings.Builder
	b.WriteString("services:\n")
	for i := range services {
		fmt.Fprintf(&b, "  s%d:\n    image: dce-test/busybox\n    command: %s\n    init: true\n", i, command)
	}
	return b.String()
}

const sleeping = `[sleep, "10000"]`

func (b *bencher) start() error {
	var err error
	if b.checkout, err = box.Checkout(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "dce-bench-"); err != nil {
		return err
	}
	cgroups, err := cgroup.Open(cgroup.Options{})
	if err != nil {
		return err
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	b.log = &lines{}
	b.agent, err = localagent.New(localagent.Options{
		WorkDir: b.dir, Cgroups: cgroups, CgroupsRoot: "dce-bench-" + uuid.NewString()[:8], Log: log, Stderr: b.log,
		Prepare: func(sandbox string) error {
			for name, content := range map[string]string{
				"s1.yml": compose(1, sleeping), "s3.yml": compose(3, sleeping), "s10.yml": compose(10, sleeping),
			} {
				if err := os.WriteFile(filepath.Join(sandbox, name), []byte(content), 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if err != nil {
		return err
	}
	b.warm, err = b.agent.Launch(b.task("warm", "s1.yml"))
	if err != nil {
		return err
	}
	_, err = b.await(context.Background(), "warm", mesos.TASK_RUNNING)
	return err
}

func (b *bencher) close() {
	if err := b.agent.Kill("warm", nil); err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		_ = b.warm.Wait(ctx)
		cancel()
	}
	_ = b.agent.Close()
	_ = os.RemoveAll(b.dir)
}

func (b *bencher) task(id, file string) mesos.TaskInfo {
	program := filepath.Join(b.checkout, "bin", "dce-executor")
	return mesos.TaskInfo{
		Name: id, TaskID: mesos.TaskID{Value: id},
		Resources: []mesos.Resource{resources.NewCPUs(2).Resource, resources.NewMemory(512).Resource},
		Labels:    &mesos.Labels{Labels: []mesos.Label{{Key: "fileName", Value: &file}}},
		Executor: &mesos.ExecutorInfo{
			ExecutorID: mesos.ExecutorID{Value: "bench"},
			Command: &mesos.CommandInfo{Value: &program, Shell: new(false), Arguments: []string{program},
				Environment: &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "DOCKER_HOST", Value: &b.host}}}},
		},
	}
}

func (b *bencher) await(ctx context.Context, task string, state mesos.TaskState) (localagent.Update, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	u, err := b.agent.Await(ctx, func(u localagent.Update) bool {
		return u.Status.TaskID.Value == task && (u.Status.GetState() == state || u.Terminal())
	})
	if err == nil && u.Status.GetState() != state {
		err = fmt.Errorf("%s instead of %s: %s", u.Status.GetState(), state, u.Status.GetMessage())
	}
	return u, err
}

// run launches a task in the warm executor and returns its id and the time from LAUNCH to TASK_RUNNING.
func (b *bencher) run(ctx context.Context, file string) (string, time.Duration, error) {
	b.n++
	id := fmt.Sprintf("t%d", b.n)
	begun := time.Now()
	if _, err := b.agent.Launch(b.task(id, file)); err != nil {
		return "", 0, err
	}
	u, err := b.await(ctx, id, mesos.TASK_RUNNING)
	return id, u.At.Sub(begun), err
}

// end kills a task, waits until its containers are removed, and returns the time from KILL to TASK_KILLED.
func (b *bencher) end(ctx context.Context, id string) (time.Duration, error) {
	begun := time.Now()
	if err := b.agent.Kill(id, nil); err != nil {
		return 0, err
	}
	u, err := b.await(ctx, id, mesos.TASK_KILLED)
	if err != nil {
		return 0, err
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		left, err := b.gw.List(ctx, "io.dce.task="+id)
		if err != nil || len(left) == 0 {
			return u.At.Sub(begun), err
		}
	}
	return 0, fmt.Errorf("the containers of task %s were not removed", id)
}
