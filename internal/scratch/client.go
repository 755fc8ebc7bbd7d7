package scratch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"kplan/internal/endpoint"
)

const (
	dialLimit    = 10 * time.Second
	requestLimit = 15 * time.Second
)

// dial makes a client of the endpoint. It connects with its first request.
func dial(ep endpoint.Endpoint, more ...kgo.Opt) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(ep.Bootstrap...), kgo.ClientID("kplan"),
		kgo.DialTimeout(dialLimit), kgo.RetryTimeout(requestLimit), kgo.RequestTimeoutOverhead(requestLimit),
	}
	if ep.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(ep.TLS.Clone()))
	}
	if ep.SASL != nil {
		opts = append(opts, kgo.SASL(mechanism(ep)))
	}
	client, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("preparing the connections to %s: %w", ep.Name(), err)
	}
	return client, nil
}

func mechanism(ep endpoint.Endpoint) sasl.Mechanism {
	user, password := ep.SASL.Username, ep.SASL.Password.Reveal()
	switch ep.SASL.Mechanism {
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
	case "OAUTHBEARER":
		return oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			token, err := ep.Tokens.Token()
			return oauth.Auth{Token: token}, err
		})
	}
	return plain.Auth{User: user, Pass: password}.AsMechanism()
}

// codeError is the broker's answer to a request, or nil.
func codeError(code int16) error { return kerr.ErrorForCode(code) }

// forbidden reports whether the principal lacks a right.
func forbidden(err error) bool {
	return errors.Is(err, kerr.ClusterAuthorizationFailed) || errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.TransactionalIDAuthorizationFailed)
}

// named is an error of a broker by its name alone: the explanations are for
// other readers.
func named(err error) string {
	var broker *kerr.Error
	if errors.As(err, &broker) {
		return broker.Message
	}
	return err.Error()
}
