package executor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/pod"
)

// These tests run on a real network: the connection is what they are about.

// failures takes the errors of subscriptions that failed, from the log.
type failures chan error

func (failures) Levels() []logrus.Level { return []logrus.Level{logrus.WarnLevel} }

func (f failures) Fire(e *logrus.Entry) error {
	if err, ok := e.Data[logrus.ErrorKey].(error); ok {
		select {
		case f <- err:
		default:
		}
	}
	return nil
}

// lifeOver runs a task to its end, with the environment that an agent at server gives. Its error is that of the first
// subscription if that fails: it would be tried again for long.
func lifeOver(t *testing.T, agent *testAgent, changes map[string]string) error {
	t.Helper()
	cfg, err := FromEnviron(agentEnvironment(changes))
	require.NoError(t, err)
	cfg.Checkpoint, cfg.RecoveryTimeout = true, time.Hour
	launcher := newFakeLauncher()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	failed := make(failures, 1)
	said := logrus.New()
	said.SetOutput(io.Discard)
	said.AddHook(failed)
	result := make(chan error, 1)
	go func() { result <- Run(ctx, cfg, launcher, said) }()
	select {
	case err := <-result:
		return err
	case err := <-failed:
		cancel()
		require.NoError(t, get(t, result, "the end of the executor"))
		return err
	case s := <-agent.subscriptions:
		s.subscribed(t)
		s.launch(t, taskInfo("a"))
		get(t, launcher.pods, "a launch").end(pod.Finished)
		s.ack(t, get(t, agent.updates, "an update"))
		return get(t, result, "the end of the executor")
	}
}

func TestOverTCPWithAToken(t *testing.T) {
	agent := newTestAgent()
	server := httptest.NewServer(agent)
	defer server.Close()
	endpoint := server.Listener.Addr().String()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9") // the agent is never behind one
	require.NoError(t, lifeOver(t, agent, map[string]string{"MESOS_AGENT_ENDPOINT": endpoint}))
	asked := append(agent.asked(executor.Call_SUBSCRIBE), agent.asked(executor.Call_UPDATE)...)
	require.Len(t, asked, 2)
	for _, r := range asked {
		require.Equal(t, "Bearer s3cret", r.header.Get("Authorization"))
		require.Equal(t, "/slave(1)/api/v1/executor", r.path)
	}
}

func TestOverADomainSocket(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	require.NoError(t, os.Mkdir(long, 0o700))
	short, err := os.MkdirTemp("", "dce")
	require.NoError(t, err)
	defer os.RemoveAll(short)
	for name, dir := range map[string]string{"short": short, "too long for the kernel": long} {
		t.Run(name, func(t *testing.T) {
			agent := newTestAgent()
			t.Chdir(dir)
			socket, err := net.Listen("unix", "agent.sock")
			require.NoError(t, err)
			server := httptest.NewUnstartedServer(agent)
			_ = server.Listener.Close()
			server.Listener = socket
			server.Start()
			defer server.Close()
			require.NoError(t, lifeOver(t, agent, map[string]string{"MESOS_DOMAIN_SOCKET": filepath.Join(dir, "agent.sock")}))
		})
	}
}

func TestOverTLS(t *testing.T) {
	dir := t.TempDir()
	ca := newCertificate(t, dir, "ca", nil, nil)
	loopback := newCertificate(t, dir, "agent", ca, []net.IP{net.IPv4(127, 0, 0, 1)})
	stranger := newCertificate(t, dir, "stranger", newCertificate(t, dir, "other-ca", nil, nil), []net.IP{net.IPv4(127, 0, 0, 1)})
	elsewhere := newCertificate(t, dir, "elsewhere", ca, []net.IP{net.IPv4(10, 9, 8, 7)})
	client := newCertificate(t, dir, "client", ca, nil)
	caDir := t.TempDir()
	copyFile(t, ca.file, filepath.Join(caDir, "ca.pem"))
	for _, c := range []struct {
		name     string
		agent    *certificate
		settings map[string]string
		fails    string
	}{
		{"not verified, as is Mesos' default", stranger, nil, ""},
		{"verified", loopback, map[string]string{"LIBPROCESS_SSL_VERIFY_SERVER_CERT": "true", "LIBPROCESS_SSL_CA_FILE": ca.file}, ""},
		{"verified with a directory", loopback, map[string]string{"LIBPROCESS_SSL_VERIFY_CERT": "1", "LIBPROCESS_SSL_CA_DIR": caDir}, ""},
		{"of an unknown authority", stranger, map[string]string{"LIBPROCESS_SSL_VERIFY_CERT": "1", "LIBPROCESS_SSL_CA_FILE": ca.file}, "is not trusted"},
		{"of another host", elsewhere, map[string]string{"LIBPROCESS_SSL_VERIFY_CERT": "1", "LIBPROCESS_SSL_CA_FILE": ca.file,
			"LIBPROCESS_SSL_HOSTNAME_VALIDATION_SCHEME": "openssl"}, "is for another host"},
		{"no authority", loopback, map[string]string{"LIBPROCESS_SSL_VERIFY_CERT": "1", "LIBPROCESS_SSL_CA_FILE": ca.key}, "no certificate in"},
		{"a file that is missing", loopback, map[string]string{"LIBPROCESS_SSL_VERIFY_CERT": "1", "LIBPROCESS_SSL_CA_FILE": dir + "/none"}, "LIBPROCESS_SSL_CA_FILE"},
		{"a directory that is missing", loopback, map[string]string{"LIBPROCESS_SSL_VERIFY_CERT": "1", "LIBPROCESS_SSL_CA_DIR": dir + "/none"}, "LIBPROCESS_SSL_CA_DIR"},
		{"a key that is missing", loopback, map[string]string{"LIBPROCESS_SSL_KEY_FILE": dir + "/none"}, "LIBPROCESS_SSL_KEY_FILE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			agent := newTestAgent()
			server := httptest.NewUnstartedServer(agent)
			pair, err := tls.LoadX509KeyPair(c.agent.file, c.agent.key)
			require.NoError(t, err)
			trusted := x509.NewCertPool()
			trusted.AddCert(ca.x509)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: trusted, ClientAuth: tls.RequireAndVerifyClientCert}
			server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
			server.StartTLS()
			defer server.Close()
			settings := map[string]string{
				"MESOS_AGENT_ENDPOINT": server.Listener.Addr().String(), "LIBPROCESS_SSL_ENABLED": "1",
				"LIBPROCESS_SSL_CERT_FILE": client.file, "LIBPROCESS_SSL_KEY_FILE": client.key,
			}
			for key, value := range c.settings {
				settings[key] = value
			}
			err = lifeOver(t, agent, settings)
			if c.fails == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.fails)
		})
	}
}

func TestVerifyByReverseName(t *testing.T) {
	dir := t.TempDir()
	ca := newCertificate(t, dir, "ca", nil, nil)
	named := newCertificate(t, dir, "agent.example", ca, nil)
	roots := x509.NewCertPool()
	roots.AddCert(ca.x509)
	chain := []*x509.Certificate{named.x509}
	names := func(found ...string) func() []string { return func() []string { return found } }
	require.NoError(t, verify(chain, roots, "10.0.0.1", names("agent.example.")))
	require.NoError(t, verify(chain, roots, "agent.example", names()))
	require.ErrorContains(t, verify(chain, roots, "10.0.0.1", names("other.example.")), "is for another host")
	require.ErrorContains(t, verify(nil, roots, "10.0.0.1", names()), "shows no certificate")
}

type certificate struct {
	x509      *x509.Certificate
	private   *ecdsa.PrivateKey
	file, key string
}

// newCertificate makes one for name and addresses, signed by ca, or by itself as an authority where that is nil.
func newCertificate(t *testing.T, dir, name string, ca *certificate, addresses []net.IP) *certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, IPAddresses: addresses,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: ca == nil, BasicConstraintsValid: true,
	}
	parent, signer := template, private
	if ca != nil {
		parent, signer = ca.x509, ca.private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	secret, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	c := &certificate{parsed, private, filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key")}
	require.NoError(t, os.WriteFile(c.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(c.key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600))
	return c
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, b, 0o600))
}
