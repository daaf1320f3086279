package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Config is what a pod is run with. The keys of the table name its fields.
type Config struct {
	Compose struct {
		Files    []string
		Profiles []string
		Visible  bool
	}
	Pod struct {
		Kind  string   // "service" or "job"
		Share []string // of "net", "ipc", "pid"
	}
	Restart struct{ Policy string } // "honour" or "ignore"
	Network struct {
		Mode     string // "pod", "compose", "host", "none" or the name of a network
		Routable bool   // that network is reached from other hosts
	}
	Ports   struct{ AllowStatic bool }
	Limits  struct{ Check, Unbound string } // each "fail" or "warn"
	QoS     string                          // QoSAuto or one of qos.Classes
	CPU     struct{ CFSQuota bool }         // the pod's is the task's CPUs
	Pids    struct{ Limit uint64 }          // of the pod, 0 for none
	Cgroup  struct{ UseHierarchy string }   // "enforce", "require", "warn" or "off"
	Image   struct{ Pull string }           // "missing", "always" or "never"
	Launch  struct{ Timeout time.Duration } // 0 for none
	Stop    struct{ Grace time.Duration }
	Monitor struct{ Unhealthy string } // "fail" or "report"
	Health  struct{ Service string }   // empty where it is to be found
	Engine  struct {
		Host        string // empty for the usual one
		LostTimeout time.Duration
	}
	Log struct {
		Level  string // "error" … "trace", as logrus names them
		Format string // "text" or "json"
	}

	sources map[string]Source
	notes   []string
}

// Layer is where a value may come from.
type Layer string

// The layers, each over the ones before it.
const (
	LayerDefault Layer = "default"
	LayerFile    Layer = "file"
	LayerEnv     Layer = "environment"
	LayerLabel   Layer = "label"
)

// Source says where a value came from.
type Source struct {
	Layer Layer
	Name  string // "/etc/dce/dce.yaml:3", "DCE_POD_KIND", "dce.pod.kind"; empty for a default
}

func (s Source) String() string {
	switch s.Layer {
	case LayerDefault:
		return "default"
	case LayerLabel:
		return "label " + s.Name
	default:
		return s.Name
	}
}

// Source says where the value of a key came from. A key that does not exist is a mistake of the program.
func (c *Config) Source(key string) Source {
	if _, ok := find(key); !ok {
		panic("config: no key " + key)
	}
	if s, ok := c.sources[key]; ok {
		return s
	}
	return Source{Layer: LayerDefault}
}

// Value is the value of a key as a user would write it; like Source it wants a key that exists.
func (c *Config) Value(key string) string {
	k, ok := find(key)
	if !ok {
		panic("config: no key " + key)
	}
	switch v := k.field(c).(type) {
	case *string:
		return *v
	case *bool:
		return strconv.FormatBool(*v)
	case *time.Duration:
		return v.String()
	case *uint64:
		return strconv.FormatUint(*v, 10)
	case *[]string:
		return strings.Join(*v, ",")
	}
	panic(fmt.Sprintf("config: %s has a field of unknown type", key))
}

// Notes are sentences about settings that were accepted but change nothing, for the log.
func (c *Config) Notes() []string { return c.notes }
