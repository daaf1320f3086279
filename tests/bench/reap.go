package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"

	"github.com/dce-go/dce/go/cgroup"
	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/go/labels"
)

var leaked = flag.Int("leaked", 1000, "how many containers are removed at once")

const (
	reapRounds = 2  // of one thing: to make the containers takes most of the time
	eachPod    = 4  // containers
	creators   = 16 // that make containers at a time
	leakRoot   = "/dce-bench"
)

// reap: leaked containers, a third of which runs, each below the cgroup of its run. `docker rm -f` gets all their ids in one
// call and leaves the cgroups; dce reap has to find them, and removes the cgroups too.
func (b *bencher) reap(ctx context.Context) (err error) {
	host, err := cgroup.Open(cgroup.Options{})
	if err != nil {
		return err
	}
	defer func() {
		if failed := host.Remove(ctx, leakRoot); err == nil {
			err = failed
		}
	}()
	scope := filepath.Join(b.dir, "leaked")
	var docker, dce samples
	for range reapRounds {
		ids, err := b.leak(ctx, host, scope)
		if err != nil {
			return err
		}
		took, err := b.timed(ctx, "docker", append([]string{"rm", "-f", "-v"}, ids...)...)
		if err != nil {
			return err
		}
		docker = append(docker, took)
		if err := host.Remove(ctx, leakRoot); err != nil {
			return err
		}
		if _, err = b.leak(ctx, host, scope); err != nil {
			return err
		}
		took, err = b.timed(ctx, "bin/dce", "reap", "--cgroups-root", leakRoot, "--age", "0s", "--work-dir", scope)
		if err != nil {
			return err
		}
		dce = append(dce, took)
		left, err := b.gw.List(ctx, labels.Scope+"="+scope)
		if err != nil || len(left) > 0 {
			return fmt.Errorf("dce reap left %d containers: %w", len(left), err)
		}
	}
	fmt.Printf("\nRemoval of %d leaked containers, %d rounds in turns (ms)\n%-40s %8s %8s %8s %8s\n",
		*leaked, reapRounds, "", "median", "min", "max", "× rm -f")
	fmt.Printf("%-40s %s %8.2f\n", "docker rm -f -v with all ids", docker, 1.0)
	fmt.Printf("%-40s %s %8.2f\n", "dce reap, with the cgroups", dce, float64(dce.median())/float64(docker.median()))
	return nil
}

// leak makes pods as dead executors leave them, and returns the ids of their containers.
func (b *bencher) leak(ctx context.Context, host *cgroup.Host, scope string) ([]string, error) {
	ids := make([]string, *leaked)
	var group errgroup.Group
	group.SetLimit(creators)
	for i := range ids {
		run := fmt.Sprint("run-", i/eachPod)
		id := labels.Identity{Scope: scope, Agent: "a", Framework: "f", Executor: "e-" + run, Container: run, Task: "leaked"}
		parent := leakRoot + "/" + run
		if i%eachPod == 0 {
			if err := host.Create(parent, "memory"); err != nil {
				return nil, err
			}
		}
		service := fmt.Sprint("s", i%eachPod)
		group.Go(func() (err error) {
			ids[i], err = b.gw.Create(ctx, &engine.ContainerSpec{
				Name: id.PodID() + "-" + service + "-1",
				Config: &container.Config{Image: "dce-test/busybox", Cmd: []string{"sleep", "10000"},
					Labels: labels.ForService(maps.Clone(id.Labels("bench")), service, labels.RoleService, "1")},
				Host: &container.HostConfig{NetworkMode: "none", Resources: container.Resources{CgroupParent: parent}},
			})
			if err == nil && i%3 == 0 {
				err = b.gw.Start(ctx, ids[i])
			}
			return err
		})
	}
	return ids, group.Wait()
}

// timed runs a client of the engine.
func (b *bencher) timed(ctx context.Context, program string, args ...string) (time.Duration, error) {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+b.host)
	cmd.Stderr = &said
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", program, err, said.String())
	}
	return time.Since(begun), nil
}
