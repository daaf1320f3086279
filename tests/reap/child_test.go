package reap

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/core"
	"github.com/dce-go/dce/go/engine"
)

// The environment of this program as a child: an agent's process with the core in it, which can be killed.
const (
	childConfig = "DCE_TEST_CORE_CONFIG"
	childDies   = "DCE_TEST_CORE_DIES" // by SIGKILL, before this removal of a container; 0 for never
)

type order struct{ Op, Input string }

// child opens a core, does what its standard input says, and prints the end of each operation.
func child() int {
	last, _ := strconv.Atoi(os.Getenv(childDies))
	var removals atomic.Int64
	host := os.Getenv("DOCKER_HOST")
	c, err := core.Open([]byte(os.Getenv(childConfig)), core.Options{Log: os.Stderr, Connect: func(ctx context.Context) (engine.Gateway, error) {
		docker, err := engine.Connect(ctx, engine.ConnectOptions{Host: host})
		if err != nil {
			return nil, err
		}
		return engine.Intercept(docker, func(ctx context.Context, call engine.Call, next func(context.Context) error) error {
			if call.Method == engine.MethodRemove && call.Kind == engine.KindContainer && removals.Add(1) == int64(last) {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				time.Sleep(time.Minute)
			}
			return next(ctx)
		}), nil
	}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			fmt.Println(err)
			return 1
		}
		ended := make(chan struct{})
		c.Submit(o.Op, []byte(o.Input), 0, func(status core.Status, text []byte) {
			fmt.Println(status, string(text))
			close(ended)
		})
		<-ended
	}
	c.Close()
	return 0
}

// agentProcess is a child that runs.
type agentProcess struct {
	*testing.T
	cmd   *exec.Cmd
	in    *json.Encoder
	out   *bufio.Scanner
	ended chan struct{}
}

func startAgentProcess(t *testing.T, config string, dies int) *agentProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childConfig+"="+config, fmt.Sprintf("%s=%d", childDies, dies), "DOCKER_HOST="+world.box.Host())
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &agentProcess{t, cmd, json.NewEncoder(in), bufio.NewScanner(out), make(chan struct{})}
	t.Cleanup(p.kill)
	return p
}

// do has an operation done and returns its end; "" where the process died of it.
func (p *agentProcess) do(op string, input any) string {
	p.Helper()
	text, err := json.Marshal(input)
	require.NoError(p, err)
	require.NoError(p, p.in.Encode(order{op, string(text)}))
	p.out.Scan()
	return p.out.Text()
}

// kill ends the process as a crash does. A second call does nothing.
func (p *agentProcess) kill() {
	select {
	case <-p.ended:
		return
	default:
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed
	close(p.ended)
}

// died waits for the process to end by itself.
func (p *agentProcess) died() {
	p.Helper()
	_ = p.cmd.Wait()
	close(p.ended)
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	require.True(p, ok && status.Signaled() && status.Signal() == syscall.SIGKILL, "%v", p.cmd.ProcessState)
}
