package pause

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// connector is a running `pause connect`.
type connector struct {
	*testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.ReadCloser
}

func connect(t *testing.T, args ...string) *connector {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pause")
	require.NoError(t, os.WriteFile(path, binary, 0o755))
	c := &connector{T: t, cmd: exec.Command(path, args...)}
	var err error
	c.in, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	c.out, err = c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	})
	return c
}

// to connects to l, and returns the other side.
func to(t *testing.T, l net.Listener, limit time.Duration) (*connector, *net.TCPConn) {
	t.Helper()
	address := l.Addr().(*net.TCPAddr)
	c := connect(t, Connect(address.IP.To4() == nil, uint16(address.Port), limit)[1:]...)
	peer, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = peer.Close() })
	greeting := make([]byte, 1)
	_, err = io.ReadFull(c.out, greeting)
	require.NoError(t, err)
	require.Equal(t, byte(Connected), greeting[0])
	return c, peer.(*net.TCPConn)
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// ended waits for the end and returns the exit code, or 128 and the signal.
func (c *connector) ended() int {
	c.Helper()
	err := c.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
			return 128 + int(status.Signal())
		}
		return exit.ExitCode()
	}
	require.NoError(c, err)
	return 0
}

func TestConnectRelaysBothWays(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			c, peer := to(t, listen(t, address), time.Minute)
			_, err := c.in.Write([]byte("question"))
			require.NoError(t, err)
			got := make([]byte, 8)
			_, err = io.ReadFull(peer, got)
			require.NoError(t, err)
			require.Equal(t, "question", string(got))
			_, err = peer.Write([]byte("answer"))
			require.NoError(t, err)
			require.NoError(t, peer.Close())
			rest, err := io.ReadAll(c.out)
			require.NoError(t, err)
			require.Equal(t, "answer", string(rest))
			require.Zero(t, c.ended())
		})
	}
}

// TestConnectIsPatient has both directions full at the same time, with readers that come late and take little.
func TestConnectIsPatient(t *testing.T) {
	data := make([]byte, 4<<20)
	_, _ = rand.Read(data)
	c, peer := to(t, listen(t, "127.0.0.1:0"), time.Minute)
	require.NoError(t, peer.SetReadBuffer(256<<10))
	written := make(chan error, 2)
	go func() {
		_, err := c.in.Write(data)
		written <- err
	}()
	go func() {
		_, err := peer.Write(data)
		written <- err
	}()
	time.Sleep(50 * time.Millisecond) // every buffer on the way is full now
	slowly := func(r io.Reader) <-chan []byte {
		all := make(chan []byte, 1)
		go func() {
			got := make([]byte, 0, len(data))
			piece := make([]byte, 1500)
			for len(got) < len(data) {
				n, err := r.Read(piece)
				got = append(got, piece[:n]...)
				if err != nil {
					break
				}
			}
			all <- got
		}()
		return all
	}
	down, up := slowly(c.out), slowly(peer)
	require.True(t, bytes.Equal(data, <-up), "what went in is not what came out at the other side")
	require.True(t, bytes.Equal(data, <-down), "what the other side sent is not what came back")
	require.NoError(t, <-written)
	require.NoError(t, <-written)
}

// TestConnectHalfCloses has the other side answer only when the question has ended.
func TestConnectHalfCloses(t *testing.T) {
	c, peer := to(t, listen(t, "127.0.0.1:0"), time.Minute)
	_, err := c.in.Write([]byte("question"))
	require.NoError(t, err)
	require.NoError(t, c.in.Close())
	question, err := io.ReadAll(peer)
	require.NoError(t, err)
	require.Equal(t, "question", string(question))
	_, err = peer.Write([]byte("answer"))
	require.NoError(t, err)
	require.NoError(t, peer.Close())
	answer, err := io.ReadAll(c.out)
	require.NoError(t, err)
	require.Equal(t, "answer", string(answer))
	require.Zero(t, c.ended())
}

func TestConnectOutlivesNobody(t *testing.T) {
	const sigalrm = 128 + int(syscall.SIGALRM)
	t.Run("the end of stdin", func(t *testing.T) {
		c, _ := to(t, listen(t, "127.0.0.1:0"), time.Hour) // the other side never closes
		require.NoError(t, c.in.Close())
		begin := time.Now()
		require.Equal(t, sigalrm, c.ended())
		require.Less(t, time.Since(begin), 10*time.Second)
	})
	t.Run("the limit", func(t *testing.T) {
		c, _ := to(t, listen(t, "127.0.0.1:0"), time.Millisecond)
		require.Equal(t, sigalrm, c.ended())
	})
	t.Run("an other side that resets", func(t *testing.T) {
		c, peer := to(t, listen(t, "127.0.0.1:0"), time.Hour)
		require.NoError(t, peer.SetLinger(0))
		require.NoError(t, peer.Close())
		require.Equal(t, int(syscall.ECONNRESET), c.ended())
	})
	t.Run("a reader that left", func(t *testing.T) {
		c, peer := to(t, listen(t, "127.0.0.1:0"), time.Hour)
		require.NoError(t, c.out.Close())
		_, err := peer.Write([]byte("answer"))
		require.NoError(t, err)
		require.Equal(t, int(syscall.EPIPE), c.ended())
	})
}

func TestConnectSaysWhatFailed(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	refused := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	for _, family := range []string{"4", "6"} {
		require.Equal(t, int(syscall.ECONNREFUSED), connect(t, "connect", family, strconv.Itoa(refused), "5").ended())
	}
	for _, args := range [][]string{
		{"disconnect", "4", "80", "5"}, {"connect"}, {"connect", "4", "80"}, {"connect", "5", "80", "5"},
		{"connect", "4", "65536", "5"}, {"connect", "4", "", "5"}, {"connect", "4", "-1", "5"}, {"connect", "4", "80", "99999999999999999999"},
		{"connect", "4", "80", "5", "6"},
	} {
		require.Equal(t, int(syscall.EINVAL), connect(t, args...).ended(), args)
	}
}

func TestConnectCommand(t *testing.T) {
	require.Equal(t, []string{"/pause", "connect", "4", "8080", "2"}, Connect(false, 8080, 1001*time.Millisecond))
	require.Equal(t, []string{"/pause", "connect", "6", "65535", "0"}, Connect(true, 65535, 0))
	require.Equal(t, "1073741824", Connect(true, 1, 1<<63-1)[4])
}
