package localagent

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// Launch gives a task to the executor that it names, which is started first unless it runs already. An executor that
// can't be started is no error here: its tasks fail, as with a real agent. The agent id is filled in.
// Follows src/slave/slave.cpp, run, __run and launchExecutor.
func (a *Agent) Launch(info mesos.TaskInfo) (*Container, error) {
	if info.Executor == nil {
		return nil, fmt.Errorf("task %q names no executor, and the local agent has none of its own", info.TaskID.Value)
	}
	info.AgentID = mesos.AgentID{Value: a.options.AgentID}
	return a.launch(*info.Executor, []mesos.TaskInfo{info}, func(tasks []mesos.TaskInfo) *executor.Event {
		return &executor.Event{Type: executor.Event_LAUNCH, Launch: &executor.Event_Launch{Task: tasks[0]}}
	})
}

// LaunchGroup gives several tasks to one executor that start and die together.
// Follows src/slave/slave.cpp, runTaskGroup.
func (a *Agent) LaunchGroup(by mesos.ExecutorInfo, group mesos.TaskGroupInfo) (*Container, error) {
	if len(group.Tasks) == 0 {
		return nil, errors.New("the task group has no tasks")
	}
	tasks := make([]mesos.TaskInfo, len(group.Tasks))
	for i, info := range group.Tasks {
		info.AgentID = mesos.AgentID{Value: a.options.AgentID}
		tasks[i] = info
	}
	return a.launch(by, tasks, func(tasks []mesos.TaskInfo) *executor.Event {
		return &executor.Event{Type: executor.Event_LAUNCH_GROUP,
			LaunchGroup: &executor.Event_LaunchGroup{TaskGroup: mesos.TaskGroupInfo{Tasks: tasks}}}
	})
}

func (a *Agent) launch(by mesos.ExecutorInfo, infos []mesos.TaskInfo, event func([]mesos.TaskInfo) *executor.Event) (*Container, error) {
	if err := checkID("executor", by.ExecutorID.Value); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closing:
		return nil, errClosed
	case a.state != serving:
		return nil, errors.New("the local agent is down or recovering and takes no tasks")
	}
	d := delivery{event: event(infos)}
	for _, info := range infos {
		if err := checkID("task", info.TaskID.Value); err != nil {
			return nil, err
		}
		if e, _ := a.taskRun(info.TaskID.Value); e != nil {
			return nil, fmt.Errorf("task %q is already there", info.TaskID.Value)
		}
		d.tasks = append(d.tasks, newTask(info))
	}
	e := a.executors[by.ExecutorID.Value]
	if e != nil && e.state >= terminating {
		return nil, fmt.Errorf("executor %q is terminating; wait until it is gone", by.ExecutorID.Value)
	}
	if e == nil {
		var err error
		if e, err = a.newRun(by); err != nil {
			return nil, err
		}
		defer a.startRun(e) // with the tasks queued
	}
	for _, t := range d.tasks {
		e.tasks[t.info.TaskID.Value] = t
		e.order = append(e.order, t.info.TaskID.Value)
	}
	e.queue = append(e.queue, d)
	if e.state == running {
		a.deliver(e)
	}
	return e.container, nil
}

func (a *Agent) newRun(info mesos.ExecutorInfo) (*run, error) {
	info.FrameworkID = a.options.Framework.ID
	id := uuid.NewString()
	sandbox, err := a.makeSandbox(info.ExecutorID.Value, id)
	if err != nil {
		return nil, err
	}
	e := &run{info: info, tasks: map[string]*task{}, container: &Container{
		ID: id, Sandbox: sandbox, Cgroup: a.cgroupPath(id), info: info,
		exited: make(chan struct{}), gone: make(chan struct{}), destroying: make(chan struct{}), silent: make(chan struct{}),
	}}
	a.executors[info.ExecutorID.Value] = e
	return e, nil
}

// startRun starts the executor; what goes wrong becomes the end of its tasks.
// Follows src/slave/slave.cpp, launchExecutor, executorLaunched and registerExecutorTimeout.
func (a *Agent) startRun(e *run) {
	c := e.container
	err := a.prepare(e)
	if err == nil {
		err = a.start(e)
	}
	if err != nil {
		a.options.Log.WithError(err).WithField("container", c.ID).Error("The executor could not be started")
		e.pending = &termination{mesos.TASK_FAILED, mesos.REASON_CONTAINER_LAUNCH_FAILED, "Failed to launch container: " + err.Error()}
	}
	a.supervise(e)
	wait := a.options.RegistrationTimeout
	e.timers = append(e.timers, a.after(wait, func() {
		if e.state != registering {
			return
		}
		e.state = terminating
		e.pending = &termination{mesos.TASK_FAILED, mesos.REASON_EXECUTOR_REGISTRATION_TIMEOUT,
			"Executor did not register within " + formatDuration(wait)}
		a.terminate(c, nil)
	}))
}

func (a *Agent) prepare(e *run) error {
	if fill := a.options.Prepare; fill != nil {
		if err := fill(e.container.Sandbox); err != nil {
			return err
		}
	}
	return nil
}

// grow raises the container's limits to what executor and tasks are given together.
// Follows src/slave/slave.cpp, Executor::allocatedResources, and containerizer.cpp, update.
func (a *Agent) grow(e *run) error {
	lists := [][]mesos.Resource{e.info.Resources}
	for _, t := range e.active(queued, launched) {
		lists = append(lists, t.info.Resources)
	}
	cpus, memory := demand(lists...)
	return a.limit(e.container, cpus, memory)
}

// deliver sends what is queued. Follows src/slave/slave.cpp, ___run.
func (a *Agent) deliver(e *run) {
	if err := a.grow(e); err != nil {
		e.pending = &termination{mesos.TASK_GONE, mesos.REASON_CONTAINER_UPDATE_FAILED,
			"Failed to update resources for container: " + err.Error()}
		a.terminate(e.container, nil)
		return
	}
	queue := e.queue
	e.queue = nil
	for _, d := range queue {
		if d.tasks[0].phase != queued {
			continue // killed meanwhile, and with it its group
		}
		for _, t := range d.tasks {
			t.phase = launched
		}
		a.send(e, d.event)
	}
}
