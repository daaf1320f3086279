package executor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// TLS is what LIBPROCESS_SSL_* says of connections to the agent (docs/ssl.md and 3rdparty/libprocess/src/openssl.cpp).
// The names that were used before Mesos 1.0, without LIBPROCESS_, are accepted too.
type TLS struct {
	Enabled  bool
	Verify   bool   // check the agent's certificate; Mesos does not unless told to
	Legacy   bool   // accept a certificate for what the agent's address resolves back to
	CAFile   string // empty for the system's
	CADir    string
	CertFile string // shown to agents that ask for one
	KeyFile  string
}

func (r *reader) tls() TLS {
	name := func(key string) string {
		if full := "LIBPROCESS_SSL_" + key; r.values[full] != "" {
			return full
		}
		return "SSL_" + key
	}
	enabled := r.boolean(name("ENABLED"))
	if !enabled {
		return TLS{}
	}
	t := TLS{
		Enabled: true,
		CAFile:  r.values[name("CA_FILE")], CADir: r.values[name("CA_DIR")],
		CertFile: r.values[name("CERT_FILE")], KeyFile: r.values[name("KEY_FILE")],
	}
	for _, key := range []string{"VERIFY_SERVER_CERT", "VERIFY_CERT", "REQUIRE_CLIENT_CERT", "REQUIRE_CERT"} {
		t.Verify = r.boolean(name(key)) || t.Verify
	}
	switch scheme := r.values[name("HOSTNAME_VALIDATION_SCHEME")]; scheme {
	case "", "legacy":
		t.Legacy = true
	case "openssl":
	default:
		r.fail("%s is %q: it must be legacy or openssl.", name("HOSTNAME_VALIDATION_SCHEME"), scheme)
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		r.fail("Only one of %s and %s is set: a certificate needs its key, so set both or none.", name("CERT_FILE"), name("KEY_FILE"))
	}
	return t
}

// config reads the files that t names. host is the agent's name or address, without port.
func (t TLS) config(host string) (*tls.Config, error) {
	// Whether and how the certificate is checked is the operator's choice, made for the whole cluster; verify does it, as Go's
	// own check knows no reverse look-up.
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host, InsecureSkipVerify: true}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("can't read the certificate that LIBPROCESS_SSL_CERT_FILE and LIBPROCESS_SSL_KEY_FILE name: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if !t.Verify {
		return cfg, nil
	}
	roots, err := t.roots()
	if err != nil {
		return nil, err
	}
	names := func() []string { return nil }
	if t.Legacy {
		names = func() []string {
			ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
			defer cancel()
			found, _ := net.DefaultResolver.LookupAddr(ctx, host) // nothing found is no name to accept
			return found
		}
	}
	cfg.VerifyConnection = func(s tls.ConnectionState) error { return verify(s.PeerCertificates, roots, host, names) }
	return cfg, nil
}

func (t TLS) roots() (*x509.CertPool, error) {
	if t.CAFile == "" && t.CADir == "" {
		roots, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("can't read this host's certificate authorities (name one with LIBPROCESS_SSL_CA_FILE): %w", err)
		}
		return roots, nil
	}
	var files []string
	if t.CAFile != "" {
		files = append(files, t.CAFile)
	}
	if t.CADir != "" {
		entries, err := os.ReadDir(t.CADir)
		if err != nil {
			return nil, fmt.Errorf("can't read the directory that LIBPROCESS_SSL_CA_DIR names: %w", err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				files = append(files, filepath.Join(t.CADir, e.Name()))
			}
		}
	}
	roots, found := x509.NewCertPool(), false
	for _, file := range files {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("can't read a certificate authority that LIBPROCESS_SSL_CA_FILE or LIBPROCESS_SSL_CA_DIR names: %w", err)
		}
		found = roots.AppendCertsFromPEM(pem) || found
	}
	if !found {
		return nil, fmt.Errorf("no certificate in %s: LIBPROCESS_SSL_CA_FILE and LIBPROCESS_SSL_CA_DIR must name files in PEM form", strings.Join(files, ", "))
	}
	return roots, nil
}

// verify checks the chain, and that the certificate is for host or for one of names.
func verify(chain []*x509.Certificate, roots *x509.CertPool, host string, names func() []string) error {
	if len(chain) == 0 {
		return fmt.Errorf("the agent at %s shows no certificate", host)
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
		return fmt.Errorf("the certificate of the agent at %s is not trusted: %w", host, err)
	}
	err := chain[0].VerifyHostname(host)
	if err == nil {
		return nil
	}
	for _, name := range names() {
		if chain[0].VerifyHostname(strings.TrimSuffix(name, ".")) == nil {
			return nil
		}
	}
	return fmt.Errorf("the certificate of the agent at %s is for another host: %w", host, err)
}
