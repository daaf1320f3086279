// Inside is a service of the guest: it runs the commands that come over the port, several at a time, and sends back what they
// said and how they ended.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dce-go/dce/tests/guest/wire"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "inside:", err)
		os.Exit(1)
	}
}

func serve() error {
	port, err := open()
	if err != nil {
		return err
	}
	var mu sync.Mutex
	out := json.NewEncoder(port)
	answer := func(a wire.Answer) {
		mu.Lock()
		defer mu.Unlock()
		if err := out.Encode(a); err != nil {
			fmt.Fprintln(os.Stderr, "inside:", err)
		}
	}
	answer(wire.Answer{})
	for in := json.NewDecoder(port); ; {
		var c wire.Command
		if err := in.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		go func() { answer(run(c)) }()
	}
}

// open waits for the driver to make the device.
func open() (*os.File, error) {
	for {
		port, err := os.OpenFile(wire.Port, os.O_RDWR, 0)
		if !errors.Is(err, os.ErrNotExist) {
			return port, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func run(c wire.Command) wire.Answer {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(context.Background(), c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin = c.Dir, append(os.Environ(), c.Env...), strings.NewReader(c.Stdin)
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	a := wire.Answer{ID: c.ID, Out: out.String(), Err: said.String()}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		if a.Code = exit.ExitCode(); a.Code < 0 {
			a.Code = 128 + int(exit.Sys().(syscall.WaitStatus).Signal())
		}
	case err != nil:
		a.Failure = err.Error()
	}
	return a
}
