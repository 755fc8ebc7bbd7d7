package endpoint

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"time"

	"kplan/internal/cluster"
)

// Presented returns the certificates that an address of the endpoint shows,
// valid or not, the broker's own first. It opens a connection of its own for at
// most five seconds, sends nothing over it but the handshake, and trusts
// nothing of it. A port that shows none yields none.
func (e Endpoint) Presented(ctx context.Context, address string) []cluster.Certificate {
	if e.TLS == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil
	}
	defer conn.Close()
	cfg := e.TLS.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(address)
	}
	cfg.Certificates, cfg.GetClientCertificate = nil, nil // whoever this is need not know who asks
	var shown []cluster.Certificate
	cfg.InsecureSkipVerify = true // only looks; whether it is valid is found out by a connection of its own
	cfg.VerifyConnection = func(state tls.ConnectionState) error {
		for _, c := range state.PeerCertificates {
			shown = append(shown, describe(c))
		}
		return nil
	}
	// A handshake that fails afterwards, for the lack of a client certificate,
	// has shown what there is to see.
	_ = tls.Client(conn, cfg).HandshakeContext(ctx)
	return shown
}

// Client returns the certificate with which the endpoint's clients show who
// they are, or nil.
func (e Endpoint) Client() *cluster.Certificate {
	if e.TLS == nil || len(e.TLS.Certificates) == 0 || e.TLS.Certificates[0].Leaf == nil {
		return nil
	}
	c := describe(e.TLS.Certificates[0].Leaf)
	return &c
}

func describe(c *x509.Certificate) cluster.Certificate {
	names := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return cluster.Certificate{Subject: c.Subject.String(), Issuer: c.Issuer.String(), Names: names, NotAfter: c.NotAfter}
}
