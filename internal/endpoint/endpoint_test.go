package endpoint_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kplan/internal/embedded"
	"kplan/internal/embedded/certs"
	"kplan/internal/endpoint"
	"kplan/plan"
)

func authority(t *testing.T) *certs.Authority {
	t.Helper()
	a, err := certs.NewAuthority("test authority")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Files are found beside the plan, and what is in them ends up in the TLS
// configuration.
func TestNew(t *testing.T) {
	dir, a := t.TempDir(), authority(t)
	if err := a.WriteFile(filepath.Join(dir, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	pair, err := a.Issue(certs.Request{CommonName: "kplan", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.WriteFiles(filepath.Join(dir, "me.pem"), filepath.Join(dir, "me.key")); err != nil {
		t.Fatal(err)
	}
	c := &plan.Cluster{Name: "old", Listener: plan.Listener{Bootstrap: []string{"a:1"}}}
	l := &plan.Listener{
		Name: "tls", Bootstrap: []string{"b:2", "c:3"},
		TLS:  &plan.TLS{CAFile: "ca.pem", CertFile: "me.pem", KeyFile: filepath.Join(dir, "me.key"), ServerName: "kafka.example"},
		SASL: &plan.SASL{Mechanism: "PLAIN", Username: "u"},
	}
	ep, err := endpoint.New(dir, c, l)
	if err != nil {
		t.Fatal(err)
	}
	if ep.Name() != `listener "tls" of cluster "old"` || ep.Bootstrap[1] != "c:3" || ep.SASL.Username != "u" {
		t.Errorf("%+v", ep)
	}
	if ep.TLS.ServerName != "kafka.example" || ep.TLS.MinVersion != tls.VersionTLS12 || !ep.TLS.RootCAs.Equal(a.Pool()) || len(ep.TLS.Certificates) != 1 || ep.TLS.InsecureSkipVerify {
		t.Errorf("TLS %+v", ep.TLS)
	}
	own, err := endpoint.Own(dir, c)
	if err != nil || own.TLS != nil || own.SASL != nil || own.Name() != `cluster "old"` || own.Bootstrap[0] != "a:1" {
		t.Errorf("%+v, %v", own, err)
	}
	c.TLS = &plan.TLS{} // the system's roots
	if own, err = endpoint.Own(dir, c); err != nil || own.TLS == nil || own.TLS.RootCAs != nil {
		t.Errorf("%+v, %v", own, err)
	}
}

func TestNewErrors(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "empty.pem"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, conf := range map[string]*plan.TLS{
		"reading ca_file":                  {CAFile: "missing.pem"},
		"holds no PEM certificate":         {CAFile: "empty.pem"},
		"loading cert_file empty.pem and ": {CertFile: "empty.pem", KeyFile: "empty.pem"},
	} {
		_, err := endpoint.Own(dir, &plan.Cluster{Name: "old", Listener: plan.Listener{TLS: conf}})
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), `"old"`) {
			t.Errorf("%+v: %v", conf, err)
		}
	}
}

// PEM files with a byte order mark, as editors on Windows write it, are read; an
// encrypted key is named as what it is.
func TestOddFiles(t *testing.T) {
	dir, a := t.TempDir(), authority(t)
	path := func(name string) string { return filepath.Join(dir, name) }
	pair, err := a.Issue(certs.Request{CommonName: "kplan", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.WriteFile(path("ca.pem")), pair.WriteFiles(path("me.pem"), path("me.key"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ca.pem", "me.pem", "me.key"} {
		text, err := os.ReadFile(path(name))
		if err == nil {
			err = os.WriteFile(path(name), append([]byte("\xef\xbb\xbf"), text...), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	of := func(key string) error {
		_, err := endpoint.Own(dir, &plan.Cluster{Name: "old", Listener: plan.Listener{TLS: &plan.TLS{CAFile: "ca.pem", CertFile: "me.pem", KeyFile: key}}})
		return err
	}
	if err := of("me.key"); err != nil {
		t.Errorf("with byte order marks: %v", err)
	}
	for name, text := range map[string]string{
		"8.key":   "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIC\n-----END ENCRYPTED PRIVATE KEY-----\n",
		"old.key": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMIIC\n-----END RSA PRIVATE KEY-----\n",
	} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := of(name); err == nil || !strings.Contains(err.Error(), "is encrypted") || !strings.Contains(err.Error(), "openssl pkey") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A port that is open and silent, or speaks something else, or hangs up, is
// explained within the limit.
func TestExplainStrangePorts(t *testing.T) {
	for name, behave := range map[string]func(net.Conn){
		"hangs up": func(c net.Conn) { _ = c.Close() },
		"http":     func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n"); _ = c.Close() },
		"silent":   func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go behave(c)
				}
			}()
			address := l.Addr().String()
			cause := errors.New("what the client said")
			for _, conf := range []*tls.Config{nil, {RootCAs: authority(t).Pool(), MinVersion: tls.VersionTLS12}} {
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				got := endpoint.Endpoint{Cluster: "old", TLS: conf}.Explain(ctx, address, cause)
				cancel()
				if got.Why == "" || got.Do == "" || got.Address != address || !errors.Is(got, cause) {
					t.Errorf("%+v", got)
				}
				if conf == nil && strings.Contains(got.Why, "speaks TLS") {
					t.Errorf("it takes it for TLS: %s", got.Why)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("it took %s", took)
				}
			}
		})
	}
}

// Explain leaves the TLS configuration alone: the next connection uses it.
func TestExplainLeavesTheConfigurationAlone(t *testing.T) {
	c, err := embedded.Start(embedded.Options{TLS: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	conf := &tls.Config{RootCAs: authority(t).Pool(), MinVersion: tls.VersionTLS12}
	got := endpoint.Endpoint{Cluster: "old", TLS: conf}.Explain(t.Context(), c.Bootstrap()[0], errors.New("x"))
	if !strings.Contains(got.Why, "does not trust") || conf.ServerName != "" {
		t.Errorf("%+v, server name %q", got, conf.ServerName)
	}
}
