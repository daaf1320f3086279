package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	composefile "github.com/dce-go/dce/go/compose"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/go/pause"
)

// up: from the request to everything running. The floor is what the engine takes for the very same containers, created and
// started in parallel by raw calls and nothing else.
func (b *bencher) up(ctx context.Context) error {
	v5 := filepath.Join(*peers, "docker-compose")
	for _, path := range []string{v5, "docker-compose"} {
		if _, err := exec.LookPath(path); err != nil {
			return fmt.Errorf("a peer is missing: %w; `make bench` makes them", err)
		}
	}
	for _, services := range []int{3, 10} {
		file := fmt.Sprintf("s%d.yml", services)
		content := compose(services, sleeping)
		times := map[string]samples{}
		for range *rounds {
			floor, err := b.floor(ctx, content)
			if err != nil {
				return err
			}
			times["floor"] = append(times["floor"], floor)
			id, took, err := b.run(ctx, file)
			if err != nil {
				return err
			}
			times["dce"] = append(times["dce"], took)
			if _, err := b.end(ctx, id); err != nil {
				return err
			}
			for _, peer := range []string{v5, "docker-compose"} {
				took, err := b.peer(ctx, peer, content)
				if err != nil {
					return err
				}
				times[peer] = append(times[peer], took)
			}
		}
		fmt.Printf("\nUp, infra + %d services of a local image, %d rounds in turns (ms)\n%-40s %8s %8s %8s %8s\n",
			services, *rounds, "", "median", "min", "max", "× floor")
		for _, row := range []struct{ name, key string }{
			{"raw API calls, the floor", "floor"}, {"dce: LAUNCH to TASK_RUNNING", "dce"},
			{"docker compose v5.5.1 up -d", v5}, {"docker-compose 1.29 up -d", "docker-compose"},
		} {
			s := times[row.key]
			fmt.Printf("%-40s %s %8.2f\n", row.name, s, float64(s.median())/float64(times["floor"].median()))
		}
	}
	return nil
}

// spec is the pod that dce would make of a file.
func (b *bencher) spec(ctx context.Context, content string) (engine.PodSpec, error) {
	b.n++
	dir := filepath.Join(b.dir, fmt.Sprintf("spec%d", b.n))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return engine.PodSpec{}, err
	}
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(content), 0o644); err != nil {
		return engine.PodSpec{}, err
	}
	spec, _, _, err := composefile.Build(ctx, composefile.Source{Dir: dir}, composefile.Target{
		Identity: labels.Identity{Scope: b.dir, Framework: "f", Executor: "e", Container: "c", Task: fmt.Sprintf("floor%d", b.n)},
		Version:  "bench", CgroupParent: b.warm.Cgroup, PauseImage: pause.Image(), Sandbox: dir,
	})
	return spec, err
}

func (b *bencher) floor(ctx context.Context, content string) (time.Duration, error) {
	spec, err := b.spec(ctx, content)
	if err != nil {
		return 0, err
	}
	all := append([]engine.ContainerSpec{*spec.Infra}, spec.Services...)
	ids := make([]string, len(all))
	begun := time.Now()
	var create errgroup.Group
	for i := range all {
		create.Go(func() (err error) { ids[i], err = b.gw.Create(ctx, &all[i]); return err })
	}
	if err := create.Wait(); err != nil {
		return 0, err
	}
	if err := b.gw.Start(ctx, ids[0]); err != nil {
		return 0, err
	}
	var start errgroup.Group
	for _, id := range ids[1:] {
		start.Go(func() error { return b.gw.Start(ctx, id) })
	}
	if err := start.Wait(); err != nil {
		return 0, err
	}
	took := time.Since(begun)
	return took, b.remove(ctx, ids)
}

func (b *bencher) remove(ctx context.Context, ids []string) error {
	var group errgroup.Group
	for _, id := range ids {
		group.Go(func() error { return b.gw.Remove(ctx, engine.KindContainer, id) })
	}
	return group.Wait()
}

// peer runs "up -d" of a compose program on the same services behind the same infra container, as a user would write it, and
// takes it down again.
func (b *bencher) peer(ctx context.Context, program, content string) (time.Duration, error) {
	b.n++
	dir := filepath.Join(b.dir, fmt.Sprintf("peer%d", b.n))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	file := withInfra(content)
	if err := os.WriteFile(filepath.Join(dir, "docker-compose.yml"), []byte(file), 0o644); err != nil {
		return 0, err
	}
	begun := time.Now()
	if err := b.compose(ctx, program, dir, "up", "-d"); err != nil {
		return 0, err
	}
	took := time.Since(begun)
	return took, b.compose(ctx, program, dir, "down", "-t", "0", "-v")
}

func (b *bencher) compose(ctx context.Context, program, dir string, args ...string) error {
	if abs, err := filepath.Abs(program); err == nil && program != "docker-compose" {
		program = abs
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+b.host, "COMPOSE_PROJECT_NAME="+filepath.Base(dir))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", program, args, err, out.String())
	}
	return nil
}

// withInfra is the file as compose alone would need it for one shared network namespace.
func withInfra(content string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "version: \"2.4\"\nservices:\n  infra: {image: %q, network_mode: bridge}\n", pause.Image())
	for _, line := range bytes.SplitAfter([]byte(content), []byte("\n")) {
		if bytes.HasPrefix(line, []byte("services:")) {
			continue
		}
		b.Write(line)
		if bytes.Contains(line, []byte("image:")) {
			b.WriteString("    network_mode: service:infra\n")
		}
	}
	return b.String()
}
