package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/docker/cli/opts"
)

// endpoint is where an engine is reached, and who said so.
type endpoint struct {
	host   string // "unix:///path" or "tcp://host:port[/path]"
	source string // for people: "DOCKER_HOST", `docker context "x"`, …
	given  bool   // by the caller: no variable changes it
	tls    *tlsMaterial
}

// tlsMaterial is PEM, as the docker CLI stores it; nil parts are not there.
type tlsMaterial struct {
	ca, cert, key []byte
	skipVerify    bool
}

// surroundings is what an endpoint is resolved from.
type surroundings struct {
	host      string // given by the caller, before all else
	from      string // who gave it, for people
	configDir string // of the docker CLI
	env       func(string) string
	readFile  func(string) ([]byte, error)
}

const defaultContext = "default"

// resolve finds the engine in the docker CLI's order: the caller's host, DOCKER_HOST, DOCKER_CONTEXT, currentContext of
// config.json, the default socket (docker/cli, cli/command/cli.go: resolveContextName, resolveDefaultDockerEndpoint).
func resolve(s surroundings) (endpoint, error) {
	if s.host != "" {
		e, err := s.direct(s.host, s.from)
		e.given = true
		return e, err
	}
	if host := s.env("DOCKER_HOST"); host != "" {
		return s.direct(host, "DOCKER_HOST")
	}
	name, source := s.env("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
	if name == "" {
		source = filepath.Join(s.configDir, "config.json")
		var err error
		if name, err = s.currentContext(source); err != nil {
			return endpoint{}, err
		}
	}
	if name == "" || name == defaultContext {
		return s.direct("", "Docker's default")
	}
	return s.fromContext(name, source)
}

func (s surroundings) currentContext(path string) (string, error) {
	data, err := s.readFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", nil // as the CLI does: no context is named
	}
	var config struct {
		CurrentContext string `json:"currentContext"`
	}
	if err == nil {
		err = json.Unmarshal(data, &config)
	}
	if err != nil {
		return "", invalid("%s can't be read (%v): mend it, or name the engine with DOCKER_HOST", path, err)
	}
	return config.CurrentContext, nil
}

// direct is an engine named by its address. TLS comes from DOCKER_TLS, DOCKER_TLS_VERIFY and DOCKER_CERT_PATH
// (docker/cli, cli/flags/options.go).
func (s surroundings) direct(host, source string) (endpoint, error) {
	verify := s.env("DOCKER_TLS_VERIFY") != ""
	useTLS := verify || s.env("DOCKER_TLS") != ""
	e, err := parseHost(host, source, useTLS)
	if err != nil || !useTLS || strings.HasPrefix(e.host, "unix:") {
		return e, err
	}
	dir := s.env("DOCKER_CERT_PATH")
	if dir == "" {
		dir = s.configDir
	}
	e.tls, err = s.readTLS(dir)
	if err != nil {
		return endpoint{}, err
	}
	if verify && e.tls.ca == nil {
		return endpoint{}, invalid("DOCKER_TLS_VERIFY is set but %s is missing: put the engine's CA there, or set DOCKER_CERT_PATH", filepath.Join(dir, "ca.pem"))
	}
	e.tls.skipVerify = !verify
	return e, nil
}

// fromContext reads a context as `docker context create` stores it (docker/cli, cli/context/store: metadatastore.go, tlsstore.go).
func (s surroundings) fromContext(name, source string) (endpoint, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	path := filepath.Join(s.configDir, "contexts", "meta", id, "meta.json")
	data, err := s.readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return endpoint{}, invalid("the docker context %q named by %s does not exist in %s: see docker context ls, or set DOCKER_HOST", name, source, s.configDir)
	}
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	if err == nil {
		err = json.Unmarshal(data, &meta)
	}
	if err != nil {
		return endpoint{}, invalid("%s, the docker context %q, can't be read (%v): mend it, or set DOCKER_HOST", path, name, err)
	}
	docker, ok := meta.Endpoints["docker"]
	if !ok {
		return endpoint{}, invalid("the docker context %q in %s has no docker endpoint: choose another with docker context use, or set DOCKER_HOST", name, path)
	}
	e, err := parseHost(docker.Host, fmt.Sprintf("docker context %q", name), false)
	if err != nil || strings.HasPrefix(e.host, "unix:") {
		return e, err
	}
	material, err := s.readTLS(filepath.Join(s.configDir, "contexts", "tls", id, "docker"))
	if err != nil {
		return endpoint{}, err
	}
	material.skipVerify = docker.SkipTLSVerify
	if material.ca != nil || material.cert != nil || material.skipVerify {
		e.tls = material
	}
	return e, nil
}

func (s surroundings) readTLS(dir string) (*tlsMaterial, error) {
	m := &tlsMaterial{}
	for name, into := range map[string]*[]byte{"ca.pem": &m.ca, "cert.pem": &m.cert, "key.pem": &m.key} {
		data, err := s.readFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, invalid("the TLS file for the Docker engine can't be read: %v", err)
		}
		*into = data
	}
	if (m.cert == nil) != (m.key == nil) {
		return nil, invalid("%s holds only one of cert.pem and key.pem: the Docker engine's TLS needs both", dir)
	}
	return m, nil
}

// CheckHost says what is wrong with the address of an engine. It must have a scheme, which Connect does without.
func CheckHost(host string) error {
	if !strings.Contains(host, "://") {
		return invalid("%q is no address of a Docker engine: use unix:///path or tcp://host:port", host)
	}
	_, err := parseHost(host, "the given host", false)
	return err
}

func parseHost(host, source string, useTLS bool) (endpoint, error) {
	if path, ok := strings.CutPrefix(host, "unix:/"); ok && !strings.HasPrefix(path, "/") { // else it is taken for a host named unix
		return endpoint{}, invalid("%q (from %s) lacks slashes: use unix:///%s", host, source, path)
	}
	parsed, err := opts.ParseHost(useTLS, host)
	if err != nil {
		return endpoint{}, invalid("%q (from %s) is no address of a Docker engine (%v): use unix:///path or tcp://host:port", host, source, err)
	}
	switch proto, _, _ := strings.Cut(parsed, "://"); proto {
	case "unix", "tcp":
		return endpoint{host: parsed, source: source}, nil
	default:
		return endpoint{}, invalid("%s (from %s): a %s address of a Docker engine is not supported, use unix:///path or tcp://host:port", parsed, source, proto)
	}
}
