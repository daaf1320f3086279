package main

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// serve answers one connection after the other with the next reply and hands over the commands it got.
func serve(t *testing.T, replies ...string) (redis, <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	commands := make(chan string, len(replies))
	go func() {
		defer func() { _ = l.Close() }()
		for _, reply := range replies {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			command, _ := bufio.NewReader(conn).ReadString('\n')
			commands <- command
			_, _ = conn.Write([]byte(reply))
			_ = conn.Close()
		}
	}()
	return redis(l.Addr().String()), commands
}

func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	return w
}

func TestPageCounts(t *testing.T) {
	r, commands := serve(t, ":1\r\n", ":2\r\n")
	h := handler("Hello & welcome", r)
	w := get(h, "/")
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), `<strong id="count">1</strong> time.`)
	require.Contains(t, w.Body.String(), "Hello &amp; welcome")
	require.Contains(t, get(h, "/").Body.String(), `<strong id="count">2</strong> times.`)
	require.Equal(t, "INCR visits\r\n", <-commands)
}

func TestHealthFollowsRedis(t *testing.T) {
	r, _ := serve(t, "+PONG\r\n", "-LOADING Redis is loading\r\n")
	h := handler("", r)
	require.Equal(t, http.StatusOK, get(h, "/healthz").Code)
	w := get(h, "/healthz")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), "LOADING")
	require.Equal(t, http.StatusServiceUnavailable, get(h, "/").Code, "nothing listens any more")
	require.Equal(t, http.StatusNotFound, get(h, "/nowhere").Code)
}

func TestCheckAsksTheServer(t *testing.T) {
	code := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
	require.NoError(t, healthy(server.URL))
	code = http.StatusServiceUnavailable
	require.ErrorContains(t, healthy(server.URL), "503")
	server.Close()
	require.Error(t, healthy(server.URL))
}

func TestParse(t *testing.T) {
	_, err := parse("$5")
	require.ErrorContains(t, err, "neither")
	_, err = parse("")
	require.Error(t, err)
}
