// Package harness is what the tests share that run dce-executor under the embedded agent: a private engine with the tests'
// images, an agent with a root of cgroups of its own, tasks on their way, and full listings of what is there. It never filters
// by our own labels, and knows nothing of what a test is about.
package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/tests/box"
	"github.com/dce-go/dce/tests/images"
)

// Engine is a private engine with the tests' images in it.
type Engine struct {
	Box    *box.Box
	Docker *client.Client
}

// Main runs a package's tests between what run starts and stops, and ends the process.
func Main(m *testing.M, name string, run func(*testing.M) (code int, err error)) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		code = 1
	}
	os.Exit(code)
}

// Start starts an engine. Stop it.
func Start(ctx context.Context, o box.Options) (*Engine, error) {
	checkout, err := box.Checkout()
	if err != nil {
		return nil, err
	}
	b, err := box.Start(ctx, o) // which ends the containers of a killed run
	if err != nil {
		return nil, err
	}
	removeStale()
	e := &Engine{Box: b}
	if e.Docker, err = b.Client(); err == nil {
		_, err = images.Load(ctx, e.Docker, checkout)
	}
	if err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	return e, nil
}

// Stop ends the engine with all that is in it.
func (e *Engine) Stop() error {
	var err error
	if e.Docker != nil {
		err = e.Docker.Close()
	}
	return errors.Join(err, e.Box.Stop())
}

// List is a full listing: all containers with their states and ids, all networks and volumes of the engine, and all cgroups
// below the roots, each as a line that begins with its kind and its name.
func (e *Engine) List(t testing.TB, cgroupRoots ...string) []string {
	t.Helper()
	ctx := context.Background()
	var out []string
	containers, err := e.Docker.ContainerList(ctx, container.ListOptions{All: true})
	require.NoError(t, err)
	for _, c := range containers {
		out = append(out, "container "+strings.TrimPrefix(strings.Join(c.Names, ","), "/")+" "+string(c.State)+" "+c.ID)
	}
	networks, err := e.Docker.NetworkList(ctx, network.ListOptions{})
	require.NoError(t, err)
	for _, n := range networks {
		out = append(out, "network "+n.Name+" "+n.ID)
	}
	volumes, err := e.Docker.VolumeList(ctx, volume.ListOptions{})
	require.NoError(t, err)
	for _, v := range volumes.Volumes {
		out = append(out, "volume "+v.Name)
	}
	for _, root := range cgroupRoots {
		for _, dir := range Cgroups(root) {
			out = append(out, "cgroup "+dir)
		}
	}
	slices.Sort(out)
	return out
}

// Difference is what a later listing has more ("+ ") and less ("- ") than an earlier one; nil for none.
func Difference(before, now []string) []string {
	var out []string
	for _, s := range now {
		if !slices.Contains(before, s) {
			out = append(out, "+ "+s)
		}
	}
	for _, s := range before {
		if !slices.Contains(now, s) {
			out = append(out, "- "+s)
		}
	}
	return out
}

// pollEvery is how often a listing is made while Settle waits.
const pollEvery = 20 * time.Millisecond

// Settle waits until a listing is as wanted.
func Settle(t testing.TB, limit time.Duration, want []string, list func() []string) {
	t.Helper()
	for deadline := time.Now().Add(limit); ; time.Sleep(pollEvery) {
		left := Difference(want, list())
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			require.Empty(t, left, "after %v something is left (+), or something foreign is gone (-)", limit)
		}
	}
}

// FreePort is a port of the host that nobody listens on, on any address. It is none of those that the kernel gives out to
// whoever asks for any (net.ipv4.ip_local_port_range): such a one could be taken again before it is used.
func FreePort(t testing.TB) uint64 {
	t.Helper()
	for range 1000 {
		port := 20000 + rand.Uint64N(10000)
		if l, err := net.Listen("tcp", fmt.Sprintf(":%d", port)); err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	require.FailNow(t, "no port of 20000-29999 is free")
	return 0
}

// Services are the containers with a label of this value, in any state, by the value of another.
func (e *Engine) Services(t testing.TB, label, value, by string) map[string]container.Summary {
	t.Helper()
	all, err := e.Docker.ContainerList(context.Background(), container.ListOptions{All: true})
	require.NoError(t, err)
	out := map[string]container.Summary{}
	for _, c := range all {
		if c.Labels[label] == value {
			out[c.Labels[by]] = c
		}
	}
	return out
}
