package endpoint

import (
	"crypto/tls"
	"fmt"
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
