package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dce-go/dce/go/cgroup"
)

// eat is the life of a process that waits for a line, uses so many MB, says so and waits for its end.
func eat(mb string) {
	in := bufio.NewReader(os.Stdin)
	n, err := strconv.Atoi(mb)
	if _, rerr := in.ReadString('\n'); err != nil || rerr != nil {
		os.Exit(2)
	}
	const page = 4096
	held := make([]byte, n<<20)
	for i := 0; i < len(held); i += page {
		held[i] = 1
	}
	fmt.Println("full")
	_, _ = io.Copy(io.Discard, in)
	os.Exit(int(held[0]) - 1)
}

// spin uses a CPU until it is killed.
func spin() {
	for i := 0; ; i++ {
		_ = i
	}
}

// eater is such a process, in a cgroup.
type eater struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func newEater(h *cgroup.Host, path string, args ...string) (*eater, error) {
	e := &eater{cmd: exec.CommandContext(context.Background(), "/init", args...)}
	in, err := e.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := e.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	e.in, e.out = in, bufio.NewReader(out)
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	return e, h.AddProc(path, e.cmd.Process.Pid)
}

// fill has it use its memory, and says whether it survived that.
func (e *eater) fill() (survived bool) {
	if _, err := io.WriteString(e.in, "go\n"); err != nil {
		return false
	}
	line, err := e.out.ReadString('\n')
	return err == nil && line == "full\n"
}

func (e *eater) end() {
	_ = e.cmd.Process.Kill()
	_ = e.cmd.Wait()
}

// two makes a cgroup with a limit and two children, fills both with so many MB each and says how many survived, what the kernel
// told of it, and what both use together.
func two(h *cgroup.Host, path string, limit uint64, mb int) (survived int, killed []cgroup.OOM, used uint64, err error) {
	if err := limitMemory(h, path, limit); err != nil {
		return 0, nil, 0, err
	}
	var mu sync.Mutex
	var failed error
	watch, err := h.WatchOOM(path, func(o cgroup.OOM) {
		mu.Lock()
		defer mu.Unlock()
		killed = append(killed, o)
	}, func(err error) { failed = err })
	if err != nil {
		return 0, nil, 0, err
	}
	defer watch.Close()
	var eaters []*eater
	defer func() {
		for _, e := range eaters {
			e.end()
		}
	}()
	for _, name := range []string{"a", "b"} {
		if err := h.Create(path + "/" + name); err != nil {
			return 0, nil, 0, err
		}
		e, err := newEater(h, path+"/"+name, "eat", strconv.Itoa(mb))
		if err != nil {
			return 0, nil, 0, err
		}
		eaters = append(eaters, e)
	}
	for _, e := range eaters {
		_ = e.fill()
	}
	time.Sleep(500 * time.Millisecond) // to die, and for the kill to be told, which takes milliseconds
	for _, name := range []string{"a", "b"} {
		live, err := h.Procs(path + "/" + name)
		if err != nil {
			return 0, nil, 0, err
		}
		survived += min(len(live), 1)
		u, err := h.Usage(path + "/" + name)
		if err != nil {
			return 0, nil, 0, err
		}
		used += u.Memory.Usage
	}
	watch.Close()
	return survived, killed, used, failed
}

func limitMemory(h *cgroup.Host, path string, bytes uint64) error {
	file := "memory.limit_in_bytes"
	if h.Version() == cgroup.V2 {
		file = "memory.max"
	}
	return h.Write("memory", path, file, strconv.FormatUint(bytes, 10))
}

// expect joins what is not as it should be.
func expect(that map[string]bool) error {
	var wrong []string
	for what, ok := range that {
		if !ok {
			wrong = append(wrong, "not so: "+what)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.New(strings.Join(wrong, "; "))
}
