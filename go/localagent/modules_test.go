package localagent

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/stretchr/testify/require"
)

// said notes what modules are told, with the hierarchies that have the container's cgroup at the time, and how many processes.
type said struct {
	t     *testing.T
	agent *Agent
	told  []string
	fails error
}

func (s *said) note(what string, c *Container) {
	var there []string
	procs := 0
	for _, name := range controllers {
		text, err := s.agent.options.Cgroups.Read(name, c.Cgroup, "cgroup.procs")
		if err == nil {
			there = append(there, name)
			procs += len(strings.Fields(text))
		}
	}
	s.told = append(s.told, fmt.Sprintf("%s %v %d", what, there, procs))
}

func (s *said) Prepare(c *Container, executor mesos.ExecutorInfo) (map[string]string, error) {
	s.note("prepare "+executor.ExecutorID.Value, c)
	return map[string]string{"FROM_MODULE": "1", "FROM_COMMAND": "0"}, s.fails
}

func (s *said) Cleanup(c *Container) { s.note("cleanup", c) }

func (s *said) Removed(framework, executor string) {
	require.Equal(s.t, s.agent.FrameworkID(), framework)
	s.told = append(s.told, "removed "+executor)
}

func withModules(t *testing.T, fails error) *said {
	s := &said{t: t, fails: fails}
	s.agent = newAgent(t, func(o *Options) { o.Modules = s })
	return s
}

func TestModulesAreToldInTheAgentsOrder(t *testing.T) {
	s := withModules(t, nil)
	info := asTask("t", `echo $FROM_MODULE$FROM_COMMAND; setsid sleep 1000 &`)
	value := "2"
	info.Executor.Command.Environment = &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "FROM_COMMAND", Value: &value}}}
	c, err := s.agent.Launch(info)
	require.NoError(t, err)
	gone(t, c)
	require.Equal(t, "12\n", read(t, c, "stdout"))
	require.Equal(t, []string{
		"prepare executor of t [cpu cpuacct memory freezer] 0",
		"cleanup [cpu cpuacct memory] 0",
		"removed executor of t",
	}, s.told)
}

func TestAModuleMayRefuseALaunch(t *testing.T) {
	s := withModules(t, errors.New("not here"))
	c, err := s.agent.Launch(asTask("t", "true"))
	require.NoError(t, err)
	gone(t, c)
	last := s.agent.updates[len(s.agent.updates)-1].Status
	require.Equal(t, mesos.REASON_CONTAINER_LAUNCH_FAILED, last.GetReason())
	require.Contains(t, last.GetMessage(), "not here")
	require.Equal(t, "not started", c.ExitStatus())
}
