package core

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/dce-go/dce/go/oom"
	"github.com/dce-go/dce/go/reaper"
)

// operations are those of dcecore.h.
var operations map[string]func(c *Core, ctx context.Context, input []byte) (any, error)

func init() {
	operations = map[string]func(c *Core, ctx context.Context, input []byte) (any, error){
		"attach": with((*Core).attach), "hook.removed": with((*Core).removed), "recover": with((*Core).recover),
		"prepare": with((*Core).prepare), "update": with((*Core).update), "usage": with((*Core).usage),
		"attribute": with((*Core).attribute), "cleanup": with((*Core).cleanup), "reconcile": with((*Core).reconcile),
		"metrics": with(func(c *Core, _ context.Context, _ nothing) (any, error) { return c.snapshot(), nil }),
	}
}

// with reads the input of an operation.
func with[In interface{ check() error }](do func(*Core, context.Context, In) (any, error)) func(*Core, context.Context, []byte) (any, error) {
	return func(c *Core, ctx context.Context, text []byte) (any, error) {
		in, err := read[In](text)
		if err != nil {
			return nil, err
		}
		return do(c, ctx, in)
	}
}

func read[In interface{ check() error }](text []byte) (in In, err error) {
	// An ID or a command that is no UTF-8 is the framework's fault, and no reason not to know its container.
	if err := decode(bytes.ToValidUTF8(text, []byte("\uFFFD")), &in); err != nil {
		return in, failure(Invalid, "the input can't be read: %w", err)
	}
	return in, in.check()
}

type nothing struct{}

func (nothing) check() error { return nil }

func needed(values ...string) error {
	for i := 0; i < len(values); i += 2 {
		if values[i+1] == "" {
			return failure(Invalid, "the input lacks %s", values[i])
		}
	}
	return nil
}

type attachInput struct {
	Module string `json:"module"`
}

func (in attachInput) kind() string { return strings.ToLower(in.Module) }

func (in attachInput) check() error {
	if in.kind() != "hook" && in.kind() != "isolator" {
		return failure(Invalid, "the module %q is neither Hook nor Isolator", in.Module)
	}
	return nil
}

func (c *Core) attach(_ context.Context, in attachInput) (any, error) {
	trusted := time.Now().Add(max(c.grace, time.Second))
	c.census.attach(in.kind(), trusted)
	if in.kind() == "hook" {
		c.ledger.compareAt(trusted) // an agent that has the isolator too attaches it by then
	}
	return nothing{}, nil
}

type removedInput struct {
	Framework string `json:"framework"`
	Executor  string `json:"executor"`
	AtNS      int64  `json:"at_ns"`
}

func (in removedInput) check() error {
	if in.AtNS <= 0 {
		return failure(Invalid, "the input lacks at_ns")
	}
	return needed("framework", in.Framework, "executor", in.Executor)
}

// removed ends when the journal has it, or could not be written.
func (c *Core) removed(ctx context.Context, in removedInput) (any, error) {
	at := time.Unix(0, in.AtNS)
	for _, run := range c.census.removed(in.Framework, in.Executor, at) {
		c.unwatch(run)
	}
	version := c.ledger.removed(removedExecutor{Framework: in.Framework, Executor: in.Executor, At: at})
	c.awaitJournal(version, ctx.Done())
	return nothing{}, nil
}

type recoverInput struct {
	States  []message[containerState] `json:"states"`
	Orphans []message[identifier]     `json:"orphans"`
}

func (in recoverInput) check() error {
	for _, one := range in.States {
		if err := needed("the container_id of a state", one.is.ContainerID.Value); err != nil {
			return err
		}
	}
	return nil
}

func (c *Core) recover(_ context.Context, in recoverInput) (any, error) {
	for _, one := range in.States {
		id, executor := one.is.ContainerID.Value, one.is.Executor
		c.census.began(id, one.is.Directory, known{framework: executor.FrameworkID.Value, executor: executor.ExecutorID.Value,
			kept: hierarchiesOf(c.host, one.is.PID, c.roots[0]+"/"+id)})
		if services, _ := oom.Containers(one.is.Directory); len(services) > 0 { // which only our executor notes
			c.watchMemory(id)
		}
	}
	for _, id := range in.Orphans {
		doomed := id.is.Value
		c.census.began(doomed, "", known{kept: inhabited(c.host, c.roots[0]+"/"+doomed)}) // until the agent has destroyed it, which the cleanup says
	}
	c.ledger.disown(c.census.alive()) // before any of it may begin
	c.census.recover()
	c.ledger.compareAt(time.Now())
	return nothing{}, nil
}

// configured is the input of what the agent says with a ContainerConfig.
type configured struct {
	Container string                   `json:"container"`
	Config    message[containerConfig] `json:"config"`
}

// prepareInput is a container that begins.
type prepareInput struct {
	Container, Sandbox, Framework, Executor, User string

	Labels           map[string]string // the executor's, the last of a key
	Command          commandInfo
	Requests, Limits resources
}

func (in *prepareInput) UnmarshalJSON(text []byte) error {
	var given configured
	if err := decode(text, &given); err != nil {
		return err
	}
	config := given.Config.is
	*in = prepareInput{Container: given.Container, Sandbox: config.Directory, Framework: config.Executor.FrameworkID.Value,
		Executor: config.Executor.ExecutorID.Value, User: config.User, Labels: map[string]string{}, Command: config.Command,
		Requests: config.requests(), Limits: config.limits()}
	for _, label := range config.Executor.Labels.Labels {
		in.Labels[label.Key] = label.Value
	}
	return nil
}

func (in prepareInput) check() error { return needed("container", in.Container) }

// program is dce-executor as a word of a command, with or without a path and quotes: "./dce-executor", Marathon's
// "chmod ug+rx '/x/dce-executor' && exec '/x/dce-executor'".
var program = regexp.MustCompile(`(^|[\s/'"=;&|(])dce-executor($|[\s'";&|)])`)

func (in prepareInput) ours() bool {
	if program.MatchString(in.Command.Value) {
		return true
	}
	for _, argument := range in.Command.Arguments {
		if program.MatchString(argument) {
			return true
		}
	}
	return false
}

// launchInfo is mesos.slave.ContainerLaunchInfo, as far as it is filled in.
type launchInfo struct {
	Environment environment `json:"environment"`
}

type environment struct {
	Variables []variable `json:"variables"`
}

type variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (c *Core) prepare(ctx context.Context, in prepareInput) (any, error) {
	if !c.meet(in) {
		return nothing{}, nil
	}
	limits, _ := limitsOf(in.Requests, in.Limits)
	parent, err := c.bindPod(ctx, in.Container, limits)
	if err != nil {
		return nil, err
	}
	c.watchMemory(in.Container)
	var tell []variable
	if parent != "" {
		tell = append(tell, variable{parentVariable, parent})
	}
	if c.useHierarchy == hierarchyWarn || c.useHierarchy == hierarchyOff {
		tell = append(tell, variable{hierarchyVariable, c.useHierarchy}) // else it would refuse by itself what is to be launched
	}
	if tell == nil {
		return nothing{}, nil
	}
	return launchInfo{environment{tell}}, nil
}

// meet takes a container that begins and says whether it is ours.
func (c *Core) meet(in prepareInput) (ours bool) {
	k := known{framework: in.Framework, executor: in.Executor, foreign: !in.ours()}
	if !k.foreign {
		k.kept = reaper.Hierarchies(c.host, c.roots[0]+"/"+in.Container)
	}
	c.census.began(in.Container, in.Sandbox, k)
	poke(c.ledger.wake) // the sandbox may have told the scope
	return !k.foreign
}

// What the executor is told: which cgroup its pod's containers belong under, and its setting cgroup.use_hierarchy.
const (
	parentVariable    = "DCE_CGROUP_PARENT"
	hierarchyVariable = "DCE_CGROUP_USE_HIERARCHY"
)

type updateInput struct {
	Container        string
	Requests, Limits resources
}

func (in *updateInput) UnmarshalJSON(text []byte) error {
	var given configured
	if err := decode(text, &given); err != nil {
		return err
	}
	*in = updateInput{given.Container, given.Config.is.requests(), given.Config.is.limits()}
	return nil
}

func (in updateInput) check() error { return needed("container", in.Container) }

// update has nothing to do where the pod is below the task's own cgroup, whose limits the agent sets.
func (c *Core) update(ctx context.Context, in updateInput) (any, error) {
	return nothing{}, c.follow(ctx, in.Container, in.Requests, in.Limits)
}

type containerOnly struct {
	Container string `json:"container"`
}

func (in containerOnly) check() error { return needed("container", in.Container) }

// usage adds the network alone where the pod is below the task's own cgroup, which the agent measures.
func (c *Core) usage(_ context.Context, in containerOnly) (any, error) {
	return c.measure(in.Container)
}

// cleanup ends when nothing of the container is left. Without an engine it says so at once, and the debt stays.
func (c *Core) cleanup(ctx context.Context, in containerOnly) (any, error) {
	ended := make(chan error, 1)
	ours := c.census.over(in.Container, func() {
		c.ledger.owe(debt{Container: in.Container, Cause: "its container ended", Since: time.Now(), Next: time.Now(), sworn: true},
			func(err error) { ended <- err })
	})
	c.unwatch(in.Container) // now, so that no watch which begins meanwhile stays
	if !ours {
		return nothing{}, nil
	}
	select {
	case err := <-ended:
		return nothing{}, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Core) reconcile(_ context.Context, _ nothing) (any, error) {
	c.ledger.compareAt(time.Now())
	return nothing{}, nil
}
