package core

import "encoding/json"

// message is a message of Mesos in JSON, with the names of its .proto, as the module hands it on. Versions of Mesos differ: what
// is not known here is passed over. An infinite number is null there, as JSON has none.
type message[T any] struct{ is T }

func (m *message[T]) UnmarshalJSON(text []byte) error { return json.Unmarshal(text, &m.is) }

// containerConfig is mesos.slave.ContainerConfig (include/mesos/slave/containerizer.proto), as far as it is used.
type containerConfig struct {
	Directory string `json:"directory"`
	User      string `json:"user"`
	Executor  struct {
		executorIDs
		Labels struct {
			Labels []struct {
				Key   string `json:"key"`
				Value string `json:"value"`
			} `json:"labels"`
		} `json:"labels"`
	} `json:"executor_info"`
	Command   commandInfo       `json:"command_info"`
	Resources []resource        `json:"resources"`
	Limits    map[string]scalar `json:"limits"`
}

// containerState is mesos.slave.ContainerState, of the same file.
type containerState struct {
	ContainerID identifier  `json:"container_id"`
	Executor    executorIDs `json:"executor_info"`
	PID         int         `json:"pid"`
	Directory   string      `json:"directory"`
}

// executorIDs are the identifiers of mesos.ExecutorInfo (include/mesos/mesos.proto).
type executorIDs struct {
	ExecutorID  identifier `json:"executor_id"`
	FrameworkID identifier `json:"framework_id"`
}

type identifier struct {
	Value string `json:"value"`
}

type commandInfo struct {
	Value     string   `json:"value"`
	Shell     bool     `json:"shell"`
	Arguments []string `json:"arguments"`
}

type resource struct {
	Name   string `json:"name"`
	Scalar scalar `json:"scalar"`
}

type scalar struct {
	Value *float64 `json:"value"` // nil: infinite
}

// resources are cpus and memory. nil is not given, -1 is "no limit".
type resources struct {
	CPUs     *float64
	MemBytes *int64
}

// maxMegabytes is more memory than there is; what claims more is taken for no limit.
const maxMegabytes = 1 << 40

// set takes a value in the unit of Mesos: cpus, and megabytes of mem.
func (r *resources) set(name string, value *float64) {
	unlimited := -1.0
	if value == nil {
		value = &unlimited
	}
	switch name {
	case "cpus":
		r.CPUs = value
	case "mem":
		bytes := int64(-1)
		if *value >= 0 && *value < maxMegabytes {
			bytes = int64(*value * (1 << 20))
		}
		r.MemBytes = &bytes
	}
}

// requests are the sum of the resources: there may be several of a name, of different roles.
func (c containerConfig) requests() (out resources) {
	sums := map[string]float64{}
	for _, one := range c.Resources {
		if one.Scalar.Value != nil {
			sums[one.Name] += *one.Scalar.Value
		}
	}
	for name, sum := range sums {
		out.set(name, &sum)
	}
	return out
}

// limits differ from the requests from Mesos 1.10 on, and then only where they are given.
func (c containerConfig) limits() (out resources) {
	for name, limit := range c.Limits {
		out.set(name, limit.Value)
	}
	return out
}
