package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"github.com/stretchr/testify/require"
)

func TestListReadsTheStatusText(t *testing.T) {
	for _, c := range []struct {
		state, text string
		want        Container
		told        bool
	}{
		{"created", "Created", Container{Status: StatusCreated}, true},
		{"running", "Up 2 hours", Container{Status: StatusRunning}, true},
		{"running", "Up 3 seconds (healthy)", Container{Status: StatusRunning, Health: HealthHealthy}, true},
		{"running", "Up Less than a second (health: starting)", Container{Status: StatusRunning, Health: HealthStarting}, true},
		{"running", "Up 5 minutes (unhealthy)", Container{Status: StatusRunning, Health: HealthUnhealthy}, true},
		{"paused", "Up 5 minutes (Paused)", Container{Status: StatusPaused}, true},
		{"restarting", "Restarting (1) 3 seconds ago", Container{Status: StatusRestarting}, true},
		{"removing", "Removal In Progress", Container{Status: StatusRemoving}, true},
		{"exited", "Exited (137) 5 minutes ago", Container{Status: StatusExited, ExitCode: 137}, true},
		{"exited", "Exited (-1) Less than a second ago", Container{Status: StatusExited, ExitCode: -1}, true},
		{"exited", "Exited", Container{Status: StatusExited}, false},
		{"exited", "Exited (99999999999999999999) 1 second ago", Container{Status: StatusExited}, false},
		{"dead", "Dead", Container{Status: StatusDead}, false},
	} {
		got, told := fromSummary(&container.Summary{State: c.state, Status: c.text})
		require.Equal(t, c.told, told, c.text)
		if told {
			c.want.Created = time.Unix(0, 0)
			require.Equal(t, c.want, got, c.text)
		}
	}
}

func TestAContainersOwnName(t *testing.T) {
	require.Equal(t, "db", ownName([]string{"/web/alias", "/db"}))
	require.Empty(t, ownName(nil))
}

func TestPublishedPortsAreSorted(t *testing.T) {
	require.Equal(t, []Port{{"0.0.0.0", 80, 8080, "tcp"}, {"::", 80, 8080, "tcp"}, {"0.0.0.0", 80, 8080, "udp"}}, published([]container.Port{
		{IP: "0.0.0.0", PublicPort: 80, PrivatePort: 8080, Type: "udp"}, {PrivatePort: 9, Type: "tcp"},
		{IP: "::", PublicPort: 80, PrivatePort: 8080, Type: "tcp"}, {IP: "0.0.0.0", PublicPort: 80, PrivatePort: 8080, Type: "tcp"},
	}))
}

func TestWhatEachAPIVersionIsAskedFor(t *testing.T) {
	const mac = "02:42:ac:11:00:02"
	grace := 3
	spec := func(change func(*ContainerSpec)) *ContainerSpec {
		s := &ContainerSpec{
			Service: "web", Config: &container.Config{StopTimeout: &grace}, Host: &container.HostConfig{NetworkMode: "b"},
			Networks: map[string]*network.EndpointSettings{"a": {}, "b": {MacAddress: mac}, "c": {}},
		}
		change(s)
		return s
	}
	same := func(*ContainerSpec) {}

	r, err := newCreation(spec(same), "1.44")
	require.NoError(t, err)
	require.Len(t, r.endpoints, 3)
	require.Empty(t, r.later)
	require.Equal(t, mac, r.endpoints["b"].MacAddress)

	r, err = newCreation(spec(same), "1.43")
	require.NoError(t, err)
	require.Equal(t, map[string]*network.EndpointSettings{"b": {}}, r.endpoints)
	require.Equal(t, []string{"a", "c"}, r.later)
	require.Equal(t, mac, r.config.MacAddress) //nolint:staticcheck // older engines have it
	require.Equal(t, &grace, r.config.StopTimeout)

	r, err = newCreation(spec(same), "1.24")
	require.NoError(t, err)
	require.Nil(t, r.config.StopTimeout)

	old := func(s *ContainerSpec) {
		s.Networks["b"].MacAddress, s.Config.MacAddress = "", mac //nolint:staticcheck // older files have it
	}
	r, err = newCreation(spec(old), "1.44")
	require.NoError(t, err)
	require.Equal(t, mac, r.endpoints["b"].MacAddress)

	r, err = newCreation(spec(func(s *ContainerSpec) { s.Host, s.Networks["b"].MacAddress = nil, "" }), "1.43")
	require.NoError(t, err)
	require.Equal(t, []string{"b", "c"}, r.later, "without a mode the first by name is the primary one")

	r, err = newCreation(spec(func(s *ContainerSpec) { s.Platform = "linux/arm64/v8" }), "1.41")
	require.NoError(t, err)
	require.Equal(t, "v8", r.platform.Variant)

	for version, c := range map[string]struct {
		change func(*ContainerSpec)
		want   string
	}{
		"1.43": {
			func(s *ContainerSpec) { s.Config.Healthcheck = &container.HealthConfig{StartInterval: time.Second} },
			"service web: healthcheck.start_interval needs Docker API 1.44 (Docker 25), this engine speaks 1.43: remove the key or upgrade Docker",
		},
		"1.42": {
			func(s *ContainerSpec) { s.Networks["c"].MacAddress = mac },
			"service web: networks.c.mac_address (of another network than the first) needs Docker API 1.44 (Docker 25), this engine speaks 1.42: remove the key or upgrade Docker",
		},
		"1.40": {
			func(s *ContainerSpec) { s.Platform = "linux/arm64" },
			"service web: platform needs Docker API 1.41 (Docker 20.10), this engine speaks 1.40: remove the key or upgrade Docker",
		},
	} {
		_, err := newCreation(spec(c.change), version)
		require.EqualError(t, err, c.want)
		require.True(t, errdefs.IsInvalidArgument(err))
	}
}

func frame(stream byte, text string) []byte {
	header := [8]byte{stream}
	binary.BigEndian.PutUint32(header[4:], uint32(len(text)))
	return append(header[:], text...)
}

func TestLogFrames(t *testing.T) {
	const stamp = "2026-01-02T03:04:05.000000006Z "
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for name, c := range map[string]struct {
		in   []byte
		want []string
		err  string
	}{
		"nothing":       {},
		"two":           {append(frame(1, stamp+"a\n"), frame(2, stamp+"b c\n")...), []string{"false a\n", "true b c\n"}, ""},
		"empty line":    {frame(1, stamp), []string{"false "}, ""},
		"cut header":    {[]byte{1, 0, 0}, nil, "unexpected EOF"},
		"cut entry":     {frame(1, stamp+"a\n")[:20], nil, "unexpected EOF"},
		"header only":   {frame(1, stamp+"a\n")[:8], nil, "unexpected EOF"},
		"engine's":      {frame(3, "driver gone"), nil, "the engine can't read the container's log: driver gone"},
		"no time":       {frame(1, "hello world"), nil, `a log entry begins with "hello world" where its time should be`},
		"absurd length": {[]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, nil, "is over the limit"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			err := readFrames(bytes.NewReader(c.in), func(e LogEntry) error {
				require.True(t, e.Time.Equal(at))
				got = append(got, fmt.Sprintf("%v %s", e.Stderr, e.Data))
				return nil
			})
			require.Equal(t, c.want, got)
			if c.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.err)
			}
		})
	}
}

func FuzzLogFrames(f *testing.F) {
	f.Add(frame(1, "2026-01-02T03:04:05Z a\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		_ = readFrames(bytes.NewReader(in), func(e LogEntry) error {
			require.LessOrEqual(t, len(e.Data), len(in))
			return nil
		})
	})
}

func TestEventsFromMessages(t *testing.T) {
	message := func(action string) events.Message {
		return events.Message{Action: events.Action(action), TimeNano: 1e9 + 5, Actor: events.Actor{ID: "1", Attributes: map[string]string{
			"name": "web", "image": "i", "exitCode": "137", "execDuration": "3", "signal": "9", "io.dce.pod": "p",
		}}}
	}
	want := Event{Action: "die", ID: "1", Name: "web", Labels: map[string]string{"io.dce.pod": "p"}, ExitCode: 137, Time: time.Unix(1, 5)}
	require.Equal(t, want, fromMessage(message("die")))
	want.Action, want.ExitCode, want.Health = "health_status", 0, HealthUnhealthy
	require.Equal(t, want, fromMessage(message("health_status: unhealthy")))
}

func TestEveryErrorHasAClass(t *testing.T) {
	api := &dockerAPI{host: "unix:///x"}
	call := Call{MethodStart, KindContainer, "web"}
	for _, c := range []struct {
		err  error
		is   func(error) bool
		want string
	}{
		{fmt.Errorf("Error response from daemon: no such container: %w", errdefs.ErrNotFound), errdefs.IsNotFound, "container web: no such container: not found"},
		{errors.New("odd"), errdefs.IsInternal, "container web: odd"},
		{errors.New("failed with output: \n error: none\n"), errdefs.IsInternal, "container web: failed with output: error: none"},
		{fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), errdefs.IsUnavailable, "the Docker engine at unix:///x broke off its answer (Start container web): reading: unexpected EOF; if it does not come back, look into dockerd's log"},
		{invalid("bad %s", "key"), errdefs.IsInvalidArgument, "bad key"},
	} {
		got := api.explain(call, c.err)
		require.EqualError(t, got, c.want)
		require.True(t, c.is(got))
	}
	require.NoError(t, api.explain(call, nil))
	require.EqualError(t, api.explain(Call{Method: MethodList}, errors.New("odd")), "the Docker engine at unix:///x failed (List): odd")
}

func TestWhatIsRepeated(t *testing.T) {
	unreached := fmt.Errorf("calling: %w", &dialError{cause: io.EOF})
	for method, want := range map[Method][2]bool{ // after an answer that never came, and where nothing was sent
		MethodCreate: {true, true}, MethodStart: {true, true}, MethodRemove: {true, true}, MethodPull: {true, true},
		MethodSignal: {false, true}, MethodLogs: {}, MethodEvents: {}, MethodLoad: {},
	} {
		require.Equal(t, want[0], repeatable(Call{Method: method}, errdefs.ErrUnavailable), method)
		require.Equal(t, want[1], repeatable(Call{Method: method}, unreached), method)
		require.False(t, repeatable(Call{Method: method}, errdefs.ErrConflict), method)
	}
}

// progressing is an engine whose answer to a pull is a line now and then.
type progressing []time.Duration // the pauses before each line

func (p progressing) RoundTrip(r *http.Request) (*http.Response, error) {
	body, line := io.Pipe()
	context.AfterFunc(r.Context(), func() { _ = line.CloseWithError(r.Context().Err()) })
	go func() {
		for _, pause := range p {
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
				return
			}
			_, _ = io.WriteString(line, `{"status":"Downloading"}`+"\n")
		}
		_ = line.Close()
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: r}, nil
}

func TestOnlyAPullThatIsSilentIsStalled(t *testing.T) {
	for name, c := range map[string]struct {
		pauses  progressing
		stalled bool
	}{
		"it goes on":       {slices.Repeat(progressing{2 * time.Second}, 10), false},
		"it falls silent":  {progressing{2 * time.Second, 2 * time.Second, 4 * time.Second}, true},
		"it never answers": {progressing{time.Hour}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cli, err := client.NewClientWithOpts(client.WithHost("tcp://engine:1"), client.WithHTTPClient(&http.Client{Transport: c.pauses}), client.WithVersion("1.51"))
				require.NoError(t, err)
				begun := time.Now()
				err = (&dockerAPI{cli: cli, configDir: t.TempDir(), pullIdle: 3 * time.Second}).Pull(t.Context(), "r.example/slow:1", "")
				if !c.stalled {
					require.NoError(t, err)
					require.Equal(t, 20*time.Second, time.Since(begun))
					return
				}
				require.True(t, errdefs.IsUnavailable(err), "%v", err)
				require.ErrorContains(t, err, "the pull stalled, nothing came for 3s")
			})
		})
	}
}
