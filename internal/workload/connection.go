package workload

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/IBM/sarama"

	"kplan/internal/cluster"
)

// Connection says how the services of one side reach their cluster. Relative
// paths are relative to the work directory.
type Connection struct {
	Bootstrap []string `json:"bootstrap"`
	TLS       *TLS     `json:"tls,omitempty"`  // nil means plaintext
	SASL      *SASL    `json:"sasl,omitempty"` // nil means anonymous
}

// TLS are the TLS settings of a connection. Empty fields mean the system's
// roots, no client certificate and the name that was dialled.
type TLS struct {
	CAFile     string `json:"ca_file,omitempty"`
	CertFile   string `json:"cert_file,omitempty"`
	KeyFile    string `json:"key_file,omitempty"`
	ServerName string `json:"server_name,omitempty"`
}

// SASL are the credentials of a connection: PLAIN, SCRAM-SHA-256 or
// SCRAM-SHA-512.
type SASL struct {
	Mechanism string `json:"mechanism"`
	Username  string `json:"username"`
	Password  string `json:"password"`
}

// WriteConnection writes the connection file of one side, readable by the owner
// alone. It may be rewritten at any time; services read it when they start.
func WriteConnection(dir string, side cluster.Side, c Connection) error {
	return writeJSON(connectionFile(dir, side), c)
}

func connectionFile(dir string, side cluster.Side) string {
	return filepath.Join(dir, "connection."+side.String()+".json")
}

func readConnection(dir string, side cluster.Side) (Connection, error) {
	var c Connection
	if err := readJSON(connectionFile(dir, side), &c); err != nil {
		return Connection{}, err
	}
	if len(c.Bootstrap) == 0 {
		return Connection{}, fmt.Errorf("reading the connection of side %s: bootstrap is empty", side)
	}
	return c, nil
}

// config translates a connection to sarama's configuration, with the settings
// that producers and consumers share.
func (c Connection) config(dir, clientID string) (*sarama.Config, error) {
	cfg := sarama.NewConfig()
	cfg.ClientID = clientID
	cfg.Version = sarama.V2_8_0_0 // the oldest broker of the tests; newer ones negotiate down
	cfg.Net.DialTimeout = 10 * time.Second
	cfg.Metadata.Retry.Max = 20
	cfg.Metadata.Retry.Backoff = 100 * time.Millisecond
	cfg.Metadata.RefreshFrequency = 30 * time.Second
	// A topic that a service brings into being would hide that kplan forgot it.
	cfg.Metadata.AllowAutoTopicCreation = false
	if c.TLS != nil {
		t, err := c.TLS.config(dir)
		if err != nil {
			return nil, err
		}
		cfg.Net.TLS.Enable, cfg.Net.TLS.Config = true, t
	}
	if c.SASL != nil {
		if err := c.SASL.apply(cfg); err != nil {
			return nil, err
		}
	}
	return cfg, nil
}

func (t TLS) config(dir string) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CAFile != "" {
		data, err := os.ReadFile(inDir(dir, t.CAFile))
		if err != nil {
			return nil, fmt.Errorf("reading the CA file: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("reading the CA file: no certificate in %s", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(inDir(dir, t.CertFile), inDir(dir, t.KeyFile))
		if err != nil {
			return nil, fmt.Errorf("loading the client certificate: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

func (s SASL) apply(cfg *sarama.Config) error {
	cfg.Net.SASL.Enable = true
	cfg.Net.SASL.User, cfg.Net.SASL.Password = s.Username, s.Password
	cfg.Net.SASL.Mechanism = sarama.SASLMechanism(s.Mechanism)
	switch cfg.Net.SASL.Mechanism {
	case sarama.SASLTypePlaintext:
	case sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512:
		generate, err := scramClients(s.Mechanism)
		if err != nil {
			return err
		}
		cfg.Net.SASL.SCRAMClientGeneratorFunc = generate
	default:
		return errors.New("SASL mechanism " + s.Mechanism + " is not supported: want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")
	}
	return nil
}

func inDir(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
