package harness

import (
	"context"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/localagent"
	"github.com/dce-go/dce/tests/watch"
)

// Patience bounds every wait; what is waited for comes far sooner.
const Patience = time.Minute

// Agent is an embedded agent of a test, which closes it.
type Agent struct {
	*localagent.Agent
	T       testing.TB
	Engine  *Engine
	Cgroups *cgroup.Host
	Root    string // --cgroups_root
	Stdout  watch.Output
	Stderr  watch.Output
}

// NewAgent starts an agent with a root of cgroups named after kind, unless change names another, and a work_dir that goes with
// the test.
func NewAgent(t testing.TB, e *Engine, kind string, change ...func(*localagent.Options)) *Agent {
	t.Helper()
	host, err := cgroup.Open(cgroup.Options{})
	require.NoError(t, err)
	a := &Agent{T: t, Engine: e, Cgroups: host}
	log := logrus.New()
	log.SetOutput(t.Output())
	log.SetLevel(logrus.WarnLevel)
	o := localagent.Options{WorkDir: t.TempDir(), Cgroups: host, CgroupsRoot: NewRoot(kind), EnableCFS: true, Log: log, Hostname: "here",
		Environment: map[string]string{}, Stdout: &a.Stdout, Stderr: &a.Stderr}
	for _, c := range change {
		c(&o)
	}
	a.Root = o.CgroupsRoot
	a.Agent, err = localagent.New(o)
	require.NoError(t, err)
	return a
}

// Unhurried has an agent wait far longer for the end of an executor that it shuts down than the executor is told with
// ShortGrace: what comes of the executor then is its own doing, also on a busy machine.
func Unhurried(o *localagent.Options) { o.ShutdownGrace = Patience }

// ShortGrace is an executor's environment, see Unhurried. It is Mesos' default.
func ShortGrace() map[string]string {
	return map[string]string{"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "5secs"}
}

// Close ends the agent and shows what its executors wrote if the test has failed. The caller removes the root.
func (a *Agent) Close() {
	a.T.Helper()
	if a.T.Failed() {
		a.T.Logf("stdout of the executors:\n%s", &a.Stdout)
		a.T.Logf("stderr of the executors:\n%s", &a.Stderr)
	}
	require.NoError(a.T, a.Agent.Close())
}

// Within is a context that ends with Patience.
func Within() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), Patience)
}

// Says waits for a line that an executor logs.
func (a *Agent) Says(pattern string) {
	a.T.Helper()
	ctx, cancel := Within()
	defer cancel()
	require.NoError(a.T, a.Stderr.Await(ctx, pattern))
}

// Prints waits for what an executor or its services print.
func (a *Agent) Prints(pattern string) {
	a.T.Helper()
	ctx, cancel := Within()
	defer cancel()
	require.NoError(a.T, a.Stdout.Await(ctx, pattern))
}
