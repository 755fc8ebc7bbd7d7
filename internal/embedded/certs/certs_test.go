package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kplan/internal/embedded/certs"
)

func leaf(t *testing.T, p certs.Pair) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(p.CertPEM)
	if block == nil {
		t.Fatal("no PEM block in the certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestIssueIsTrustedByItsAuthorityAlone(t *testing.T) {
	a, err := certs.NewAuthority("a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := certs.NewAuthority("other")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := a.Issue(certs.Request{CommonName: "broker", Hosts: []string{"localhost", "127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	cert := leaf(t, pair)
	if diff := cmp.Diff([]string{"localhost"}, cert.DNSNames); diff != "" {
		t.Errorf("DNS names (-want +got):\n%s", diff)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: a.Pool(), DNSName: "127.0.0.1"}); err != nil {
		t.Errorf("its own authority refuses it: %v", err)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: other.Pool()}); err == nil {
		t.Error("a foreign authority vouches for it")
	}
	if _, err := pair.TLS(); err != nil {
		t.Error(err)
	}
}

func TestIssueExpired(t *testing.T) {
	a, err := certs.NewAuthority("a")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := a.Issue(certs.Request{CommonName: "old", Hosts: []string{"localhost"}, Valid: -time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	cert := leaf(t, pair)
	if !cert.NotAfter.Before(time.Now()) || !cert.NotBefore.Before(cert.NotAfter) {
		t.Errorf("valid from %s to %s, want a certificate that ran out", cert.NotBefore, cert.NotAfter)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	a, err := certs.NewAuthority("a")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.WriteFile(filepath.Join(dir, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	pair, err := a.Issue(certs.Request{CommonName: "client", Client: true})
	if err != nil {
		t.Fatal(err)
	}
	crt, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	if err := pair.WriteFiles(crt, key); err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(crt, key); err != nil {
		t.Error(err)
	}
	info, err := os.Stat(key)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(os.FileMode(0o600), info.Mode().Perm()); diff != "" {
		t.Errorf("mode of the key (-want +got):\n%s", diff)
	}
	if err := a.WriteFile(filepath.Join(dir, "missing", "ca.pem")); err == nil {
		t.Error("writing into a missing folder succeeded")
	}
}

func TestIssueSplitsAddresses(t *testing.T) {
	a, err := certs.NewAuthority("a")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := a.Issue(certs.Request{CommonName: "b", Hosts: []string{"::1"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := leaf(t, pair).IPAddresses; len(got) != 1 || !got[0].Equal(net.ParseIP("::1")) {
		t.Errorf("addresses %v, want ::1", got)
	}
}
