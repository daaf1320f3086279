package engine_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
	"github.com/dce-go/dce/tests/harness"
)

const user, password = "dce", "wonderland"

// passwordHash is bcrypt of password, as a registry's htpasswd file holds it.
const passwordHash = "$2b$05$abcdefghijklmnopqrstuuA0vov2GDneHB3.8.cv9UF9g.RdvScIW"

// startRegistry runs Debian's docker-registry on loopback until the test ends, and returns its host.
func startRegistry(t *testing.T, withLogin bool) string {
	t.Helper()
	binary, err := exec.LookPath("docker-registry")
	require.NoError(t, err, "this test needs Debian's docker-registry: run `make test`, or apt-get install docker-registry")
	host := fmt.Sprintf("127.0.0.1:%d", harness.FreePort(t))

	dir := t.TempDir()
	config := fmt.Sprintf("version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\n", dir, host)
	if withLogin {
		file := filepath.Join(dir, "htpasswd")
		require.NoError(t, os.WriteFile(file, []byte(user+":"+passwordHash+"\n"), 0o600))
		config += fmt.Sprintf("auth: {htpasswd: {realm: test, path: %s}}\n", file)
	}
	file := filepath.Join(dir, "config.yml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
	ctx, stop := context.WithCancel(context.Background())
	server := exec.CommandContext(ctx, binary, "serve", file)
	var output bytes.Buffer
	server.Stdout, server.Stderr = &output, &output
	require.NoError(t, server.Start())
	t.Cleanup(func() { stop(); _ = server.Wait() })
	require.Eventually(t, func() bool {
		answer, err := http.Get("http://" + host + "/v2/")
		if err == nil {
			_ = answer.Body.Close()
		}
		return err == nil
	}, soon, 20*time.Millisecond, "docker-registry does not come up")
	return host
}

// push puts the test's image into a registry under ref and removes it from the engine.
func push(t *testing.T, docker *engine.Docker, ref string) {
	t.Helper()
	require.NoError(t, docker.Load(t.Context(), ref, busybox(t), container.Config{Env: []string{"PATH=/bin"}}))
	cli := rawClient(t)
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{Username: user, Password: password})
	require.NoError(t, err)
	answer, err := cli.ImagePush(t.Context(), ref, image.PushOptions{RegistryAuth: auth})
	require.NoError(t, err)
	text, err := io.ReadAll(answer)
	require.NoError(t, err)
	require.NoError(t, answer.Close())
	require.NotContains(t, string(text), "errorDetail")
	_, err = cli.ImageRemove(t.Context(), ref, image.RemoveOptions{Force: true})
	require.NoError(t, err)
}

func TestPullFromARegistry(t *testing.T) {
	host := startRegistry(t, false)
	docker := connect(t, engine.ConnectOptions{ConfigDir: t.TempDir()})
	ref := host + "/dce/pulled:1"
	push(t, docker, ref)
	_, err := docker.Image(t.Context(), ref)
	require.True(t, errdefs.IsNotFound(err), "%v", err)

	require.NoError(t, docker.Pull(t.Context(), ref, ""))
	removeImages(t, ref)
	found, err := docker.Image(t.Context(), ref)
	require.NoError(t, err)
	require.Len(t, found.Digests, 1)
	require.NoError(t, docker.Pull(t.Context(), host+"/dce/pulled@"+strings.SplitN(found.Digests[0], "@", 2)[1], ""))

	for _, missing := range []string{host + "/dce/pulled:2", host + "/dce/nobody:1"} {
		err = docker.Pull(t.Context(), missing, "")
		require.True(t, errdefs.IsNotFound(err), "%v", err)
		require.ErrorContains(t, err, "image "+missing+": ")
	}
	err = docker.Pull(t.Context(), "Bad Name", "")
	require.True(t, errdefs.IsInvalidArgument(err), "%v", err)
	err = docker.Pull(t.Context(), "127.0.0.1:1/dce/nobody:1", "")
	require.True(t, errdefs.IsUnavailable(err), "%v", err)
}

func TestPullWithCredentials(t *testing.T) {
	host := startRegistry(t, true)
	dir := t.TempDir()
	docker := connect(t, engine.ConnectOptions{ConfigDir: dir})
	ref := host + "/dce/private:1"
	push(t, docker, ref)

	err := docker.Pull(t.Context(), ref, "")
	require.True(t, errdefs.IsUnavailable(err) || errdefs.IsUnauthorized(err), "%v", err)
	require.ErrorContains(t, err, fmt.Sprintf("if it needs a login: %s/config.json has none for %s (docker login)", dir, host))

	login := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	config := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, login)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600))
	require.NoError(t, docker.Pull(t.Context(), ref, ""))
	removeImages(t, ref)

	helper := "#!/bin/sh\necho '{\"ServerURL\":\"" + host + "\",\"Username\":\"" + user + "\",\"Secret\":\"" + password + "\"}'\n"
	bin := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(bin, "docker-credential-dcetest"), []byte(helper), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	config = fmt.Sprintf(`{"credHelpers":{%q:"dcetest"}}`, host)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600))
	require.NoError(t, docker.Pull(t.Context(), ref, ""))

	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte("{"), 0o600))
	err = docker.Pull(t.Context(), ref, "")
	require.True(t, errdefs.IsInvalidArgument(err), "%v", err)
	require.ErrorContains(t, err, dir)
}

func TestPullReadsTheErrorsInTheStream(t *testing.T) {
	const progress = `{"status":"Pulling from a","id":"1"}` + "\n"
	answers := map[string]struct {
		status int
		body   string
		is     func(error) bool
	}{
		"done:1":    {200, progress, func(err error) bool { return err == nil }},
		"missing:1": {404, `{"message":"manifest unknown"}`, errdefs.IsNotFound},
		"denied:1":  {403, `{"message":"denied"}`, errdefs.IsPermissionDenied},
		"login:1":   {401, `{"message":"login first"}`, errdefs.IsUnauthorized},
		"dns:1":     {500, `{"message":"no such host"}`, errdefs.IsUnavailable},
		"cut:1":     {200, progress + `{"status":"Down`, errdefs.IsUnavailable},
		"layer:1":   {200, progress + `{"errorDetail":{"message":"reset"},"error":"reset"}`, errdefs.IsUnavailable},
		"code404:1": {200, progress + `{"errorDetail":{"code":404,"message":"none"},"error":"none"}`, errdefs.IsNotFound},
		"code403:1": {200, progress + `{"errorDetail":{"code":403,"message":"no"},"error":"no"}`, errdefs.IsPermissionDenied},
		"code401:1": {200, progress + `{"errorDetail":{"code":401,"message":"no"},"error":"no"}`, errdefs.IsUnauthorized},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.51")
		w.Header().Set("Content-Type", "application/json")
		if a, ok := answers[strings.TrimPrefix(r.URL.Query().Get("fromImage"), "r.example/")+":"+r.URL.Query().Get("tag")]; ok {
			w.WriteHeader(a.status)
			_, _ = io.WriteString(w, a.body)
		}
	}))
	defer server.Close()
	docker := through(t, server, engine.ConnectOptions{ConfigDir: t.TempDir()})
	for ref, a := range answers {
		err := docker.Pull(t.Context(), "r.example/"+ref, "")
		require.True(t, a.is(err), "%s: %v", ref, err)
		if err != nil {
			require.ErrorContains(t, err, "r.example/"+ref)
		}
	}
}

// Whoever waits for an engine to come back does not wait for a registry.
func TestARegistryInTroubleIsNoEngineInTrouble(t *testing.T) {
	const progress = `{"status":"Pulling from a","id":"1"}` + "\n"
	var tries atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.51")
		switch strings.TrimPrefix(r.URL.Query().Get("fromImage"), "r.example/") {
		case "dns":
			tries.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"message":"no such host"}`)
		case "layer":
			tries.Add(1)
			_, _ = io.WriteString(w, progress+`{"errorDetail":{"message":"reset"},"error":"reset"}`)
		case "cut": // once
			if tries.Add(1) == 1 {
				_, _ = io.WriteString(w, progress+`{"status":"Down`)
			}
		}
	}))
	defer server.Close()
	log := logrus.New()
	log.SetOutput(io.Discard)
	docker := engine.Intercept(through(t, server, engine.ConnectOptions{ConfigDir: t.TempDir()}), engine.Retry(soon, log))
	for _, name := range []string{"dns", "layer"} {
		tries.Store(0)
		require.Error(t, docker.Pull(t.Context(), "r.example/"+name+":1", ""))
		require.EqualValues(t, 1, tries.Load(), name)
	}
	tries.Store(0)
	require.NoError(t, docker.Pull(t.Context(), "r.example/cut:1", ""))
	require.EqualValues(t, 2, tries.Load())
}
