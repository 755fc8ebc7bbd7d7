package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
)

// login is who the connection belongs to, and until when (KIP-368).
type login struct {
	mechanism sasl.Mechanism
	again     time.Time // when to log in again; zero: never
}

// due reports whether it is time to log in again.
func (l *login) due(now time.Time) bool {
	return l != nil && !l.again.IsZero() && now.After(l.again)
}

// open connects, asks what the broker speaks, and logs in.
func (c *Client) open(ctx context.Context, broker int32, address string) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	raw, err := c.dial(ctx, address)
	if err != nil {
		return nil, &BrokenError{Address: address, Cause: err}
	}
	conn := &Conn{
		Address: address, Broker: broker, conn: newStream(raw), pool: c.pool, format: c.format, patience: c.patience,
		versions: map[int16]int16{int16(kmsg.ApiVersions): 0},
	}
	conn.ctx, conn.stop = context.WithCancelCause(context.Background())
	go conn.readAll()
	if err := conn.begin(ctx, c.mechanism); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func (c *Client) dial(ctx context.Context, address string) (net.Conn, error) {
	raw, err := c.connect(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	if c.tls == nil {
		return raw, nil
	}
	conf := c.tls.Clone()
	if conf.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		conf.ServerName = host
	}
	secured := tls.Client(raw, conf)
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("TLS handshake: %w", err), raw.Close())
	}
	return secured, nil
}

// begin agrees on versions and logs in.
func (c *Conn) begin(ctx context.Context, mechanism sasl.Mechanism) error {
	if err := c.agree(ctx); err != nil {
		return err
	}
	if mechanism == nil {
		return nil
	}
	c.login = &login{mechanism: mechanism}
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.authenticate(ctx)
}

// agree learns the broker's versions (KIP-35). Version 0 is what every broker
// answers, before a login too.
func (c *Conn) agree(ctx context.Context) error {
	began := time.Now()
	resp, err := c.roundTrip(ctx, kmsg.NewPtrApiVersionsRequest())
	if err != nil {
		return err
	}
	c.trip = time.Since(began)
	answer := resp.(*kmsg.ApiVersionsResponse)
	if err := Code(answer.ErrorCode); err != nil {
		return &AnswerError{Address: c.Address, Request: "ApiVersions", Cause: err}
	}
	versions := map[int16]int16{}
	for _, k := range answer.ApiKeys {
		if req := kmsg.RequestForKey(k.ApiKey); req != nil && req.MaxVersion() >= k.MinVersion {
			versions[k.ApiKey] = min(k.MaxVersion, req.MaxVersion())
		}
	}
	c.versions = versions // nobody else has the connection yet
	return nil
}

// loginAgain waits until nothing is under way, since a broker takes nothing
// else between the two requests of a login, and logs in. c.sending is held.
func (c *Conn) loginAgain(ctx context.Context) error {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return c.err
	}
	var idle chan struct{}
	if len(c.waiting) > 0 {
		if c.idle == nil {
			c.idle = make(chan struct{})
		}
		idle = c.idle
	}
	c.mu.Unlock()
	if idle != nil {
		select {
		case <-idle:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return c.authenticate(ctx)
}

// authenticate carries out one SASL exchange (KIP-43, KIP-152). c.sending is
// held.
func (c *Conn) authenticate(ctx context.Context) error {
	name := c.login.mechanism.Name()
	refused := func(err error) error {
		err = &LoginError{Address: c.Address, Mechanism: name, Cause: err}
		c.end(err)
		return err
	}
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Mechanism = name
	resp, err := c.exchange(ctx, hello, 1)
	if err != nil {
		return err
	}
	if err := Code(resp.(*kmsg.SASLHandshakeResponse).ErrorCode); err != nil {
		return refused(fmt.Errorf("%w; the broker takes %v", err, resp.(*kmsg.SASLHandshakeResponse).SupportedMechanisms))
	}
	host, _, _ := net.SplitHostPort(c.Address) // its use is up to the mechanism
	session, message, err := c.login.mechanism.Authenticate(ctx, host)
	if err != nil {
		return refused(err)
	}
	for done := false; !done || message != nil; {
		ask := kmsg.NewPtrSASLAuthenticateRequest()
		ask.SASLAuthBytes = message
		resp, err := c.exchange(ctx, ask, 2)
		if err != nil {
			return err
		}
		answer := resp.(*kmsg.SASLAuthenticateResponse)
		if err := Code(answer.ErrorCode); err != nil {
			if answer.ErrorMessage != nil && errors.Is(err, kerr.SaslAuthenticationFailed) {
				err = fmt.Errorf("%w: %s", err, *answer.ErrorMessage)
			}
			return refused(err)
		}
		c.login.again = time.Time{}
		if life := time.Duration(answer.SessionLifetimeMillis) * time.Millisecond; life > 0 {
			c.login.again = time.Now().Add(life * 8 / 10)
		}
		if done {
			return nil
		}
		if done, message, err = session.Challenge(answer.SASLAuthBytes); err != nil {
			return refused(err)
		}
	}
	return nil
}

// exchange asks and waits while c.sending is held.
func (c *Conn) exchange(ctx context.Context, req kmsg.Request, limit int16) (kmsg.Response, error) {
	v, err := c.Version(req, 0, limit)
	if err != nil {
		return nil, err
	}
	req.SetVersion(v)
	return c.ask(ctx, c.write, req)
}
