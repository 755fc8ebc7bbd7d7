package endpoint

import (
	"crypto/tls"
	"crypto/x509"
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
}

// New resolves a listener. File names are relative to dir. The error names the
// file that cannot be used.
func New(dir string, c *plan.Cluster, l *plan.Listener) (Endpoint, error) {
	ep := Endpoint{Cluster: c.Name, Listener: l.Name, Bootstrap: l.Bootstrap, SASL: l.SASL}
	if l.TLS == nil {
		return ep, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: l.TLS.ServerName}
	if l.TLS.CAFile != "" {
		pem, err := os.ReadFile(inDir(dir, l.TLS.CAFile))
		if err != nil {
			return ep, fmt.Errorf("reading ca_file of cluster %q: %w", c.Name, err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return ep, fmt.Errorf("ca_file %s of cluster %q holds no PEM certificate: give the file of the authority that signed the brokers' certificates", l.TLS.CAFile, c.Name)
		}
	}
	if l.TLS.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(inDir(dir, l.TLS.CertFile), inDir(dir, l.TLS.KeyFile))
		if err != nil {
			return ep, fmt.Errorf("loading cert_file and key_file of cluster %q: %w", c.Name, err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	ep.TLS = cfg
	return ep, nil
}

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
