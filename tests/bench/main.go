// Command bench measures dce against its peers and against the raw API of the same engine, everything in one run and in
// turns, and prints tables. It is run inside of a private engine by `make bench`, and never fails for being slow: numbers are
// for reading.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/dce-go/dce/go/engine"
)

var (
	rounds = flag.Int("rounds", 9, "how often each thing is measured; the table shows medians")
	idle   = flag.Duration("idle", 30*time.Second, "how long the idle executor is watched")
	peers  = flag.String("peers", "build/peers", "where docker-compose (v5) was built; docker-compose 1.29 is taken from PATH")
	only   = flag.String("only", "", "one of up, stop, react, idle, reap")
)

func main() {
	flag.Parse()
	if err := bench(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context) error {
	host := os.Getenv("DCE_TEST_DOCKER_HOST")
	if host == "" {
		return errors.New("DCE_TEST_DOCKER_HOST names no engine: run `make bench`")
	}
	gw, err := engine.Connect(ctx, engine.ConnectOptions{Host: host})
	if err != nil {
		return err
	}
	defer func() { _ = gw.Close() }()
	b := &bencher{host: host, gw: gw}
	if err := b.start(); err != nil {
		return err
	}
	defer b.close()
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"up", b.up}, {"stop", b.stop}, {"react", b.react}, {"idle", b.idle}, {"reap", b.reap}} {
		if *only == "" || *only == part.name {
			if err := part.run(ctx); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
	}
	return nil
}

// samples are times of one thing.
type samples []time.Duration

func (s samples) median() time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return sorted[len(sorted)/2]
}

func (s samples) String() string {
	if len(s) == 0 {
		return fmt.Sprintf("%8s %8s %8s", "–", "–", "–")
	}
	ms := func(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000) }
	return fmt.Sprintf("%8s %8s %8s", ms(s.median()), ms(slices.Min(s)), ms(slices.Max(s)))
}
