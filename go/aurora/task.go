package aurora

import (
	"errors"
	"fmt"
)

// Task is what matters to us of an AssignedTask.
type Task struct {
	ID       string            // the Mesos task id
	Instance int32             // number of the instance within its job
	Ports    map[string]uint16 // host ports that were assigned, by name
	Service  *bool             // isService of the job: it is to run for ever; nil where the data does not say
	Job      Job
	Tier     string   // as named in Aurora's tiers.json, empty for its default
	Executor Executor // what the job's definition has for the executor
}

// Job names the job that the task is an instance of.
type Job struct {
	Role, Environment, Name string
}

// Executor is ExecutorConfig.
type Executor struct {
	Name string
	Data string // as the user wrote it
}

// Field ids of Aurora's API (apache/aurora, api/src/main/thrift/org/apache/aurora/gen/api.thrift).
const (
	assignedTaskID     = 1 // struct AssignedTask
	assignedTaskConfig = 4
	assignedPorts      = 5
	assignedInstance   = 6

	configService  = 7 // struct TaskConfig
	configExecutor = 25
	configJob      = 28
	configTier     = 30

	executorName = 1 // struct ExecutorConfig
	executorData = 2

	jobRole        = 1 // struct JobKey
	jobEnvironment = 2
	jobName        = 3
)

// Decode reads an AssignedTask. Data that is none, be it something else or cut short, is an error; so is an AssignedTask
// without an id or a configuration. Fields that are not known are skipped, as Thrift demands.
func Decode(data []byte) (*Task, error) {
	r := &reader{data: data}
	t := &Task{Ports: map[string]uint16{}}
	configured := false
	r.structure(func(f field) bool {
		switch f {
		case field{assignedTaskID, typeString}:
			t.ID = r.text()
		case field{assignedTaskConfig, typeStruct}:
			configured = true
			r.structure(t.config(r))
		case field{assignedPorts, typeMap}:
			t.ports(r)
		case field{assignedInstance, typeI32}:
			t.Instance = r.i32()
		default:
			return false
		}
		return true
	})
	switch {
	case r.err != nil:
		return nil, fmt.Errorf("the data of the task is no AssignedTask of Aurora: %w", r.err)
	case len(r.data) > 0:
		return nil, fmt.Errorf("the data of the task is no AssignedTask of Aurora: %d bytes follow its end", len(r.data))
	case t.ID == "" || !configured:
		return nil, errors.New("the data of the task is no AssignedTask of Aurora: it has no task id, or no configuration")
	}
	return t, nil
}

func (t *Task) config(r *reader) func(field) bool {
	return func(f field) bool {
		switch f {
		case field{configService, typeBool}:
			t.Service = new(r.byte() != 0)
		case field{configTier, typeString}:
			t.Tier = r.text()
		case field{configExecutor, typeStruct}:
			r.structure(r.texts(map[int16]*string{executorName: &t.Executor.Name, executorData: &t.Executor.Data}))
		case field{configJob, typeStruct}:
			r.structure(r.texts(map[int16]*string{jobRole: &t.Job.Role, jobEnvironment: &t.Job.Environment, jobName: &t.Job.Name}))
		default:
			return false
		}
		return true
	}
}

// ports reads map<string, i32>; a map of other types is skipped like a field that is not known.
func (t *Task) ports(r *reader) {
	key, value, n := r.mapHeader()
	for ; n > 0 && r.err == nil; n-- {
		if key != typeString || value != typeI32 {
			r.skip(key)
			r.skip(value)
			continue
		}
		name, port := r.text(), r.i32()
		if r.err == nil && name != "" && port > 0 && port <= 65535 {
			t.Ports[name] = uint16(port)
		}
	}
}
