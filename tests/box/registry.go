package box

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/dce-go/dce/tests/debian"
)

// Registry is a private image registry on loopback, which every engine takes without TLS.
type Registry struct {
	Addr string // 127.0.0.1:port; images are named Addr/name:tag
	proc *process
}

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:[0-9]+)`)

// StartRegistry starts Debian's docker-registry with its data in dir, on a free port.
func StartRegistry(ctx context.Context, dir string) (*Registry, error) {
	config := fmt.Sprintf(`version: 0.1
log: {level: info, formatter: text}
storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0"}
`, filepath.Join(dir, "data"))
	file := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return nil, err
	}
	bin, err := registryProgram(ctx)
	if err != nil {
		return nil, err
	}
	proc, err := spawn(paths{data: dir}, bin, "serve", file)
	if err != nil {
		return nil, err
	}
	r := &Registry{}
	// The registry picks the port and says so in its log: a port that we picked could be taken before it listens.
	r.proc, err = proc.ready(ctx, func(context.Context) error {
		log, err := os.ReadFile(proc.log)
		if err != nil {
			return err
		}
		found := listening.FindSubmatch(log)
		if found == nil {
			return errors.New("it does not listen yet")
		}
		r.Addr = string(found[1])
		return nil
	})
	return r, err
}

// registryProgram is the host's docker-registry, or one that is fetched: the package would start a daemon.
func registryProgram(ctx context.Context) (string, error) {
	if bin, err := find("docker-registry"); err == nil {
		return bin, nil
	}
	checkout, err := Checkout()
	if err != nil {
		return "", err
	}
	debs, err := debian.Unpack(ctx, checkout, "docker-registry", "")
	return filepath.Join(debs, "usr", "bin", "docker-registry"), err
}

// Stop ends the registry. Its data stays in its folder.
func (r *Registry) Stop() error { return r.proc.end(10 * time.Second) }
