package engine

import (
	"fmt"
	"strings"
)

// OpKind is what an operation does. But for OpWait each is exactly one call of a Gateway.
type OpKind string

// The kinds of operations, in the order in which a plan lists them.
const (
	OpPull          OpKind = "pull"           // Gateway.Pull
	OpLoad          OpKind = "load"           // Gateway.Load, for the infra container's image
	OpInspect       OpKind = "inspect"        // Gateway.Image, for an image that was not there when the plan was made
	OpCreateNetwork OpKind = "create network" // Gateway.CreateNetwork
	OpCreateVolume  OpKind = "create volume"  // Gateway.CreateVolume
	OpRemove        OpKind = "remove"         // Gateway.Remove of a container from an earlier attempt
	OpCreate        OpKind = "create"         // Gateway.Create
	OpCopy          OpKind = "copy"           // Gateway.Copy
	OpStart         OpKind = "start"          // Gateway.Start
	OpWait          OpKind = "wait"           // for a condition; nothing is asked of the engine, its events tell
)

// Op is one operation of a plan. Only the fields of its kind are set.
type Op struct {
	ID        int
	Kind      OpKind
	Cause     string // why it is there, for people
	Needs     []Need // what must be done before; all have a smaller ID
	Image     string
	Platform  string
	Network   *NetworkSpec
	Volume    *VolumeSpec
	Container *ContainerSpec // for everything that is done to one container
	Remains   string         // for OpRemove: the id of what is left of an earlier attempt
	Condition Condition      // for OpWait: Healthy or Completed
}

// Need is an operation that must be done before another. Where it is Optional, the other goes ahead when it fails.
type Need struct {
	Op       *Op
	Optional bool
}

// Plan is a DAG of operations in a fixed topological order: every operation stands behind what it needs.
type Plan struct {
	Ops     []*Op
	adopted map[string]string // ids of containers that are there already, by name
}

// target is what an operation is about.
func (o *Op) target() string {
	switch o.Kind {
	case OpPull, OpLoad, OpInspect:
		return o.Image
	case OpCreateNetwork:
		return o.Network.Name
	case OpCreateVolume:
		return o.Volume.Options.Name
	case OpWait:
		return o.Container.Name + " " + string(o.Condition)
	default:
		return o.Container.Name
	}
}

// String is one line an operation: "#5 start p-web-1 [3 4?] because web depends on …". In brackets are the operations that
// it needs; those with a question mark may fail.
func (o *Op) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#%d %s %s", o.ID, o.Kind, o.target())
	for i, n := range o.Needs {
		b.WriteString(map[bool]string{true: " [", false: " "}[i == 0])
		fmt.Fprintf(&b, "%d", n.Op.ID)
		if n.Optional {
			b.WriteByte('?')
		}
	}
	if len(o.Needs) > 0 {
		b.WriteByte(']')
	}
	fmt.Fprintf(&b, " because %s", o.Cause)
	return b.String()
}

// String is the whole plan, for people and for tests.
func (p *Plan) String() string {
	var b strings.Builder
	for _, o := range p.Ops {
		b.WriteString(o.String())
		b.WriteByte('\n')
	}
	return b.String()
}

func (p *Plan) add(o Op) *Op {
	o.ID = len(p.Ops) + 1
	p.Ops = append(p.Ops, &o)
	return &o
}
