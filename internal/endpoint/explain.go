package endpoint

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"kplan/internal/cluster"
)

// UnreachableError says that an address of a cluster does not serve as the plan
// says, why, and what to do.
type UnreachableError struct {
	Endpoint string // Endpoint.Name
	Address  string // host:port; several, comma-joined, when every bootstrap address failed
	Why      string
	Do       string
	Stage    cluster.Stage // how far it came
	Err      error         // what the client said
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("%s cannot be used at %s: %s. %s", e.Endpoint, e.Address, e.Why, e.Do)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Explain finds out why an address of the endpoint failed with err. It opens
// connections of its own to the address, for at most five seconds.
func (e Endpoint) Explain(ctx context.Context, address string, err error) *UnreachableError {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out := &UnreachableError{Endpoint: e.Name(), Address: address, Err: err}
	out.Stage, out.Why, out.Do = e.explain(ctx, address, err)
	return out
}

func (e Endpoint) explain(ctx context.Context, address string, err error) (stage cluster.Stage, why, do string) {
	conn, dialErr := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if dialErr != nil {
		var dns *net.DNSError
		if errors.As(dialErr, &dns) {
			return cluster.StageReach, fmt.Sprintf("the name %q cannot be resolved", dns.Name),
				"Check the name, and where a broker advertises it, its advertised.listeners."
		}
		return cluster.StageReach, fmt.Sprintf("nothing answers there (%v)", rootCause(dialErr)),
			"Check that the broker is up, that the address is right, and that no firewall stands between."
	}
	defer conn.Close()
	if e.TLS != nil {
		return e.explainTLS(ctx, conn, address, err)
	}
	if speaksTLS(ctx, conn, address) {
		return cluster.StageTLS, "the port speaks TLS and the plan says plaintext",
			"Add a tls block to the cluster, or give the address of the plaintext listener."
	}
	if probe(ctx, address) == nil {
		why, do = e.explainLogin(err)
		return cluster.StageLogin, why, do
	}
	return cluster.StageReach, fmt.Sprintf("the port is open but does not answer as a Kafka broker (%v)", rootCause(err)),
		"Check that it is a Kafka listener without TLS."
}

// explainLogin is for a broker that answers the first question and no other.
func (e Endpoint) explainLogin(err error) (why, do string) {
	if e.SASL == nil {
		return fmt.Sprintf("the broker hangs up on a client that does not log in (%v)", rootCause(err)),
			"Add a sasl block to the cluster, or give the address of a listener without login."
	}
	return fmt.Sprintf("the broker answers, but the login does not come to an end (%v)", rootCause(err)),
		"Check that the listener asks for a login, and the mechanism in the sasl block."
}

func (e Endpoint) explainTLS(ctx context.Context, conn net.Conn, address string, err error) (stage cluster.Stage, why, do string) {
	cfg := e.TLS.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(address)
	}
	secure := tls.Client(conn, cfg)
	handshake := secure.HandshakeContext(ctx)
	if handshake == nil {
		// A refused client certificate shows only when something is read (TLS 1.3).
		if handshake = ask(ctx, secure); handshake == nil {
			why, do = e.explainLogin(err)
			return cluster.StageLogin, why, do
		}
	}
	why, do = explainHandshake(ctx, handshake, address, len(cfg.Certificates) > 0)
	return cluster.StageTLS, why, do
}

// explainHandshake finds the reason of a handshake that failed; certified says
// whether the client has a certificate.
func explainHandshake(ctx context.Context, handshake error, address string, certified bool) (why, do string) {
	var record tls.RecordHeaderError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(handshake, &record), !refused(handshake) && probe(ctx, address) == nil:
		return "the port does not speak TLS and the plan has a tls block",
			"Remove the tls block, or give the address of the TLS listener."
	case errors.As(handshake, &unknown) && selfSigned(unknown.Cert):
		return "its certificate is self-signed, and the plan does not trust it",
			"Give the brokers a certificate that your authority signed, or set ca_file to this certificate if it is what it should be."
	case errors.As(handshake, &unknown):
		return "its certificate is signed by an authority that the plan does not trust",
			"Set ca_file to the certificate of the authority that signed it."
	case errors.As(handshake, &host):
		return fmt.Sprintf("its certificate is for another host (%v)", host),
			"Use the name in the certificate, or set tls { server_name }."
	case errors.As(handshake, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Sprintf("its certificate has expired, or is not valid yet (%v)", invalid), "Renew the broker's certificate, and look at the clocks."
	case errors.As(handshake, &invalid):
		return fmt.Sprintf("its certificate is not valid (%v)", invalid), "Renew the broker's certificate."
	case refused(handshake) && !certified:
		return "the broker wants a client certificate and the plan has none",
			"Set cert_file and key_file in the tls block."
	case refused(handshake):
		return fmt.Sprintf("the broker refuses the client certificate (%v)", rootCause(handshake)),
			"Set cert_file and key_file to a certificate that the brokers trust."
	default:
		return fmt.Sprintf("the TLS handshake fails (%v)", rootCause(handshake)),
			"Check that it is a TLS listener and whether it wants a client certificate."
	}
}

// speaksTLS reports whether the other end answers a TLS hello with TLS,
// whatever certificate it shows: nothing is sent over the connection and
// nothing of it is trusted.
func speaksTLS(ctx context.Context, conn net.Conn, address string) bool {
	host, _, _ := net.SplitHostPort(address)
	var seen bool
	cfg := &tls.Config{
		ServerName:         host,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // only asks whether it is TLS; no data follows
		VerifyConnection:   func(tls.ConnectionState) error { seen = true; return nil },
	}
	err := tls.Client(conn, cfg).HandshakeContext(ctx)
	return err == nil || seen
}

// selfSigned reports whether the certificate is its own issuer.
func selfSigned(c *x509.Certificate) bool {
	return c != nil && bytes.Equal(c.RawSubject, c.RawIssuer) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func rootCause(err error) error {
	for err != nil {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
	return errors.New("no reason given")
}
