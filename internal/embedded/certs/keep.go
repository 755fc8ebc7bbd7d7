package certs

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// Pair returns the authority's certificate with its key, so that another
// process can go on with it: LoadAuthority.
func (a *Authority) Pair() (Pair, error) {
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return Pair{}, fmt.Errorf("encoding the key of authority %q: %w", a.cert.Subject.CommonName, err)
	}
	return Pair{CertPEM: a.PEM(), KeyPEM: encode("PRIVATE KEY", key)}, nil
}

// LoadAuthority returns the authority that a pair is of.
func LoadAuthority(p Pair) (*Authority, error) {
	pair, err := tls.X509KeyPair(p.CertPEM, p.KeyPEM)
	if err != nil {
		return nil, fmt.Errorf("loading an authority: %w", err)
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("loading an authority: %w", err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !cert.IsCA {
		return nil, errors.New("loading an authority: the pair is not one of this package")
	}
	return &Authority{cert: cert, key: key, pem: append([]byte(nil), p.CertPEM...)}, nil
}
