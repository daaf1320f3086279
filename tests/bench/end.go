package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"golang.org/x/sync/errgroup"

	"github.com/dce-go/dce/go/engine"
)

// stop: a kill of a pod whose services stop promptly, beside the slowest of as many parallel `docker stop` of the same
// containers, infra among them. The kill goes in order, infra last.
func (b *bencher) stop(ctx context.Context) error {
	cli, err := client.NewClientWithOpts(client.WithHost(b.host), client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	defer func() { _ = cli.Close() }()
	var dce, slowest samples
	for range *rounds {
		id, _, err := b.run(ctx, "s3.yml")
		if err != nil {
			return err
		}
		took, err := b.end(ctx, id)
		if err != nil {
			return err
		}
		dce = append(dce, took)
		took, err = b.dockerStop(ctx, cli)
		if err != nil {
			return err
		}
		slowest = append(slowest, took)
	}
	fmt.Printf("\nStop of infra + 3 services that end at SIGTERM, %d rounds in turns (ms)\n%-40s %8s %8s %8s %8s\n",
		*rounds, "", "median", "min", "max", "× stop")
	fmt.Printf("%-40s %s %8.2f\n", "slowest of 4 parallel docker stop", slowest, 1.0)
	fmt.Printf("%-40s %s %8.2f\n", "dce: KILL to TASK_KILLED", dce, float64(dce.median())/float64(slowest.median()))
	return nil
}

func (b *bencher) dockerStop(ctx context.Context, cli *client.Client) (time.Duration, error) {
	spec, err := b.spec(ctx, compose(3, sleeping))
	if err != nil {
		return 0, err
	}
	all := append([]engine.ContainerSpec{*spec.Infra}, spec.Services...)
	var ids []string
	for i := range all {
		id, err := b.gw.Create(ctx, &all[i])
		if err == nil {
			err = b.gw.Start(ctx, id)
		}
		if err != nil {
			return 0, err
		}
		ids = append(ids, id)
	}
	begun := time.Now()
	var group errgroup.Group
	for _, id := range ids {
		group.Go(func() error { return cli.ContainerStop(ctx, id, container.StopOptions{}) })
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	took := time.Since(begun)
	return took, b.remove(ctx, ids)
}

// react: a container is killed from outside.
func (b *bencher) react(ctx context.Context) error {
	var stopping, terminal samples
	for range *rounds {
		id, _, err := b.run(ctx, "s3.yml")
		if err != nil {
			return err
		}
		watching, cancel := context.WithCancel(ctx)
		events, _ := b.gw.Events(watching, "io.dce.task="+id)
		all, err := b.gw.List(ctx, "io.dce.task="+id, "io.dce.service=s0")
		if err != nil || len(all) != 1 {
			cancel()
			return fmt.Errorf("%d containers, %w", len(all), err)
		}
		if err := b.gw.Signal(ctx, all[0].ID, "SIGKILL"); err != nil {
			cancel()
			return err
		}
		var first, last time.Time
		for died := 0; died < 4; {
			e := <-events
			if e.Action == "die" {
				died++
				last = e.Time
				if first.IsZero() {
					first = e.Time
				}
			}
		}
		cancel()
		u, err := b.await(ctx, id, mesos.TASK_FAILED)
		if err != nil {
			return err
		}
		at, ok := b.log.find("phase=stopping", "task="+id)
		if !ok {
			return fmt.Errorf("the log of the executor does not tell when task %s was stopping", id)
		}
		stopping, terminal = append(stopping, at.Sub(first)), append(terminal, u.At.Sub(last))
	}
	fmt.Printf("\nA container of 3 killed from outside, %d rounds (ms)\n%-40s %8s %8s %8s\n", *rounds, "", "median", "min", "max")
	fmt.Printf("%-40s %s\n", "Docker's event to the pod stopping", stopping)
	fmt.Printf("%-40s %s\n", "last container's end to TASK_FAILED", terminal)
	return nil
}

// idle: what an executor costs that only waits. Its one pod is the warm one.
func (b *bencher) idle(context.Context) error {
	time.Sleep(2 * time.Second) // what was measured before may still be collected
	pid := b.warm.Pid()
	before, err := ticks(pid)
	if err != nil {
		return err
	}
	time.Sleep(*idle)
	after, err := ticks(pid)
	if err != nil {
		return err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return err
	}
	fmt.Printf("\nIdle executor with one pod, watched for %v\n", *idle)
	for _, l := range strings.Split(string(status), "\n") {
		if name, value, ok := strings.Cut(l, ":"); ok && (name == "VmRSS" || name == "RssAnon" || name == "Threads") {
			fmt.Printf("%-40s %s\n", name, strings.TrimSpace(value))
		}
	}
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return err
	}
	spawned := 0
	for _, c := range children {
		b, _ := os.ReadFile(c)
		spawned += len(strings.Fields(string(b)))
	}
	fmt.Printf("%-40s %d\n%-40s %.3f %%\n", "child processes", spawned, "of a core", 100*(after-before).Seconds()/idle.Seconds())
	return nil
}

// ticks is the processor time of a process, /proc/<pid>/stat, fields 14 and 15, in hundredths of a second.
func ticks(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var sum int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return time.Duration(sum) * 10 * time.Millisecond, nil
}
