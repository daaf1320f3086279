package box

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a daemon that we started. done is closed when it has ended.
type process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}
}

// spawn starts a daemon, by name or path, in a session of its own, so that a Ctrl-C on the terminal reaches us and not it.
func spawn(p paths, name string, args ...string) (*process, error) {
	bin, err := find(name)
	if err != nil {
		return nil, err
	}
	name = filepath.Base(bin)
	log, err := os.Create(p.log(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(bin, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = environment()
	cmd.Dir = p.data
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	proc := &process{name: name, log: p.log(name), cmd: cmd, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(proc.done)
	}()
	return proc, nil
}

// sbin are the folders that hold daemons and that a user's PATH often lacks.
var sbin = []string{"/usr/local/sbin", "/usr/sbin", "/sbin"}

func find(name string) (string, error) {
	if bin, err := exec.LookPath(name); err == nil {
		return bin, nil
	}
	for _, dir := range sbin {
		if bin, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return bin, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: run make setup", name)
}

// environment is ours without what would tie the daemon to another engine or to a service manager.
func environment() []string {
	var env []string
	for _, kv := range os.Environ() {
		switch key, _, _ := strings.Cut(kv, "="); key {
		case "PATH", "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID":
		default:
			env = append(env, kv)
		}
	}
	return append(env, "PATH="+os.Getenv("PATH")+":"+strings.Join(sbin, ":"))
}

// end sends SIGTERM and waits; after grace it sends SIGKILL and says so.
func (p *process) end(grace time.Duration) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(grace):
		_ = p.kill()
		return fmt.Errorf("%s did not end within %v of SIGTERM and was killed: see %s", p.name, grace, p.log)
	}
}

func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// stopped says that no thread of a process runs. The signal is on its way for a moment after kill returns.
func stopped(pid int) bool {
	threads, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "stat"))
	if err != nil {
		return true
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread) // 1234 (name) T …
		if _, state, ok := strings.Cut(string(stat), ") "); err == nil && ok && !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// ready waits until check succeeds; where the process or ctx ends first, it kills the process and says why.
func (p *process) ready(ctx context.Context, check func(context.Context) error) (*process, error) {
	for {
		err := check(ctx)
		if err == nil {
			return p, nil
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s ended at its start: %s (all of it: %s)", p.name, lastWords(p.log), p.log)
		case <-ctx.Done():
			_ = p.kill()
			return nil, fmt.Errorf("%s does not answer: %w; its last words: %s (all of it: %s)", p.name, err, lastWords(p.log), p.log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// lastWords are the last lines of a log, as one.
func lastWords(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " / ")
}

// startContainerd gives the engine a containerd of its own: dockerd would otherwise share the host's where there is one, and
// a killed dockerd would take a containerd that it started itself along, which no real host does.
func startContainerd(ctx context.Context, p paths) (*process, error) {
	config := fmt.Sprintf(`version = 2
root = %q
state = %q
oom_score = 0
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = %q
`, p.containerdRoot(), filepath.Join(p.run, "containerd"), p.containerdSocket())
	file := filepath.Join(p.run, "containerd.toml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return nil, err
	}
	proc, err := spawn(p, "containerd", "--config", file, "--log-level", "warn")
	if err != nil {
		return nil, err
	}
	return proc.ready(ctx, func(context.Context) error {
		conn, err := net.Dial("unix", p.containerdSocket())
		if err == nil {
			_ = conn.Close()
		}
		return err
	})
}

func startDockerd(ctx context.Context, p paths, b block, opts Options) (*process, error) {
	driver, parent := "cgroupfs", "/"+p.cgroup()
	if opts.Systemd {
		driver, parent = "systemd", p.slice()
	}
	args := []string{
		"--config-file", filepath.Join(p.run, "daemon.json"),
		"--data-root", p.dockerRoot(),
		"--exec-root", filepath.Join(p.run, "exec"),
		"--pidfile", filepath.Join(p.run, "docker.pid"),
		"--host", "unix://" + p.socket(),
		"--containerd", p.containerdSocket(),
		"--exec-opt", "native.cgroupdriver=" + driver,
		"--cgroup-parent", parent,
		"--bridge", p.bridge(),
		"--default-address-pool", fmt.Sprintf("base=%s,size=%d", b.pool, poolSize),
		// The chains that Docker keeps in iptables have fixed names: a second engine that wrote them would empty the
		// first one's. Published ports work without them, through docker-proxy.
		"--iptables=false", "--ip-masq=false", "--ip-forward=false",
		"--log-level", "info",
	}
	if opts.LiveRestore {
		args = append(args, "--live-restore")
	}
	// A killed dockerd leaves its socket and pid file; we hold the lock and have no dockerd, so both are stale.
	for _, stale := range []string{p.socket(), filepath.Join(p.run, "docker.pid")} {
		if err := os.Remove(stale); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	proc, err := spawn(p, "dockerd", append(args, opts.Args...)...)
	if err != nil {
		return nil, err
	}
	// dockerd listens at once and answers when it is ready, so one request waits for it.
	return proc.ready(ctx, func(ctx context.Context) error { return ping(ctx, p.socket()) })
}

func ping(ctx context.Context, socket string) error {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("dockerd answers %s", resp.Status)
	}
	return nil
}
