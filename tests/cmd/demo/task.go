package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/dce-go/dce/tests/box"
)

// limit is what the task may use of memory, for all its containers together.
const limit = "128m"

// task is a `dce run` at work.
type task struct {
	cmd     *exec.Cmd
	started time.Time
	url     chan string   // where dce run says that the task is reached
	ended   chan struct{} // closed when dce run has ended
	err     error         // of its end

	podID, parent string // known once the pod is healthy
}

// launch starts bin/dce run with the example and shows what it prints, indented.
func launch() (*task, error) {
	checkout, err := box.Checkout()
	if err != nil {
		return nil, err
	}
	args := []string{"run", "-f", filepath.Join("tests", "examples", "visits", "docker-compose.yml"), "--cpus", "1", "--mem", limit}
	fmt.Println("  $ bin/dce", strings.Join(args, " "))
	cmd := exec.Command(filepath.Join(checkout, "bin", "dce"), args...)
	cmd.Dir = checkout
	// A group of its own: a Ctrl-C reaches it once, through stop.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = in, in
	started := time.Now()
	err = cmd.Start()
	_ = in.Close()
	if err != nil {
		return nil, fmt.Errorf("%w; run make build", err)
	}
	t := &task{cmd: cmd, started: started, url: make(chan string, 1), ended: make(chan struct{})}
	go func() {
		t.relay(out)
		t.err = cmd.Wait()
		close(t.ended)
	}()
	return t, nil
}

// address is how dce run prints where a port of the pod is reached.
var address = regexp.MustCompile(`^ *(http://localhost:[0-9]+)\b`)

// relay shows what dce run prints, indented, and picks the address out of it.
func (t *task) relay(from io.ReadCloser) {
	defer func() { _ = from.Close() }()
	for lines := bufio.NewScanner(from); lines.Scan(); {
		fmt.Println(" ", lines.Text())
		if found := address.FindSubmatch(lines.Bytes()); found != nil {
			select {
			case t.url <- string(found[1]) + "/":
			default: // one is enough
			}
		}
	}
}

// stop is what Ctrl-C does, and waits for the end.
func (t *task) stop() error {
	select {
	case <-t.ended:
		return fmt.Errorf("dce run ended by itself, before it was stopped: %w", errors.Join(t.err, errors.New("see its output above")))
	default:
	}
	fmt.Println("  Ctrl-C")
	if err := t.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	select {
	case <-t.ended:
	case <-time.After(time.Minute):
		return fmt.Errorf("dce run (process %d) does not end a minute after Ctrl-C", t.cmd.Process.Pid)
	}
	if t.err != nil {
		return fmt.Errorf("dce run: %w, though a task that is killed on request ends it with 0", t.err)
	}
	return nil
}
