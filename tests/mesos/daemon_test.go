//go:build mesos

package mesos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// daemon is a master or an agent that runs.
type daemon struct {
	t    *testing.T
	cmd  *exec.Cmd
	log  string        // path of what it says
	done chan struct{} // closed when it has ended
}

// daemonise starts a program of Mesos in a folder. Its environment is bare, because Mesos reads MESOS_* as flags.
func daemonise(t *testing.T, dir, name, program string, flags []string) *daemon {
	t.Helper()
	d := &daemon{t: t, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	defer log.Close()
	d.cmd = exec.Command(program, flags...)
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = dir, log, log
	d.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LD_LIBRARY_PATH=" + world.mesos.lib}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // where the tests themselves are killed
	require.NoError(t, d.cmd.Start())
	go func() {
		_ = d.cmd.Wait() // mostly it is killed
		close(d.done)
	}()
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			text, _ := os.ReadFile(d.log)
			t.Logf("the end of what %s said:\n%s", name, text[max(0, len(text)-20000):])
		}
	})
	return d
}

// kill ends it with SIGKILL and waits.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill() // it may have ended
	<-d.done
}

// until waits for something that a daemon is to do, and fails where it ends before.
func (d *daemon) until(what string, is func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(pollEvery) {
		select {
		case <-d.done:
			text, _ := os.ReadFile(d.log)
			require.FailNow(d.t, "it ended", "%s: %s\n%s", what, d.cmd.ProcessState, text[max(0, len(text)-3000):])
		default:
		}
		require.True(d.t, time.Now().Before(deadline), "%s: not within %v", what, patience)
	}
}

// ask reads JSON from an endpoint of a master or an agent.
func ask(url string, to any) error {
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var text bytes.Buffer
	if _, err := text.ReadFrom(answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, answer.Status, text.String())
	}
	return json.Unmarshal(text.Bytes(), to)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
