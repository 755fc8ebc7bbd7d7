package endpoint

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"

	"kplan/plan"
)

// Endpoint is a reachable way into a cluster. It is immutable; TLS must be
// cloned before it is changed.
type Endpoint struct {
	Cluster   string // the cluster's name in the plan
	Listener  string // "" is the cluster's own
	Bootstrap []string
	TLS       *tls.Config // nil: plaintext
	SASL      *plan.SASL  // nil: none
	Tokens    *Tokens     // of SASL's mechanism OAUTHBEARER
}

// New resolves a listener. File names are relative to dir. The error names the
// file that cannot be used.
func New(dir string, c *plan.Cluster, l *plan.Listener) (Endpoint, error) {
	ep := Endpoint{Cluster: c.Name, Listener: l.Name, Bootstrap: l.Bootstrap, SASL: l.SASL}
	if l.SASL != nil && l.SASL.OAuth != nil {
		var err error
		if ep.Tokens, err = newTokens(dir, c.Name, l.SASL.OAuth); err != nil {
			return ep, err
		}
	}
	if l.TLS == nil {
		return ep, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: l.TLS.ServerName}
	if l.TLS.CAFile != "" {
		var err error
		if cfg.RootCAs, err = roots(dir, l.TLS.CAFile, fmt.Sprintf("cluster %q", c.Name), "the brokers' certificates"); err != nil {
			return ep, err
		}
	}
	if l.TLS.CertFile != "" {
		pair, err := keyPair(dir, c.Name, l.TLS)
		if err != nil {
			return ep, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	ep.TLS = cfg
	return ep, nil
}

// keyPair reads the client's certificate and its key.
func keyPair(dir, name string, t *plan.TLS) (tls.Certificate, error) {
	cert, err := os.ReadFile(inDir(dir, t.CertFile))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading cert_file of cluster %q: %w", name, err)
	}
	key, err := os.ReadFile(inDir(dir, t.KeyFile))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("reading key_file of cluster %q: %w", name, err)
	}
	if plan.EncryptedKey(key) {
		return tls.Certificate{}, fmt.Errorf("key_file %s of cluster %q is encrypted, and kplan does not read encrypted keys: decrypt it into a file that only kplan may read (openssl pkey -in %s -out PLAIN.key), and name that", t.KeyFile, name, t.KeyFile)
	}
	pair, err := tls.X509KeyPair(withoutMark(cert), withoutMark(key))
	if err != nil {
		return pair, fmt.Errorf("loading cert_file %s and key_file %s of cluster %q: %w", t.CertFile, t.KeyFile, name, err)
	}
	return pair, nil
}

// withoutMark takes away the byte order mark that editors on Windows write before
// UTF-8: no PEM block begins behind one.
func withoutMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) }

// Own returns the endpoint that kplan itself uses.
func Own(dir string, c *plan.Cluster) (Endpoint, error) { return New(dir, c, &c.Listener) }

func inDir(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

// Name is how messages call the endpoint.
func (e Endpoint) Name() string {
	if e.Listener == "" {
		return fmt.Sprintf("cluster %q", e.Cluster)
	}
	return fmt.Sprintf("listener %q of cluster %q", e.Listener, e.Cluster)
}
