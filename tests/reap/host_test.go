package reap

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/harness"
	"github.com/dce-go/dce/tests/watch"
)

// The modules, as an agent names them.
const (
	hook     = "org_apache_mesos_ComposePodCleanupHook"
	isolator = "org_apache_mesos_ComposePodIsolator"
)

// process is the process of an agent, as far as its modules see it: the C++ host program of tests/module, which loads them
// from a --modules JSON.
type process struct {
	testing.TB
	modules []string
	cmd     *exec.Cmd
	said    watch.Output // standard error
	in      io.Writer
	gone    chan struct{} // closed when it has ended

	mu      sync.Mutex
	sent    int
	waiting map[int]chan answer
}

// answer is what the host program says of a call, see tests/module/host.cpp.
type answer struct {
	Ready       bool
	N           int
	Command     string
	US, MS      float64
	Failure     string
	Environment map[string]string
	Labels      map[string]string
	Metrics     map[string]float64
}

// agentGone is the failure of a call to an agent that has no process any more.
const agentGone = "the agent's process is gone"

// spawn starts an agent's process; what the modules say of their creation is in said.
func spawn(t testing.TB, workDir string, modules []string, parameters map[string]string) (p *process, ready bool) {
	t.Helper()
	type pair struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	var given []pair
	for k, v := range parameters {
		given = append(given, pair{k, v})
	}
	var named []any
	for _, name := range modules {
		named = append(named, map[string]any{"name": name, "parameters": given})
	}
	libraries := []any{}
	if named != nil {
		libraries = append(libraries, map[string]any{"file": world.module, "modules": named})
	}
	manifest, err := json.Marshal(map[string]any{"libraries": libraries})
	require.NoError(t, err)
	p = &process{TB: t, modules: modules, cmd: exec.Command(world.program, string(manifest), "--work_dir="+workDir), gone: make(chan struct{}), waiting: map[int]chan answer{}}
	p.cmd.Dir = t.TempDir() // where nothing is to appear
	p.cmd.Stderr = io.MultiWriter(t.Output(), &p.said)
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	came := p.expect(0)
	go p.read(out)
	t.Cleanup(func() {
		p.kill()
		left, err := filepath.Glob(filepath.Join(p.cmd.Dir, "*"))
		require.NoError(t, err)
		require.Empty(t, left)
	})
	select {
	case a := <-came:
		return p, a.Ready
	case <-time.After(harness.Patience):
		require.FailNow(t, "the host program does not say that it is ready")
	}
	return nil, false
}

// read hands answers on until there are no more, and then takes the end of the process.
func (p *process) read(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			p.Errorf("the host program says %q: %v", lines.Text(), err)
			continue
		}
		p.mu.Lock()
		waiting := p.waiting[a.N]
		delete(p.waiting, a.N)
		p.mu.Unlock()
		if waiting != nil {
			waiting <- a
		}
	}
	_ = p.cmd.Wait() // how it ended is in ProcessState
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, waiting := range p.waiting {
		waiting <- answer{Failure: agentGone}
	}
	p.waiting = nil
	close(p.gone)
}

func (p *process) expect(n int) chan answer {
	c := make(chan answer, 1)
	p.waiting[n] = c
	return c
}

// call makes a call of the agent; its end comes through the channel.
func (p *process) call(command ...any) <-chan answer {
	p.Helper()
	text, err := json.Marshal(command)
	require.NoError(p, err)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting == nil {
		c := make(chan answer, 1)
		c <- answer{Failure: agentGone}
		return c
	}
	p.sent++
	c := p.expect(p.sent)
	_, _ = fmt.Fprintln(p.in, string(text)) // an end of the process answers too
	return c
}

// ask makes a call and waits for its end.
func (p *process) ask(command ...any) answer {
	p.Helper()
	select {
	case a := <-p.call(command...):
		return a
	case <-time.After(harness.Patience):
		return answer{Failure: fmt.Sprintf("no answer to %v", command)}
	}
}

// metric is one of /metrics/snapshot.
func (p *process) metric(name string) float64 {
	p.Helper()
	a := p.ask("metrics")
	require.Empty(p, a.Failure)
	value, ok := a.Metrics["dce/"+name]
	require.True(p, ok, "there is no metric %s: %v", name, a.Metrics)
	return value
}

// kill ends the process as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone
	<-p.gone
}

// quit ends the process as an agent ends, and returns its exit code.
func (p *process) quit() int {
	p.Helper()
	if _, err := fmt.Fprintln(p.in, `["quit"]`); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		require.NoError(p, err)
	}
	select {
	case <-p.gone:
	case <-time.After(harness.Patience):
		require.FailNow(p, "the host program does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}
