package box

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/jsonmessage"
	"github.com/stretchr/testify/require"
)

// blank is an image without any file; its containers can be created, and started with the file that copy puts there.
func blank(t *testing.T, cli *client.Client) {
	t.Helper()
	tar := make([]byte, 1024) // two zero blocks: the end of an empty archive
	resp, err := cli.ImageImport(t.Context(), image.ImportSource{Source: strings.NewReader(string(tar)), SourceName: "-"}, "blank:1", image.ImportOptions{})
	require.NoError(t, err)
	require.NoError(t, resp.Close())
}

func TestEngineHasItsOwnPlacesAndLeavesNothing(t *testing.T) {
	b := ForTest(t, Options{Fresh: true})
	cli, err := b.Client()
	require.NoError(t, err)
	defer func() { _ = cli.Close() }()
	info, err := cli.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, b.paths.dockerRoot(), info.DockerRootDir)
	require.Equal(t, "cgroupfs", info.CgroupDriver)

	blank(t, cli)
	created, err := cli.ContainerCreate(t.Context(), &container.Config{Image: "blank:1", Cmd: []string{"/x"}}, nil, nil, nil, "left")
	require.NoError(t, err)
	require.NotEmpty(t, created.ID)
	n, err := cli.NetworkCreate(t.Context(), "left", network.CreateOptions{})
	require.NoError(t, err)
	inspected, err := cli.NetworkInspect(t.Context(), n.ID, network.InspectOptions{})
	require.NoError(t, err)
	subnet, err := netip.ParsePrefix(inspected.IPAM.Config[0].Subnet)
	require.NoError(t, err)
	require.True(t, b.net.pool.Overlaps(subnet), "networks come from the engine's own block")

	require.NoError(t, b.Stop())
	requireNothing(t, b.paths)
	require.DirExists(t, filepath.Join(b.paths.dockerRoot(), "overlay2"), "images are kept")
}

func requireNothing(t *testing.T, p paths) {
	t.Helper()
	pids, err := processes(p)
	require.NoError(t, err)
	require.Empty(t, pids)
	require.NoDirExists(t, p.run)
	_, err = net.InterfaceByName(p.bridge())
	require.Error(t, err)
	roots, err := filepath.Glob("/sys/fs/cgroup/*/" + p.cgroup())
	require.NoError(t, err)
	require.Empty(t, roots)
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), p.data)
}

func TestSecondStartOfOneNameIsRefused(t *testing.T) {
	b := ForTest(t, Options{})
	_, err := Start(t.Context(), b.opts)
	require.ErrorContains(t, err, "in use by process")
	require.NotZero(t, b.PID(), "the first one goes on")
	require.NoError(t, ping(t.Context(), b.paths.socket()))
}

// A run that is killed can't clean: the next one of the same name does.
func TestKilledRunIsCleanedByTheNext(t *testing.T) {
	b, err := Start(t.Context(), Options{Name: t.Name()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sweep(b.paths)) }) // where the test fails half-way
	cli, err := b.Client()
	require.NoError(t, err)
	_, err = cli.NetworkCreate(t.Context(), "left", network.CreateOptions{})
	require.NoError(t, err)
	require.NoError(t, cli.Close())
	old := b.PID()
	require.NoError(t, b.lock.Close()) // what the kernel does for a killed process; daemons, bridges and sockets stay
	require.NoError(t, syscall.Kill(old, 0))

	again := ForTest(t, Options{Name: t.Name()})
	require.ErrorIs(t, syscall.Kill(old, 0), syscall.ESRCH, "the old dockerd is gone")
	require.NoError(t, ping(t.Context(), again.paths.socket()))
	require.NoError(t, again.Stop())
	requireNothing(t, again.paths)
}

func TestKillUpPauseResumeRestart(t *testing.T) {
	b := ForTest(t, Options{LiveRestore: true})
	require.NoError(t, b.Kill())
	require.Zero(t, b.PID())
	require.ErrorContains(t, b.Pause(), "is down")
	require.NoError(t, b.Up(t.Context()))

	require.NoError(t, b.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, ping(ctx, b.paths.socket()), context.DeadlineExceeded)
	require.NoError(t, b.Resume())
	require.NoError(t, ping(t.Context(), b.paths.socket()))

	before := b.PID()
	require.NoError(t, b.Restart(t.Context()))
	require.NotEqual(t, before, b.PID())
}

func TestWrongFlagIsNamed(t *testing.T) {
	_, err := Start(t.Context(), Options{Name: t.Name(), Args: []string{"--no-such-flag"}})
	require.ErrorContains(t, err, "dockerd ended at its start")
	require.ErrorContains(t, err, "--no-such-flag")
	p, err := locate("", t.Name())
	require.NoError(t, err)
	requireNothing(t, p)
}

func TestBlocksAreDisjointAndAvoidWhatIsUsed(t *testing.T) {
	all := blocks()
	for i, b := range all {
		require.True(t, b.all.Contains(b.bridge.Addr()))
		require.True(t, b.all.Overlaps(b.pool))
		require.False(t, b.bridge.Overlaps(b.pool))
		for _, other := range all[i+1:] {
			require.False(t, b.all.Overlaps(other.all))
		}
	}
	got, ok := free([]netip.Prefix{netip.MustParsePrefix("198.18.0.0/16"), netip.MustParsePrefix("10.0.0.0/8")})
	require.True(t, ok)
	require.Equal(t, "198.19.0.0/18", got.all.String())
	_, ok = free([]netip.Prefix{netip.MustParsePrefix("198.18.0.0/15")})
	require.False(t, ok)
}

func TestABlockIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		got, err := awaitBlock(t.Context(), func() (block, error) {
			if time.Since(begin) < 5*time.Second {
				return block{}, errNoBlock
			}
			return blocks()[3], nil
		})
		require.NoError(t, err)
		require.Equal(t, blocks()[3], got)
		_, err = awaitBlock(t.Context(), func() (block, error) { return block{}, errNoBlock })
		require.ErrorIs(t, err, errNoBlock)
		require.Equal(t, 5*time.Second+blockPatience, time.Since(begin))
	})
}

func TestForeignLinkOfOurNameIsLeft(t *testing.T) {
	p, err := locate("", t.Name())
	require.NoError(t, err)
	_, err = ip("link", "add", p.bridge(), "type", "bridge")
	require.NoError(t, err)
	defer func() {
		_, err := ip("link", "delete", p.bridge())
		require.NoError(t, err)
	}()
	_, err = Start(t.Context(), Options{Name: t.Name()})
	require.ErrorContains(t, err, "not ours")
}

func TestRegistryServesOnLoopback(t *testing.T) {
	r, err := StartRegistry(t.Context(), t.TempDir())
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Stop()) }()
	b := ForTest(t, Options{})
	cli, err := b.Client()
	require.NoError(t, err)
	defer func() { _ = cli.Close() }()
	blank(t, cli)
	ref := r.Addr + "/some/blank:1"
	require.NoError(t, cli.ImageTag(t.Context(), "blank:1", ref))
	push, err := cli.ImagePush(t.Context(), ref, image.PushOptions{RegistryAuth: "e30="})
	require.NoError(t, err)
	require.NoError(t, drain(push))
	_, err = cli.ImageRemove(t.Context(), ref, image.RemoveOptions{})
	require.NoError(t, err)
	pull, err := cli.ImagePull(t.Context(), ref, image.PullOptions{})
	require.NoError(t, err)
	require.NoError(t, drain(pull))
	_, err = cli.ImageInspect(t.Context(), ref)
	require.NoError(t, err)
}

// drain reads a stream of progress to its end and returns the error that it carries.
func drain(stream io.ReadCloser) error {
	defer func() { _ = stream.Close() }()
	return jsonmessage.DisplayJSONMessagesStream(stream, io.Discard, 0, false, nil)
}
