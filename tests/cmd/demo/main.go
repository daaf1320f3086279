// Command demo is what `make run` shows: the example launched by bin/dce as a task, its page fetched through the published
// port, its containers under the task's cgroup, its end, and that nothing is left. It fails where one of these is not so.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/docker/docker/client"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := demo(ctx); err != nil {
		if ctx.Err() != nil {
			os.Exit(130)
		}
		fmt.Fprintln(os.Stderr, "make run:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	defer func() { _ = cli.Close() }()

	say("The task: tests/examples/visits/docker-compose.yml, a page that counts its visits in Redis")
	t, err := launch()
	if err != nil {
		return err
	}
	shown := show(ctx, cli, t)
	// Whatever was seen, the task is stopped and what it leaves is looked for.
	say("The task is stopped")
	ended := t.stop()
	if shown != nil || ended != nil {
		return errors.Join(shown, ended)
	}
	return nothingLeft(context.WithoutCancel(ctx), cli, t)
}

func show(ctx context.Context, cli *client.Client, t *task) error {
	p, err := t.pod(ctx, cli)
	if err != nil {
		return err
	}
	say("The page, twice, through the port that the task was offered")
	first, err := visit(ctx, p.url)
	if err != nil {
		return err
	}
	second, err := visit(ctx, p.url)
	if err != nil {
		return err
	}
	if second != first+1 {
		return fmt.Errorf("the count went from %d to %d, not up by one", first, second)
	}
	say("The containers under the task's cgroup, and the limit that binds their sum")
	return p.showCgroup()
}

// say prints what comes next.
func say(what string) { fmt.Printf("\n%s\n", what) }
