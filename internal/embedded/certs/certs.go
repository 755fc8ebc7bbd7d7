package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// Authority is a certificate authority that lives in memory. It is safe for
// concurrent use.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// Pair is a certificate with its private key. The key is PKCS #8, the only
// form that Apache Kafka's PEM stores take (KIP-651).
type Pair struct {
	CertPEM []byte
	KeyPEM  []byte
}

// Request says what a leaf certificate is for.
type Request struct {
	CommonName string
	Hosts      []string      // DNS names and IP addresses; empty for a client's certificate
	Client     bool          // usable for client authentication as well
	Valid      time.Duration // from now; zero means ninety days, negative makes an expired certificate
}

// lifetime is how long what is made here is valid: longer than what a check of
// kplan would call near its end.
const lifetime = 90 * 24 * time.Hour

// NewAuthority makes an authority that is valid for ninety days.
func NewAuthority(commonName string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the key of authority %q: %w", commonName, err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(lifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing authority %q: %w", commonName, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading back authority %q: %w", commonName, err)
	}
	return &Authority{cert: cert, key: key, pem: encode("CERTIFICATE", der)}, nil
}

// PEM returns the authority's own certificate.
func (a *Authority) PEM() []byte { return append([]byte(nil), a.pem...) }

// WriteFile writes the authority's certificate where a client can trust it.
func (a *Authority) WriteFile(path string) error {
	if err := os.WriteFile(path, a.pem, 0o644); err != nil {
		return fmt.Errorf("writing the authority's certificate: %w", err)
	}
	return nil
}

// Pool returns a pool that trusts this authority alone.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Issue signs a leaf certificate with a fresh key.
func (a *Authority) Issue(r Request) (Pair, error) { return issue(r, a) }

// SelfSigned makes a leaf certificate that nobody but itself has signed.
func SelfSigned(r Request) (Pair, error) { return issue(r, nil) }

func issue(r Request, by *Authority) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("generating the key of %q: %w", r.CommonName, err)
	}
	serial, err := newSerial()
	if err != nil {
		return Pair{}, err
	}
	valid := r.Valid
	if valid == 0 {
		valid = lifetime
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: r.CommonName},
		NotBefore:    time.Now().Add(-time.Hour + min(valid, 0)),
		NotAfter:     time.Now().Add(valid),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  usages(r),
	}
	for _, h := range r.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return Pair{}, fmt.Errorf("signing the certificate of %q: %w", r.CommonName, err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("encoding the key of %q: %w", r.CommonName, err)
	}
	return Pair{CertPEM: encode("CERTIFICATE", der), KeyPEM: encode("PRIVATE KEY", pkcs8)}, nil
}

// TLS turns the pair into a certificate for crypto/tls.
func (p Pair) TLS() (tls.Certificate, error) {
	cert, err := tls.X509KeyPair(p.CertPEM, p.KeyPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("loading a certificate made in memory: %w", err)
	}
	return cert, nil
}

// WriteFiles writes certificate and key; the key is readable by the owner
// alone.
func (p Pair) WriteFiles(certPath, keyPath string) error {
	if err := os.WriteFile(certPath, p.CertPEM, 0o644); err != nil {
		return fmt.Errorf("writing a certificate: %w", err)
	}
	if err := os.WriteFile(keyPath, p.KeyPEM, 0o600); err != nil {
		return fmt.Errorf("writing a certificate's key: %w", err)
	}
	return nil
}

func usages(r Request) []x509.ExtKeyUsage {
	var u []x509.ExtKeyUsage
	if len(r.Hosts) > 0 {
		u = append(u, x509.ExtKeyUsageServerAuth)
	}
	if r.Client || len(r.Hosts) == 0 {
		u = append(u, x509.ExtKeyUsageClientAuth)
	}
	return u
}

func newSerial() (*big.Int, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	return serial, nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
