package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"
)

func TestResolveAsTheDockerCLI(t *testing.T) {
	const (
		system = "unix:///var/run/docker.sock"
		meta   = `{"Name":"c","Endpoints":{"docker":{"Host":"tcp://c:2376"}}}`
	)
	sum := sha256.Sum256([]byte("c"))
	id := hex.EncodeToString(sum[:])
	metaFile, tlsDir := "/cfg/contexts/meta/"+id+"/meta.json", "/cfg/contexts/tls/"+id+"/docker/"
	type m map[string]string
	for name, c := range map[string]struct {
		given string
		env   m
		files m
		host  string // want
		from  string
		tls   *tlsMaterial
		err   string
	}{
		"nothing":                   {host: system, from: "Docker's default"},
		"given":                     {given: "unix:///a", env: m{"DOCKER_HOST": "unix:///b"}, host: "unix:///a", from: "the label x"},
		"environment":               {env: m{"DOCKER_HOST": "unix:///b", "DOCKER_CONTEXT": "c"}, host: "unix:///b", from: "DOCKER_HOST"},
		"no scheme":                 {env: m{"DOCKER_HOST": "h:2375"}, host: "tcp://h:2375", from: "DOCKER_HOST"},
		"no port":                   {env: m{"DOCKER_HOST": "tcp://h"}, host: "tcp://h:2375", from: "DOCKER_HOST"},
		"bare unix":                 {env: m{"DOCKER_HOST": "unix://"}, host: system, from: "DOCKER_HOST"},
		"no address":                {env: m{"DOCKER_HOST": "http://h"}, err: "is no address of a Docker engine"},
		"a slash too few":           {env: m{"DOCKER_HOST": "unix:/run/docker.sock"}, err: "lacks slashes: use unix:///run/docker.sock"},
		"ssh":                       {env: m{"DOCKER_HOST": "ssh://h"}, err: "a ssh address of a Docker engine is not supported"},
		"context from environment":  {env: m{"DOCKER_CONTEXT": "c"}, files: m{"/cfg/config.json": `{"currentContext":"x"}`, metaFile: meta}, host: "tcp://c:2376", from: `docker context "c"`},
		"context from config":       {files: m{"/cfg/config.json": `{"currentContext":"c"}`, metaFile: meta}, host: "tcp://c:2376", from: `docker context "c"`},
		"context named default":     {env: m{"DOCKER_CONTEXT": "default"}, host: system, from: "Docker's default"},
		"config without context":    {files: m{"/cfg/config.json": `{"auths":{}}`}, host: system, from: "Docker's default"},
		"context missing":           {env: m{"DOCKER_CONTEXT": "c"}, err: `the docker context "c" named by DOCKER_CONTEXT does not exist in /cfg`},
		"config broken":             {files: m{"/cfg/config.json": `{`}, err: "/cfg/config.json can't be read"},
		"context broken":            {env: m{"DOCKER_CONTEXT": "c"}, files: m{metaFile: `[]`}, err: metaFile},
		"context of something else": {env: m{"DOCKER_CONTEXT": "c"}, files: m{metaFile: `{"Endpoints":{"kubernetes":{}}}`}, err: "has no docker endpoint"},
		"context with TLS": {
			env:   m{"DOCKER_CONTEXT": "c"},
			files: m{metaFile: meta, tlsDir + "ca.pem": "A", tlsDir + "cert.pem": "C", tlsDir + "key.pem": "K"},
			host:  "tcp://c:2376", from: `docker context "c"`, tls: &tlsMaterial{ca: []byte("A"), cert: []byte("C"), key: []byte("K")},
		},
		"context that skips verification": {
			env:   m{"DOCKER_CONTEXT": "c"},
			files: m{metaFile: `{"Endpoints":{"docker":{"Host":"tcp://c:2376","SkipTLSVerify":true}}}`},
			host:  "tcp://c:2376", from: `docker context "c"`, tls: &tlsMaterial{skipVerify: true},
		},
		"context with half a pair": {env: m{"DOCKER_CONTEXT": "c"}, files: m{metaFile: meta, tlsDir + "key.pem": "K"}, err: "only one of cert.pem and key.pem"},
		"TLS verified": {
			env: m{"DOCKER_HOST": "tcp://h:2375", "DOCKER_TLS_VERIFY": "1"}, files: m{"/cfg/ca.pem": "A"},
			host: "tcp://h:2375", from: "DOCKER_HOST", tls: &tlsMaterial{ca: []byte("A")},
		},
		"TLS with a folder of its own": {
			env: m{"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS": "1", "DOCKER_CERT_PATH": "/certs"}, files: m{"/certs/ca.pem": "A"},
			host: "tcp://h:1", from: "DOCKER_HOST", tls: &tlsMaterial{ca: []byte("A"), skipVerify: true},
		},
		"TLS without CA":  {env: m{"DOCKER_HOST": "tcp://h:1", "DOCKER_TLS_VERIFY": "1"}, err: "/cfg/ca.pem is missing"},
		"TLS on a socket": {env: m{"DOCKER_HOST": "unix:///b", "DOCKER_TLS_VERIFY": "1"}, host: "unix:///b", from: "DOCKER_HOST"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resolve(surroundings{
				host: c.given, from: "the label x", configDir: "/cfg",
				env: func(key string) string { return c.env[key] },
				readFile: func(path string) ([]byte, error) {
					if data, ok := c.files[path]; ok {
						return []byte(data), nil
					}
					return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
				},
			})
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.True(t, errdefs.IsInvalidArgument(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, endpoint{host: c.host, source: c.from, given: c.given != "", tls: c.tls}, got)
		})
	}
}

func TestDialErrorsSayWhatToDo(t *testing.T) {
	for want, cause := range map[string]error{
		"there is no such socket; start dockerd": os.NewSyscallError("connect", syscall.ENOENT),
		"nobody listens there; start dockerd":    os.NewSyscallError("connect", syscall.ECONNREFUSED),
		"add the user to the socket's group":     os.NewSyscallError("connect", syscall.EACCES),
		"no route to host; check the address":    os.NewSyscallError("connect", syscall.EHOSTUNREACH),
	} {
		err := &dialError{endpoint{host: "unix:///x", source: "DOCKER_HOST"}, &net.OpError{Op: "dial", Net: "unix", Err: cause}}
		require.ErrorContains(t, err, "no Docker engine answers at unix:///x (from DOCKER_HOST): ")
		require.ErrorContains(t, err, want)
		require.True(t, errdefs.IsUnavailable(err))
		for _, text := range []string{"dial unix", "connection refused"} {
			require.False(t, strings.Contains(err.Error(), text), "docker/client would replace this error")
		}
		var op *net.OpError
		require.True(t, errors.As(err, &op))
	}
}

func TestCheckHost(t *testing.T) {
	for _, host := range []string{"unix:///run/docker.sock", "tcp://10.0.0.1:2376", "tcp://engine"} {
		require.NoError(t, CheckHost(host), host)
	}
	for _, host := range []string{"", "engine", "engine:2375", "unix:/run/docker.sock", "ssh://engine", "http://engine:2375"} {
		require.True(t, errdefs.IsInvalidArgument(CheckHost(host)), host)
	}
}
